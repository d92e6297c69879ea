/* places_test.c - what was routed lately is found again, whole, and never in the place of another. */
#include "queue/policy/route_cache.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

static struct sevq_places places;

static int
end(void **state)
{
	(void)state;
	sevq_places_clear(&places);
	return 0;
}

static struct sevq_address
full_address(void)
{
	return (struct sevq_address){ SEVQ_STR("key"), SEVQ_STR("agent"), SEVQ_STR("channel"), SEVQ_STR("account") };
}

/* Keeps where it leads, from memory that is overwritten at once. */
static void
keep(struct sevq_address address, const char *queue_key)
{
	char key[64], to[64];
	struct sevq_str sent = address.session_key;
	if (sent.s != NULL)
		address.session_key.s = memcpy(key, sent.s, sent.len);
	struct sevq_place place = { { memcpy(to, queue_key, strlen(queue_key)), strlen(queue_key) },
				    sevq_text_hash(sevq_str(queue_key)),
				    SEVQ_RULE_DIRECT_MAIN };
	sevq_places_keep(&places, &address, &place);
	memset(key, '?', sizeof key);
	memset(to, '?', sizeof to);
}

static void
what_was_kept_is_found_again(void **state)
{
	(void)state;
	struct sevq_address address = full_address();
	assert_null(sevq_places_find(&places, &address));
	keep(address, "agent:a:main");
	const struct sevq_place *place = sevq_places_find(&places, &address);
	assert_non_null(place);
	assert_true(sevq_str_eq(place->queue_key, SEVQ_STR("agent:a:main")));
	assert_true(place->hash == sevq_text_hash(SEVQ_STR("agent:a:main")));
	assert_int_equal(place->rule, SEVQ_RULE_DIRECT_MAIN);
	keep(address, "agent:b:main");
	assert_true(sevq_str_eq(sevq_places_find(&places, &address)->queue_key, SEVQ_STR("agent:b:main")));
}

static void
an_address_that_differs_in_any_part_is_another(void **state)
{
	(void)state;
	static const struct sevq_str others[] = { SEVQ_STR_INIT("kez"), SEVQ_STR_INIT("keys"), SEVQ_STR_INIT(""), { NULL, 0 } };
	keep(full_address(), "agent:a:main");
	for (size_t part = 0; part < 4; part++)
		for (size_t i = 0; i < sizeof others / sizeof *others; i++) {
			struct sevq_address address = full_address();
			struct sevq_str *parts[] = { &address.session_key, &address.agent_id, &address.channel,
						     &address.account_id };
			*parts[part] = others[i];
			assert_null(sevq_places_find(&places, &address));
		}
}

static void
not_given_is_another_thing_than_empty(void **state)
{
	(void)state;
	struct sevq_address none = { .session_key = SEVQ_STR("key") }, empty = none;
	empty.channel = SEVQ_STR("");
	keep(none, "agent:a:main");
	assert_null(sevq_places_find(&places, &empty));
	keep(empty, "agent:b:main");
	assert_non_null(sevq_places_find(&places, &empty));
	assert_null(sevq_places_find(&places, &none)); /* they share a slot, which has the latest */
}

static void
a_long_address_is_not_kept(void **state)
{
	(void)state;
	static char text[SEVQ_PLACES_BYTES_MAX];
	memset(text, 'x', sizeof text);
	struct sevq_place place = { .queue_key = SEVQ_STR("agent:a:main") };
	struct sevq_address address = { .session_key = { text, sizeof text - place.queue_key.len } };
	sevq_places_keep(&places, &address, &place);
	assert_non_null(sevq_places_find(&places, &address));
	address.session_key.len++;
	sevq_places_keep(&places, &address, &place);
	assert_null(sevq_places_find(&places, &address));
}

/* More than there are slots: what is found is right, and much of what came last is. */
static void
of_many_the_latest_are_found(void **state)
{
	(void)state;
	enum { MANY = 3 * SEVQ_PLACES_SLOTS };
	char key[32], to[32];
	size_t found = 0;
	for (int n = 0; n < MANY; n++) {
		snprintf(key, sizeof key, "agent:main:many:%08d", n);
		snprintf(to, sizeof to, "to %d", n);
		keep((struct sevq_address){ .session_key = sevq_str(key) }, to);
		assert_non_null(sevq_places_find(&places, &(struct sevq_address){ .session_key = sevq_str(key) }));
	}
	for (int n = 0; n < MANY; n++) {
		snprintf(key, sizeof key, "agent:main:many:%08d", n);
		snprintf(to, sizeof to, "to %d", n);
		const struct sevq_place *place = sevq_places_find(&places, &(struct sevq_address){ .session_key = sevq_str(key) });
		assert_true(place == NULL || sevq_str_eq(place->queue_key, sevq_str(to)));
		found += place != NULL;
	}
	assert_in_range(found, SEVQ_PLACES_SLOTS * 3 / 4, SEVQ_PLACES_SLOTS);
}

static void
nothing_is_found_after_clearing(void **state)
{
	(void)state;
	struct sevq_address address = full_address();
	keep(address, "agent:a:main");
	sevq_places_clear(&places);
	assert_null(sevq_places_find(&places, &address));
	sevq_places_clear(&places);
}

#define TEST(name) cmocka_unit_test_teardown(name, end)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(what_was_kept_is_found_again),          TEST(an_address_that_differs_in_any_part_is_another),
		TEST(not_given_is_another_thing_than_empty), TEST(a_long_address_is_not_kept),
		TEST(of_many_the_latest_are_found),          TEST(nothing_is_found_after_clearing),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
