/*
 * route_cache_test.c - what was routed lately is found again, whole, and never in the place of another.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#include "queue/policy/route_cache.h"

static struct route_cache places;

static int
end(void **state)
{
	(void)state;
	route_cache_clear(&places);
	return 0;
}

static struct address
full_address(void)
{
	return (struct address){ STR("key"), STR("agent"), STR("channel"), STR("account") };
}

/* Keeps where it leads, from memory that is overwritten at once. */
static void
keep(struct address address, const char *queue_key)
{
	char key[64], to[64];
	struct str sent = address.session_key;

	if (sent.s != NULL)
		address.session_key.s = memcpy(key, sent.s, sent.len);
	struct cached_route place = { { memcpy(to, queue_key, strlen(queue_key)),
					strlen(queue_key) },
				      text_hash(str_of(queue_key)),
				      RULE_DIRECT_MAIN };
	route_cache_add(&places, &address, &place);
	memset(key, '?', sizeof(key));
	memset(to, '?', sizeof(to));
}

static void
what_was_kept_is_found_again(void **state)
{
	(void)state;
	struct address address = full_address();
	assert_null(route_cache_find(&places, &address));
	keep(address, "agent:a:main");
	const struct cached_route *place = route_cache_find(&places, &address);
	assert_non_null(place);
	assert_true(str_eq(place->queue_key, STR("agent:a:main")));
	assert_true(place->hash == text_hash(STR("agent:a:main")));
	assert_int_equal(place->rule, RULE_DIRECT_MAIN);
	keep(address, "agent:b:main");
	assert_true(str_eq(route_cache_find(&places, &address)->queue_key, STR("agent:b:main")));
}

static void
an_address_that_differs_in_any_part_is_another(void **state)
{
	(void)state;
	static const struct str others[] = {
		STR_INIT("kez"), STR_INIT("keys"), STR_INIT(""), { NULL, 0 }
	};
	keep(full_address(), "agent:a:main");
	for (size_t part = 0; part < 4; part++)
		for (size_t i = 0; i < sizeof(others) / sizeof(*others); i++) {
			struct address address = full_address();
			struct str *parts[] = { &address.session_key, &address.agent_id,
						&address.channel, &address.account_id };

			*parts[part] = others[i];
			assert_null(route_cache_find(&places, &address));
		}
}

static void
not_given_is_another_thing_than_empty(void **state)
{
	(void)state;
	struct address none = { .session_key = STR("key") }, empty = none;
	empty.channel = STR("");
	keep(none, "agent:a:main");
	assert_null(route_cache_find(&places, &empty));
	keep(empty, "agent:b:main");
	assert_non_null(route_cache_find(&places, &empty));
	assert_null(route_cache_find(&places, &none)); /* they share a slot, which has the latest */
}

static void
a_long_address_is_not_kept(void **state)
{
	(void)state;
	static char text[ROUTE_CACHE_BYTES_MAX];
	memset(text, 'x', sizeof(text));
	struct cached_route place = { .queue_key = STR("agent:a:main") };
	struct address address = { .session_key = { text, sizeof(text) - place.queue_key.len } };
	route_cache_add(&places, &address, &place);
	assert_non_null(route_cache_find(&places, &address));
	address.session_key.len++;
	route_cache_add(&places, &address, &place);
	assert_null(route_cache_find(&places, &address));
}

/* More than there are slots: what is found is right, and much of what came last is. */
static void
of_many_the_latest_are_found(void **state)
{
	(void)state;
	enum { MANY = 3 * ROUTE_CACHE_SLOTS };
	char key[32], to[32];
	size_t found = 0;
	for (int n = 0; n < MANY; n++) {
		snprintf(key, sizeof(key), "agent:main:many:%08d", n);
		snprintf(to, sizeof(to), "to %d", n);
		keep((struct address){ .session_key = str_of(key) }, to);
		assert_non_null(
		    route_cache_find(&places, &(struct address){ .session_key = str_of(key) }));
	}
	for (int n = 0; n < MANY; n++) {
		snprintf(key, sizeof(key), "agent:main:many:%08d", n);
		snprintf(to, sizeof(to), "to %d", n);
		const struct cached_route *place =
		    route_cache_find(&places, &(struct address){ .session_key = str_of(key) });
		assert_true(place == NULL || str_eq(place->queue_key, str_of(to)));
		found += place != NULL;
	}
	assert_in_range(found, ROUTE_CACHE_SLOTS * 3 / 4, ROUTE_CACHE_SLOTS);
}

static void
nothing_is_found_after_clearing(void **state)
{
	(void)state;
	struct address address = full_address();
	keep(address, "agent:a:main");
	route_cache_clear(&places);
	assert_null(route_cache_find(&places, &address));
	route_cache_clear(&places);
}

#define TEST(name) cmocka_unit_test_teardown(name, end)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(what_was_kept_is_found_again),
		TEST(an_address_that_differs_in_any_part_is_another),
		TEST(not_given_is_another_thing_than_empty),
		TEST(a_long_address_is_not_kept),
		TEST(of_many_the_latest_are_found),
		TEST(nothing_is_found_after_clearing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
