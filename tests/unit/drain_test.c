/* drain_test.c - the calls that remove events: drain, consume, withdraw and purge. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/unit/fixture.h"

static void
drain_without_a_limit_takes_all_oldest_first(void **state)
{
	(void)state;
	put(A, "1"), put(B, "x"), put(A, "2"), put(A, "3");
	struct call *call = done(drain(engine, A, 0));
	assert_str(call->drain.session_key, A);
	assert_texts(&call->drain.taken, "1 2 3");
	assert_int_equal(call->drain.remaining, 0);
	assert_texts(&done(drain(engine, A, 0))->drain.taken, "");
	assert_queued(B, "x");
	assert_int_equal(store.outcome_count, 1); /* one outcome record for the whole call */
}

static void
drain_takes_no_more_than_its_limit(void **state)
{
	(void)state;
	put(A, "1"), put(A, "2"), put(A, "3");
	struct call *call = done(drain(engine, A, 2));
	assert_texts(&call->drain.taken, "1 2");
	assert_int_equal(call->drain.remaining, 1);
	assert_queued(A, "3");
}

static void
drain_takes_no_more_text_than_an_answer_holds(void **state)
{
	(void)state;
	char *text = mem_alloc(TEXT_BYTES_MAX + 1);
	struct draft big[CALL_DRAFTS_MAX];
	memset(text, 'x', TEXT_BYTES_MAX);
	for (size_t i = 0; i < CALL_DRAFTS_MAX; i++) {
		big[i] = draft(A, text);
		big[i].allow_duplicate = true;
	}
	for (size_t i = 0; i < 3; i++)
		done(enqueue_drafts(engine, big, CALL_DRAFTS_MAX));
	struct call *call = done(drain(engine, A, 0));
	assert_int_equal(call->drain.taken.count, ANSWER_TEXT_BYTES_MAX / TEXT_BYTES_MAX);
	assert_int_equal(call->drain.remaining, 3 * CALL_DRAFTS_MAX - call->drain.taken.count);
	call = done(peek(engine, A));
	assert_int_equal(call->peek.found.count, call->peek.depth);
	free(text);
}

static void
drain_by_prefix_takes_only_matching_context_keys(void **state)
{
	(void)state;
	put_keyed(A, "cron:1", "1"), put(A, "2"), put_keyed(A, "exec:1", "3"),
	    put_keyed(A, "cron:2", "4");
	struct call *call = done(drain_prefix(engine, A, " CRON: "));
	assert_texts(&call->drain.taken, "1 4");
	assert_int_equal(call->drain.remaining, 2);
	assert_queued(A, "2 3");
	assert_str(session_of(A)->last_context_key, "exec:1");
}

static void
consume_takes_the_named_events_in_the_order_asked(void **state)
{
	(void)state;
	int64_t a1 = put(A, "1"), a2 = put(A, "2"), b = put(B, "x"), a3 = put(A, "3");
	int64_t ids[] = { a3, 999, a1, b, a3, a1 };
	struct call *call = done(consume(engine, A, ids, COUNT(ids)));
	assert_texts(&call->consume.taken, "3 1");
	assert_int_equal(call->consume.remaining, 1);
	assert_queued(A, "2");
	assert_queued(B, "x");
	assert_int_equal(a2, store.events[1].event.id);
	assert_true(memory_store_settled(&store, a3, OUTCOME_CONSUMED));
	/* the record lists ids in ascending order */
	assert_int_equal(store.outcomes[0].ids[0], a1);
}

static void
consume_of_unknown_ids_changes_nothing(void **state)
{
	(void)state;
	options.session_pending_max = 1;
	options.overflow = OVERFLOW_DROP_OLDEST;
	reopen();
	/* the event with the key was evicted, its last context stays */
	put_keyed(A, "k", "1"), put(A, "2");
	size_t commits = store.commits;
	assert_texts(&done(consume(engine, A, (int64_t[]){ 999 }, 1))->consume.taken, "");
	assert_int_equal(store.commits, commits);
	assert_str(session_of(A)->last_context_key, "k");
	done(drain_prefix(engine, A, "other"));
	assert_str(session_of(A)->last_context_key, "k");
	done(purge(engine, A, "other"));
	assert_str(session_of(A)->last_context_key, "k");
}

static void
withdraw_removes_one_event_and_answers_with_it(void **state)
{
	(void)state;
	put_keyed(A, "k", "1");
	int64_t id = put_keyed(A, "l", "2");
	assert_str(done(withdraw(engine, id))->withdraw.event.text, "2");
	assert_queued(A, "1");
	assert_str(session_of(A)->last_context_key, "k");
	assert_true(memory_store_settled(&store, id, OUTCOME_WITHDRAWN));
	fails(withdraw(engine, id), ERROR_NOT_FOUND);
}

static void
purge_removes_all_events_or_one_context_key(void **state)
{
	(void)state;
	put_keyed(A, "k", "1"), put(A, "2"), put_keyed(A, "kk", "3"), put_keyed(A, "k", "4");
	struct call *call = done(purge(engine, A, " K "));
	assert_int_equal(call->purge.purged, 2);
	assert_int_equal(call->purge.remaining, 2);
	assert_queued(A, "2 3");
	assert_int_equal(done(purge(engine, A, NULL))->purge.purged, 2);
	assert_int_equal(done(purge(engine, A, NULL))->purge.purged, 0);
	assert_int_equal(stats().outcomes[OUTCOME_PURGED], 4);
	assert_true(memory_store_settled(&store, 1, OUTCOME_PURGED));
}

static const struct CMUnitTest tests[] = {
	TEST(drain_without_a_limit_takes_all_oldest_first),
	TEST(drain_takes_no_more_than_its_limit),
	TEST(drain_takes_no_more_text_than_an_answer_holds),
	TEST(drain_by_prefix_takes_only_matching_context_keys),
	TEST(consume_takes_the_named_events_in_the_order_asked),
	TEST(consume_of_unknown_ids_changes_nothing),
	TEST(withdraw_removes_one_event_and_answers_with_it),
	TEST(purge_removes_all_events_or_one_context_key),
};

int
main(void)
{
	return cmocka_run_group_tests(tests, NULL, NULL);
}
