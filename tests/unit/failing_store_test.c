/* failing_store_test.c - commits and reads that fail, and commits whose outcome is unknown. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "tests/unit/fixture.h"

static void
a_failed_commit_undoes_the_whole_batch(void **state)
{
	(void)state;
	put_keyed(A, "k", "0");
	store.commit_fails = ERROR_STORAGE_FAILED;
	struct call *calls[] = { enqueue_keyed(engine, A, "l", "1"), drain(engine, A, 1),
				 enqueue(engine, B, "2"), peek(engine, A) };
	turn();
	for (size_t i = 0; i < COUNT(calls); i++) {
		assert_int_equal(calls[i]->answered, 1);
		assert_int_equal(calls[i]->op.error.code, ERROR_STORAGE_FAILED);
	}
	assert_int_equal(calls[1]->drain.taken.count, 0); /* a failed call has an empty answer */
	assert_int_equal(calls[3]->peek.found.count, 0);
	store.commit_fails = ERROR_NONE;
	assert_queued(A, "0");
	assert_str(session_of(A)->last_context_key, "k");
	assert_null(session_of(B));
	assert_int_equal(stats().pending, 1);
	assert_int_equal(stats().commit_failures, 1);
	assert_int_equal(stats().enqueued, 1);
	assert_true(put(A, "1") > 1);
	assert_queued(A, "0 1");
}

static void
a_commit_of_unknown_outcome_stops_the_engine(void **state)
{
	(void)state;
	store.commit_fails = ERROR_STORAGE_UNKNOWN;
	struct call *calls[] = { enqueue(engine, A, "1"), peek(engine, A), NULL };
	assert_int_equal(engine_turn(engine, &error), -1);
	assert_int_equal(error.code, ERROR_STORAGE_UNKNOWN);
	store.commit_fails = ERROR_NONE;
	calls[2] = enqueue(engine, A, "2");
	for (int i = 0; i < 3; i++) {
		error.code = ERROR_NONE;
		assert_int_equal(engine_turn(engine, &error), -1);
		assert_int_equal(error.code, ERROR_STORAGE_UNKNOWN);
	}
	assert_false(engine_ready(engine, &error));
	assert_false(engine_chores(engine));
	for (size_t i = 0; i < COUNT(calls); i++)
		assert_int_equal(calls[i]->answered, 0);
	assert_int_equal(store.commits, 1);
}

static void
chores_of_unknown_outcome_stop_the_engine(void **state)
{
	(void)state;
	put(A, "0");
	engine_chores(engine);
	assert_false(engine_stopped(engine, &error));
	store.not_ready = ERROR_STORAGE_FULL;
	engine_chores(engine);
	assert_false(engine_stopped(engine, &error));
	store.chores_fail = ERROR_STORAGE_UNKNOWN;
	store.not_ready = ERROR_NONE;
	engine_chores(engine);
	assert_true(engine_stopped(engine, &error));
	assert_int_equal(error.code, ERROR_STORAGE_UNKNOWN);
	assert_false(engine_ready(engine, &error));
	struct call *call = peek(engine, A);
	assert_int_equal(engine_turn(engine, &error), -1);
	assert_int_equal(call->answered, 0);
}

/* The commit was written before its outcome became unknown: no call is answered all the same. */
static void
an_outcome_unknown_after_the_write_stops_the_engine(void **state)
{
	(void)state;
	put(A, "0");
	store.commit_fails = ERROR_STORAGE_UNKNOWN;
	store.fails_late = true;
	struct call *calls[] = { enqueue(engine, A, "1"), drain(engine, A, 0),
				 enqueue(engine, B, "2"), peek(engine, B) };
	assert_int_equal(engine_turn(engine, &error), -1);
	assert_int_equal(error.code, ERROR_STORAGE_UNKNOWN);
	for (size_t i = 0; i < COUNT(calls); i++)
		assert_int_equal(calls[i]->answered, 0);
	assert_int_equal(stats().commits, 1);
	assert_int_equal(stats().commit_failures, 1);
}

static void
a_deferred_unknown_outcome_stops_the_engine(void **state)
{
	(void)state;
	store.defer = true;
	store.commit_fails = ERROR_STORAGE_UNKNOWN;
	struct call *call = enqueue(engine, A, "1");
	turn();
	memory_store_release(&store);
	assert_int_equal(engine_turn(engine, &error), -1);
	assert_int_equal(call->answered, 0);
}

static void
a_store_that_cannot_read_fails_the_batch(void **state)
{
	(void)state;
	put(A, "0");
	store.read_fails = ERROR_STORAGE_FAILED;
	struct call *added = enqueue(engine, B, "1"), *taken = drain(engine, A, 0);
	turn();
	assert_int_equal(added->op.error.code, ERROR_STORAGE_FAILED);
	assert_int_equal(taken->op.error.code, ERROR_STORAGE_FAILED);
	assert_int_equal(store.commits, 1);
	store.read_fails = ERROR_NONE;
	assert_queued(A, "0");
	assert_null(session_of(B));
}

static void
a_failed_look_up_fails_only_the_calls_that_needed_it(void **state)
{
	(void)state;
	int64_t id = put(A, "0");
	store.read_fails = ERROR_STORAGE_FAILED;
	struct call *found = find_event(engine, id), *gone = withdraw(engine, id),
		    *added = enqueue(engine, B, "1");
	turn();
	assert_int_equal(found->op.error.code, ERROR_STORAGE_FAILED);
	assert_int_equal(gone->op.error.code, ERROR_STORAGE_FAILED);
	assert_int_equal(added->op.error.code, ERROR_NONE);
}

/* One lost row must fail only a call that names it, and stay in its queue. */
static void
a_missing_event_is_held_back_and_the_others_are_had(void **state)
{
	(void)state;
	put(A, "0"), put(A, "1"), put(B, "2");
	store.missing_id = 2;
	struct call *looked = peek(engine, A), *taken = drain(engine, A, 0),
		    *added = enqueue(engine, A, "3"), *other = drain(engine, B, 0),
		    *gone = withdraw(engine, 2), *rest = drain(engine, A, 0);
	turn();
	assert_texts(&looked->peek.found, "0");
	assert_int_equal(looked->peek.depth, 2);
	assert_texts(&taken->drain.taken, "0");
	assert_int_equal(taken->drain.remaining, 1);
	assert_int_equal(added->op.error.code, ERROR_NONE);
	assert_texts(&other->drain.taken, "2");
	assert_int_equal(gone->op.error.code, ERROR_STORAGE_FAILED);
	assert_texts(&rest->drain.taken, "3");
	assert_int_equal(store.commits, 4);
	assert_int_equal(done(purge(engine, A, NULL))->purge.purged, 1);
}

static const struct CMUnitTest tests[] = {
	TEST(a_failed_commit_undoes_the_whole_batch),
	TEST(a_commit_of_unknown_outcome_stops_the_engine),
	TEST(chores_of_unknown_outcome_stop_the_engine),
	TEST(an_outcome_unknown_after_the_write_stops_the_engine),
	TEST(a_deferred_unknown_outcome_stops_the_engine),
	TEST(a_store_that_cannot_read_fails_the_batch),
	TEST(a_failed_look_up_fails_only_the_calls_that_needed_it),
	TEST(a_missing_event_is_held_back_and_the_others_are_had),
};

int
main(void)
{
	return cmocka_run_group_tests(tests, NULL, NULL);
}
