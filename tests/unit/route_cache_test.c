/* route_cache_test.c - a cached route is found by exactly its address, and no other. */
#include "queue/policy/route_cache.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

static struct route_cache cache;

static int
end(void **state)
{
	(void)state;
	route_cache_clear(&cache);
	return 0;
}

static struct address
full_address(void)
{
	return (struct address){ STR("key"), STR("agent"), STR("channel"), STR("account"),
				 STR_NULL };
}

/* Adds a route from memory that is overwritten at once: the cache must own copies. */
static void
add(struct address address, const char *queue_key)
{
	char key[64], to[64];
	struct str sent = address.session_key;

	if (sent.s != NULL)
		address.session_key.s = memcpy(key, sent.s, sent.len);
	struct cached_route route = { { memcpy(to, queue_key, strlen(queue_key)),
					strlen(queue_key) },
				      keyed_hash_text(str_of(queue_key)),
				      RULE_DIRECT_MAIN };
	route_cache_add(&cache, &address, &route);
	memset(key, '?', sizeof(key));
	memset(to, '?', sizeof(to));
}

static void
an_added_route_is_found(void **state)
{
	(void)state;
	struct address address = full_address();
	assert_null(route_cache_find(&cache, &address));
	add(address, "agent:a:main");
	const struct cached_route *route = route_cache_find(&cache, &address);
	assert_non_null(route);
	assert_true(str_eq(route->queue_key, STR("agent:a:main")));
	assert_true(keyed_hash_eq(route->hash, keyed_hash_text(STR("agent:a:main"))));
	assert_int_equal(route->rule, RULE_DIRECT_MAIN);
	add(address, "agent:b:main");
	assert_true(str_eq(route_cache_find(&cache, &address)->queue_key, STR("agent:b:main")));
}

static void
an_address_that_differs_in_any_part_is_not_found(void **state)
{
	(void)state;
	static const struct str others[] = {
		STR_INIT("kez"), STR_INIT("keys"), STR_INIT(""), { NULL, 0 }
	};
	add(full_address(), "agent:a:main");
	for (size_t part = 0; part < 4; part++)
		for (size_t i = 0; i < sizeof(others) / sizeof(*others); i++) {
			struct address address = full_address();
			struct str *parts[] = { &address.session_key, &address.agent_id,
						&address.channel, &address.account_id };

			*parts[part] = others[i];
			assert_null(route_cache_find(&cache, &address));
		}
}

static void
an_absent_part_differs_from_an_empty_one(void **state)
{
	(void)state;
	struct address none = { .session_key = STR("key") }, empty = none;
	empty.channel = STR("");
	add(none, "agent:a:main");
	assert_null(route_cache_find(&cache, &empty));
	add(empty, "agent:b:main");
	assert_non_null(route_cache_find(&cache, &empty));
	/* both addresses share a slot, which holds the newer one */
	assert_null(route_cache_find(&cache, &none));
}

static void
a_long_address_is_not_cached(void **state)
{
	(void)state;
	static char text[ROUTE_CACHE_BYTES_MAX];
	memset(text, 'x', sizeof(text));
	struct cached_route route = { .queue_key = STR("agent:a:main") };
	struct address address = { .session_key = { text, sizeof(text) - route.queue_key.len } };
	route_cache_add(&cache, &address, &route);
	assert_non_null(route_cache_find(&cache, &address));
	address.session_key.len++;
	route_cache_add(&cache, &address, &route);
	assert_null(route_cache_find(&cache, &address));
}

/* Adds more addresses than there are slots: found routes are right, and most slots are in use. */
static void
of_many_addresses_the_newest_are_found(void **state)
{
	(void)state;
	enum { MANY = 3 * ROUTE_CACHE_SLOTS };
	char key[32], to[32];
	size_t found = 0;
	for (int n = 0; n < MANY; n++) {
		snprintf(key, sizeof(key), "agent:main:many:%08d", n);
		snprintf(to, sizeof(to), "to %d", n);
		add((struct address){ .session_key = str_of(key) }, to);
		assert_non_null(
		    route_cache_find(&cache, &(struct address){ .session_key = str_of(key) }));
	}
	for (int n = 0; n < MANY; n++) {
		snprintf(key, sizeof(key), "agent:main:many:%08d", n);
		snprintf(to, sizeof(to), "to %d", n);
		const struct cached_route *route =
		    route_cache_find(&cache, &(struct address){ .session_key = str_of(key) });
		assert_true(route == NULL || str_eq(route->queue_key, str_of(to)));
		found += route != NULL;
	}
	assert_in_range(found, ROUTE_CACHE_SLOTS * 3 / 4, ROUTE_CACHE_SLOTS);
}

static void
nothing_is_found_after_clearing(void **state)
{
	(void)state;
	struct address address = full_address();
	add(address, "agent:a:main");
	route_cache_clear(&cache);
	assert_null(route_cache_find(&cache, &address));
	route_cache_clear(&cache);
}

#define TEST(name) cmocka_unit_test_teardown(name, end)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(an_added_route_is_found),
		TEST(an_address_that_differs_in_any_part_is_not_found),
		TEST(an_absent_part_differs_from_an_empty_one),
		TEST(a_long_address_is_not_cached),
		TEST(of_many_addresses_the_newest_are_found),
		TEST(nothing_is_found_after_clearing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
