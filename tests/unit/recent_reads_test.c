/* recent_reads_test.c - recent events are answered from memory, older ones from the store. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "tests/unit/fixture.h"

/* Opens the engine again, with memory for recent events. */
static void
reopen_with_recent(void)
{
	options.recent_bytes = 1 << 16;
	reopen();
}

static void
a_recent_event_is_not_read_from_the_store(void **state)
{
	(void)state;
	put(A, "0");
	reopen_with_recent();
	put(A, "1"), put(A, "2");
	size_t reads = store.reads;
	struct call *taken = done(consume(engine, A, (const int64_t[]){ 3, 2 }, 2));
	assert_texts(&taken->consume.taken, "2 1");
	assert_int_equal(taken->consume.taken.events[0].state, EVENT_STATE_SETTLED);
	assert_int_equal(store.reads, reads);
	/* enqueued before the engine was opened, so not in memory */
	assert_texts(&done(drain(engine, A, 0))->drain.taken, "0");
	assert_int_equal(store.reads, reads + 1);
	struct engine_stats stats;
	engine_stats(engine, &stats);
	assert_int_equal(stats.recent_hits, 2);
	assert_int_equal(stats.recent_misses, 1);
}

static void
recent_and_older_events_come_in_order(void **state)
{
	(void)state;
	put(A, "0"), put(A, "1");
	reopen_with_recent();
	put(A, "2");
	struct call *added = enqueue(engine, A, "3"), *taken = drain(engine, A, 0);
	turn();
	assert_int_equal(added->op.error.code, ERROR_NONE);
	assert_texts(&taken->drain.taken, "0 1 2 3");
}

/* An answer owns its events: it stays valid when the recent events are dropped from memory. */
static void
an_answer_outlives_the_recent_events_in_memory(void **state)
{
	(void)state;
	options.recent_bytes = 1024;
	reopen();
	put(A, "first");
	struct call *looked = done(peek(engine, A));
	for (int i = 0; i < 20; i++) {
		put(B, "another");
		done(drain(engine, B, 0));
	}
	assert_texts(&looked->peek.found, "first");
}

static void
an_event_that_was_not_committed_is_not_remembered(void **state)
{
	(void)state;
	struct engine_stats stats;
	reopen_with_recent();
	store.commit_fails = ERROR_STORAGE_FAILED;
	struct call *added = enqueue(engine, A, "0");
	turn();
	assert_int_equal(added->op.error.code, ERROR_STORAGE_FAILED);
	engine_stats(engine, &stats);
	assert_int_equal(stats.recent_bytes, 0);
	store.commit_fails = ERROR_NONE;
	put(A, "1");
	engine_stats(engine, &stats);
	assert_true(stats.recent_bytes > 0);
}

static const struct CMUnitTest tests[] = {
	TEST(a_recent_event_is_not_read_from_the_store),
	TEST(recent_and_older_events_come_in_order),
	TEST(an_answer_outlives_the_recent_events_in_memory),
	TEST(an_event_that_was_not_committed_is_not_remembered),
};

int
main(void)
{
	return cmocka_run_group_tests(tests, NULL, NULL);
}
