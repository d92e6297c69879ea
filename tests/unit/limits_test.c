/* limits_test.c - full sessions, too many sessions, too many pending events. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "tests/unit/fixture.h"

static void
a_full_session_refuses(void **state)
{
	(void)state;
	options.session_pending_max = 2;
	reopen();
	put(A, "1"), put(A, "2");
	fails(enqueue(engine, A, "3"), ERROR_QUEUE_FULL);
	put(B, "1");
	done(drain(engine, A, 1));
	put(A, "3");
	assert_queued(A, "2 3");
	assert_int_equal(stats().rejected_session_full, 1);
}

static void
a_full_session_evicts_its_oldest_under_drop_oldest(void **state)
{
	(void)state;
	options.session_pending_max = 2;
	options.overflow = OVERFLOW_DROP_OLDEST;
	reopen();
	put_keyed(A, "k", "1"), put(A, "2"), put(A, "3");
	assert_queued(A, "2 3");
	assert_str(session_of(A)->last_context_key, "k");
	assert_true(memory_store_settled(&store, 1, OUTCOME_EVICTED));
	assert_int_equal(stats().outcomes[OUTCOME_EVICTED], 1);
	struct draft more[] = { draft(A, "4"), draft(A, "5"), draft(A, "6"), draft(A, "7") };
	/* it also evicts events of its own batch */
	done(enqueue_drafts(engine, more, COUNT(more)));
	assert_queued(A, "6 7");
}

/*
 * The evicted event with the key "k" was newer than the leased event and older than the events
 * without a key, so no pending event tells the last context any more.
 */
static void
the_last_context_of_an_evicted_event_survives_a_restart(void **state)
{
	(void)state;
	options.session_pending_max = 2;
	options.overflow = OVERFLOW_DROP_OLDEST;
	reopen();
	put_keyed(A, "held", "1"), done(take_lease(engine, A, 0, 60000)), put_keyed(A, "k", "2"),
	    put(A, "3"), put(A, "4");
	reopen();
	assert_str(session_of(A)->last_context_key, "k");
	struct draft refused[] = { draft(A, "5"), draft(A, " ") };
	refused[0].context_key = STR("other");
	fails(enqueue_drafts(engine, refused, 2), ERROR_INVALID_FIELD);
	store.commit_fails = ERROR_STORAGE_FAILED;
	fails(enqueue_keyed(engine, A, "other", "5"), ERROR_STORAGE_FAILED);
	fails(withdraw(engine, 1), ERROR_STORAGE_FAILED);
	store.commit_fails = ERROR_NONE;
	put(A, "5");
	reopen();
	assert_str(session_of(A)->last_context_key, "k");
	put_keyed(A, "k", "6"); /* the last context is that of a pending event again */
	done(consume(engine, A, (int64_t[]){ store.events[store.event_count - 1].event.id }, 1));
	assert_str(session_of(A)->last_context_key, "held");
	reopen();
	assert_str(session_of(A)->last_context_key, "held");
	done(drain(engine, A, 0)), done(withdraw(engine, 1)), put(A, "7");
	reopen();
	assert_str(session_of(A)->last_context_key, NULL);
}

static void
a_new_session_over_the_limit_is_refused(void **state)
{
	(void)state;
	options.sessions_max = 2;
	reopen();
	put(A, "1"), put(B, "1");
	fails(enqueue(engine, "agent:main:c", "1"), ERROR_QUEUE_FULL);
	put(A, "2");
	assert_int_equal(stats().rejected_sessions_full, 1);
}

static void
a_session_emptied_in_the_same_batch_frees_its_place(void **state)
{
	(void)state;
	options.sessions_max = 2;
	reopen();
	put(A, "1"), put(B, "1");
	struct draft bad[] = { draft("agent:main:c", "1"), draft(A, " ") };
	struct call *calls[] = { drain(engine, A, 0), enqueue_drafts(engine, bad, 2),
				 enqueue(engine, "agent:main:d", "1"),
				 enqueue(engine, "agent:main:e", "1") };
	turn();
	assert_int_equal(calls[1]->op.error.code, ERROR_INVALID_FIELD);
	assert_int_equal(calls[2]->op.error.code, ERROR_NONE);
	assert_int_equal(calls[3]->op.error.code, ERROR_QUEUE_FULL);
}

static void
an_event_over_the_pending_limit_is_refused(void **state)
{
	(void)state;
	options.pending_max = 2;
	reopen();
	put(A, "1"), put(B, "1");
	fails(enqueue(engine, A, "2"), ERROR_QUEUE_FULL);
	assert_int_equal(stats().rejected_pending_full, 1);
	assert_int_equal(stats().pending, 2);
}

static const struct CMUnitTest tests[] = {
	TEST(a_full_session_refuses),
	TEST(a_full_session_evicts_its_oldest_under_drop_oldest),
	TEST(the_last_context_of_an_evicted_event_survives_a_restart),
	TEST(a_new_session_over_the_limit_is_refused),
	TEST(a_session_emptied_in_the_same_batch_frees_its_place),
	TEST(an_event_over_the_pending_limit_is_refused),
};

int
main(void)
{
	return cmocka_run_group_tests(tests, NULL, NULL);
}
