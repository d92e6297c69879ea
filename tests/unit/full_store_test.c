/* full_store_test.c - a full store refuses new events; every other call still works. */
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
	assert_texts(&taken->drain.taken, "0"); /* the refused event is not among them */
	assert_texts(&looked->peek.found, "");
	assert_int_equal(taken->answered_as, 3);
	assert_int_equal(store.event_count, 1);
	assert_int_equal(stats().rejected_storage_full, 2);
	store.full_for_events = false;
	put(A, "1");
	assert_queued(A, "1");
}

/* Whoever appends waits while settled events give way, and nobody waits with them. */
static void
enqueues_wait_while_the_store_makes_room(void **state)
{
	(void)state;
	for (int room = 0; room < 2; room++) {
		put(A, "0");
		store.full_for_events = store.base.makes_room = true;
		struct call *first = enqueue(engine, A, "1"), *taken = drain(engine, A, 0),
			    *second = enqueue(engine, A, "2");
		for (int turns = 0; turns < 20; turns++) {
			assert_int_equal(engine_turn(engine, &error), 0);
			memory_store_release(&store);
		}
		assert_int_equal(first->answered + second->answered, 0);
		assert_int_equal(taken->answered, 1);
		assert_texts(&taken->drain.taken, "0");
		store.base.makes_room = false;
		store.full_for_events = room == 0;
		turn();
		assert_int_equal(first->op.error.code, room == 0 ? ERROR_STORAGE_FULL : ERROR_NONE);
		assert_int_equal(second->answered, 1);
		store.full_for_events = false;
		assert_queued(A, room == 0 ? "" : "1 2");
	}
}

/* The first try answered with events that are refused now; the second try must not repeat them. */
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

/*
 * The withdrawal failed in the first try, because a replacing event had removed its event. The
 * replacing event is refused, so the second try must plan the withdrawal again.
 */
static void
a_second_try_plans_refused_calls_again(void **state)
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
a_store_that_is_full_for_every_write_fails_the_batch(void **state)
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
a_store_that_is_not_ready_refuses_new_events(void **state)
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
	TEST(enqueues_wait_while_the_store_makes_room),
	TEST(a_second_try_starts_from_empty_answers),
	TEST(a_second_try_plans_refused_calls_again),
	TEST(a_store_that_is_full_for_every_write_fails_the_batch),
	TEST(a_store_that_is_not_ready_refuses_new_events),
};

int
main(void)
{
	return cmocka_run_group_tests(tests, NULL, NULL);
}
