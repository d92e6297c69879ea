/* full_store_test.c - a full store refuses new events, and everything else goes on. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "tests/unit/fixture.h"

static void
a_full_store_refuses_enqueues_but_not_drains(void **state)
{
	(void)state;
	put(A, "0");
	store.full_for_events = true;
	struct call *refused = enqueue(engine, A, "1"), *taken = drain(engine, A, 0),
		    *late = enqueue(engine, B, "2"), *looked = peek(engine, A);
	turn();
	assert_int_equal(refused->op.error.code, ERROR_STORAGE_FULL);
	assert_int_equal(late->op.error.code, ERROR_STORAGE_FULL);
	assert_int_equal(taken->op.error.code, ERROR_NONE);
	assert_texts(&taken->drain.taken, "0"); /* not what was refused */
	assert_texts(&looked->peek.found, "");
	assert_int_equal(taken->answered_as, 3);
	assert_int_equal(store.event_count, 1);
	assert_int_equal(stats().rejected_storage_full, 2);
	store.full_for_events = false;
	put(A, "1");
	assert_queued(A, "1");
}

/* What the first try put into the answers is not in them: those events were refused. */
static void
a_second_try_starts_from_empty_answers(void **state)
{
	(void)state;
	store.full_for_events = true;
	struct call *refused = enqueue_keyed(engine, A, "k", "1"), *other = enqueue(engine, B, "2"),
		    *listed = list_sessions(engine, (struct sessions_op){ .limit = 1 }),
		    *looked = peek(engine, A), *taken = drain(engine, A, 0),
		    *none = consume(engine, B, (int64_t[]){ 2 }, 1),
		    *purged = purge(engine, A, NULL);
	turn();
	assert_int_equal(refused->op.error.code, ERROR_STORAGE_FULL);
	assert_int_equal(other->op.error.code, ERROR_STORAGE_FULL);
	assert_int_equal(listed->sessions.count, 0);
	assert_int_equal(listed->sessions.total, 0);
	assert_null(listed->sessions.next_cursor.s);
	assert_int_equal(looked->peek.found.count, 0);
	assert_int_equal(looked->peek.depth, 0);
	assert_int_equal(taken->drain.taken.count, 0);
	assert_int_equal(taken->drain.remaining, 0);
	assert_int_equal(none->consume.taken.count, 0);
	assert_int_equal(purged->purge.purged, 0);
	assert_str(taken->drain.session_key, A);
	assert_int_equal(stats().pending, 0);
}

/* What is refused for the sake of what did not come to be is looked at again. */
static void
a_second_try_asks_again_who_was_refused(void **state)
{
	(void)state;
	struct draft next = draft(A, "b");
	int64_t id = put_keyed(A, "k", "a");
	next.context_key = STR("k");
	next.replace = true;
	store.full_for_events = true;
	struct call *refused = enqueue_draft(engine, next), *gone = withdraw(engine, id),
		    *bad = drain(engine, " ", 0), *blank = enqueue(engine, A, " ");
	turn();
	assert_int_equal(refused->op.error.code, ERROR_STORAGE_FULL);
	assert_int_equal(gone->op.error.code, ERROR_NONE);
	assert_str(gone->withdraw.event.text, "a");
	assert_int_equal(bad->op.error.code, ERROR_BLANK_KEY);
	assert_int_equal(blank->op.error.code, ERROR_INVALID_FIELD);
}

static void
a_store_too_full_for_anything_fails_everything(void **state)
{
	(void)state;
	put(A, "0");
	store.commit_fails = ERROR_STORAGE_FULL;
	struct call *taken = drain(engine, A, 0), *added = enqueue(engine, A, "1");
	turn();
	assert_int_equal(taken->op.error.code, ERROR_STORAGE_FULL);
	assert_int_equal(taken->drain.taken.count, 0);
	assert_int_equal(added->op.error.code, ERROR_STORAGE_FULL);
	store.commit_fails = ERROR_NONE;
	assert_queued(A, "0");
}

static void
a_store_that_is_not_ready_takes_no_events(void **state)
{
	(void)state;
	put(A, "0");
	store.not_ready = ERROR_STORAGE_FULL;
	struct call *added = enqueue(engine, A, "1"), *taken = drain(engine, A, 0);
	turn();
	assert_int_equal(added->op.error.code, ERROR_STORAGE_FULL);
	assert_texts(&taken->drain.taken, "0");
	assert_int_equal(stats().rejected_storage_full, 1);
	assert_int_equal(stats().commit_failures, 0);
	assert_false(engine_ready(engine, &error));
}

static const struct CMUnitTest tests[] = {
	TEST(a_full_store_refuses_enqueues_but_not_drains),
	TEST(a_second_try_starts_from_empty_answers),
	TEST(a_second_try_asks_again_who_was_refused),
	TEST(a_store_too_full_for_anything_fails_everything),
	TEST(a_store_that_is_not_ready_takes_no_events),
};

int
main(void)
{
	return cmocka_run_group_tests(tests, NULL, NULL);
}
