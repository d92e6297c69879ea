/* strand_test.c - which queues a new policy strands, found in slices and counted. */
#include "queue/strand.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "tests/unit/fixture.h"

#define MAIN "agent:main:main"
#define DIRECT "agent:main:telegram:default:direct:123"
#define OTHER "agent:main:telegram:default:direct:456"

static const char one_owner[] = "{ channels: { telegram: { allowFrom: [123] } } }";
static const char two_owners[] = "{ channels: { telegram: { allowFrom: [123, 456] } } }";

/* Chores until every queue is judged. In no turn more of them are than a slice has. */
static void
judge(void)
{
	for (size_t left = stats().unjudged, before; left > 0; left = before) {
		for (int i = 0; i < 2; i++) { /* the store's chore alternates with ours */
			engine_chores(engine);
			memory_store_release(&store);
		}
		before = stats().unjudged;
		assert_true(before < left && left - before <= STRAND_SLICE);
	}
}

static void
adopt(const char *policy)
{
	engine_set_policy(engine, parse_policy(policy));
	judge();
}

static void
assert_stranded(size_t sessions, size_t events)
{
	struct engine_stats now_stats = stats();

	assert_int_equal(now_stats.stranded_sessions, sessions);
	assert_int_equal(now_stats.stranded_events, events);
	assert_int_equal(now_stats.unjudged, 0);
}

static void
a_policy_that_routes_a_queue_elsewhere_strands_it(void **state)
{
	(void)state;
	adopt(two_owners);
	put(DIRECT, "1"), put(DIRECT, "2"), put(OTHER, "3"), put(MAIN, "4");
	assert_stranded(0, 0);
	adopt(one_owner);
	assert_stranded(1, 2);
	put(DIRECT, "goes to the main session");
	assert_stranded(1, 2);
	adopt(two_owners);
	assert_stranded(0, 0);
}

static void
what_leaves_a_stranded_queue_is_no_longer_counted(void **state)
{
	(void)state;
	int64_t first = put(DIRECT, "1"), second = put(DIRECT, "2");
	int64_t lease = lease_events(DIRECT, 1, 1000);
	adopt(one_owner);
	assert_stranded(1, 2);
	done(withdraw(engine, second));
	assert_stranded(1, 1);
	done(ack(engine, lease, IDS(first)));
	assert_stranded(0, 0);
}

static void
a_batch_that_fails_changes_no_count(void **state)
{
	(void)state;
	int64_t id = put(DIRECT, "1");
	adopt(one_owner);
	store.commit_fails = ERROR_STORAGE_FAILED;
	fails(withdraw(engine, id), ERROR_STORAGE_FAILED);
	store.commit_fails = ERROR_NONE;
	assert_stranded(1, 1);
	done(withdraw(engine, id));
	assert_stranded(0, 0);
}

/* The fixture opens the engine with the empty policy. */
static void
queues_are_judged_after_a_start(void **state)
{
	(void)state;
	adopt("{ session: { mainKey: 'hub' } }");
	put("main", "1");
	assert_stranded(0, 0);
	reopen();
	judge();
	assert_stranded(0, 0); /* agent:main:hub is a key like any other now */
	put("main", "2");
	adopt("{ session: { mainKey: 'hub' } }");
	assert_stranded(1, 1); /* and agent:main:main another name of it */
	reopen();
	assert_int_equal(stats().stranded_sessions, 0);
	assert_int_equal(stats().unjudged, 2);
	judge();
	assert_stranded(0, 0);
}

/* Its main session's key would not parse. */
static void
a_queue_that_routing_refuses_is_stranded_too(void **state)
{
	(void)state;
	put(MAIN, "1");
	adopt("{ session: { mainKey: ':x' } }");
	fails(peek(engine, MAIN), ERROR_MALFORMED_KEY);
	assert_stranded(1, 1);
}

#define MANY (3 * STRAND_SLICE + 7)

static void
key_of(char key[64], int number)
{
	snprintf(key, 64, number % 2 == 0 ? "agent:a%d:telegram:default:direct:123" : "agent:a%d:x",
		 number);
}

/* While queues come and go between two slices, each is judged once, and the counts are right. */
static void
queues_that_come_and_go_during_the_walk_are_counted_right(void **state)
{
	(void)state;
	static int64_t ids[2 * MANY];
	char key[64];
	size_t left = 0;
	int made = 0;
	call_back_at_once();
	for (; made < MANY; made++)
		key_of(key, made), ids[made] = put(key, "1");
	engine_set_policy(engine, parse_policy(one_owner));
	srand(1);
	while (stats().unjudged > 0) {
		size_t before = stats().unjudged;
		engine_chores(engine);
		assert_true(before - stats().unjudged <= STRAND_SLICE);
		for (int i = 0; i < STRAND_SLICE / 5; i++) {
			int victim = rand() % made;
			if (ids[victim] > 0)
				done(withdraw(engine, ids[victim])), ids[victim] = 0;
			snprintf(key, sizeof(key), "agent:a%d:x", made), made++;
			ids[made - 1] = put(key, "1");
		}
	}
	for (int i = 0; i < MANY; i += 2)
		left += ids[i] > 0;
	assert_stranded(left, left);
}

static const struct CMUnitTest tests[] = {
	TEST(a_policy_that_routes_a_queue_elsewhere_strands_it),
	TEST(what_leaves_a_stranded_queue_is_no_longer_counted),
	TEST(a_batch_that_fails_changes_no_count),
	TEST(queues_are_judged_after_a_start),
	TEST(a_queue_that_routing_refuses_is_stranded_too),
	TEST(queues_that_come_and_go_during_the_walk_are_counted_right),
};

int
main(void)
{
	return cmocka_run_group_tests(tests, NULL, NULL);
}
