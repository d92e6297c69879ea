/* batch_test.c - the calls of a turn share one commit, also on a store that calls back later. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "tests/unit/fixture.h"

static void
the_calls_of_a_turn_share_one_commit_and_are_answered_in_order(void **state)
{
	(void)state;
	struct call *calls[20];
	char texts[20][8];
	for (int i = 0; i < 20; i++) {
		texts[i][0] = (char)('a' + i), texts[i][1] = '\0';
		calls[i] = enqueue(engine, i % 2 == 0 ? A : B, texts[i]);
	}
	assert_int_equal(calls[0]->answered, 0);
	turn();
	assert_int_equal(store.commits, 1);
	for (int i = 0; i < 20; i++)
		assert_int_equal(calls[i]->answered_as, i + 1);
	assert_queued(A, "a c e g i k m o q s");
	assert_int_equal(stats().batch_ops_max, 20);
	assert_true(engine_idle(engine));
}

static void
a_drain_sees_the_enqueue_of_the_same_turn(void **state)
{
	(void)state;
	struct call *calls[] = { peek(engine, A), enqueue(engine, A, "1"),
				 peek(engine, A), drain(engine, A, 0),
				 peek(engine, A), enqueue(engine, A, "2") };
	turn();
	assert_texts(&calls[0]->peek.found, "");
	assert_texts(&calls[2]->peek.found, "1");
	assert_texts(&calls[3]->drain.taken, "1");
	assert_texts(&calls[4]->peek.found, "");
	assert_int_equal(store.commits, 1);
	assert_queued(A, "2");
	/* recorded as enqueued and as drained */
	assert_true(memory_store_settled(&store, 1, OUTCOME_DRAINED));
	assert_int_equal(store.event_count, 2);
}

static void
submit_another(struct op *op, void *arg)
{
	(void)op;
	*(struct call **)arg = enqueue(engine, A, "from an answer");
}

static void
a_call_made_by_an_answer_waits_for_the_next_turn(void **state)
{
	(void)state;
	struct call *first = enqueue(engine, A, "1"), *second = NULL;
	first->op.done = submit_another;
	first->op.prepare = NULL;
	first->op.arg = &second;
	turn();
	assert_int_equal(second->answered, 0);
	assert_false(engine_idle(engine));
	turn();
	assert_int_equal(second->answered, 1);
	assert_queued(A, "1 from an answer");
}

static void
nothing_is_answered_before_the_store_says_so(void **state)
{
	(void)state;
	put(A, "0");
	store.defer = true;
	struct call *calls[] = { peek(engine, A), find_event(engine, 1), enqueue(engine, A, "1"),
				 drain(engine, A, 0) };
	turn();
	while (store.commits == 1) { /* look up, read, commit */
		for (size_t i = 0; i < COUNT(calls); i++)
			assert_int_equal(calls[i]->answered, 0);
		assert_false(engine_idle(engine));
		assert_false(engine_chores(engine));
		turn();
		assert_true(memory_store_release(&store));
	}
	for (size_t i = 0; i < COUNT(calls); i++)
		assert_int_equal(calls[i]->answered_as, (int)i + 2);
	assert_texts(&calls[0]->peek.found, "0");
	assert_texts(&calls[3]->drain.taken, "0 1");
	assert_true(engine_idle(engine));
	assert_int_equal(store.chores, 0);
}

static void
calls_made_meanwhile_go_to_the_next_batch(void **state)
{
	(void)state;
	store.defer = true;
	struct call *first = enqueue(engine, A, "1");
	turn();
	struct call *second = enqueue(engine, A, "2"), *third = drain(engine, A, 0);
	turn();
	memory_store_release(&store);
	assert_int_equal(first->answered, 1);
	assert_int_equal(second->answered, 0);
	assert_false(memory_store_release(&store));
	assert_int_equal(store.event_count, 1);
	turn();
	while (memory_store_release(&store))
		continue;
	assert_int_equal(second->answered, 1);
	assert_texts(&third->drain.taken, "1 2");
}

static void
an_answer_is_made_ready_when_its_commit_is_written(void **state)
{
	(void)state;
	struct call *calls[] = { enqueue(engine, A, "1"), enqueue(engine, " ", "refused"),
				 peek(engine, A), wait_for(engine, B), ack(engine, 4711, NULL, 0) };
	turn();
	assert_int_equal(calls[0]->prepared, 1);
	assert_int_equal(calls[1]->prepared, 0);
	assert_int_equal(calls[2]->prepared, 1);
	assert_int_equal(calls[3]->prepared, 0); /* it is parked as a waiter */
	assert_int_equal(calls[4]->prepared, 0); /* it was planned again and still failed */
	struct call *woken = calls[3], *waker = enqueue(engine, B, "2");
	turn();
	assert_int_equal(waker->prepared, 1);
	assert_int_equal(woken->answered, 1);
	assert_int_equal(woken->prepared, 0); /* the commit holds nothing of it */
	store.commit_fails = ERROR_STORAGE_FAILED;
	struct call *failed = enqueue(engine, A, "3");
	turn();
	assert_int_equal(failed->answered, 1);
	assert_int_equal(failed->prepared, 0);
	store.commit_fails = ERROR_STORAGE_UNKNOWN;
	store.fails_late = true;
	struct call *unknown = enqueue(engine, A, "4");
	assert_int_equal(engine_turn(engine, &error), -1);
	assert_int_equal(unknown->answered, 0);
	assert_int_equal(unknown->prepared, 1);
}

static void
a_new_policy_waits_for_the_batch_under_way(void **state)
{
	(void)state;
	store.defer = true;
	struct call *before = enqueue(engine, "main", "1");
	turn();
	engine_set_policy(engine, parse_policy("{ session: { mainKey: 'dropped' } }"));
	engine_set_policy(engine, parse_policy("{ session: { mainKey: 'hub' } }"));
	struct call *after = enqueue(engine, "main", "2");
	turn();
	memory_store_release(&store);
	assert_str(before->enqueue.results[0].event.session_key, "agent:main:main");
	turn();
	memory_store_release(&store);
	assert_str(after->enqueue.results[0].event.session_key, "agent:main:hub");
	store.defer = false;
	/* the old key is an alias of the new main session now */
	assert_queued("agent:main:main", "2");
	assert_int_equal(stats().sessions, 2);
}

static void
a_retried_batch_keeps_its_policy(void **state)
{
	(void)state;
	store.defer = store.full_for_events = true;
	enqueue(engine, "main", "1");
	struct call *call = drain(engine, "main", 0);
	turn();
	engine_set_policy(engine, parse_policy("{ session: { mainKey: 'hub' } }"));
	memory_store_release(&store);
	assert_int_equal(call->op.error.code, ERROR_NONE);
	assert_str(call->drain.session_key, "agent:main:main");
}

static void
a_new_policy_is_in_force_at_once_when_nothing_is_under_way(void **state)
{
	(void)state;
	struct address address = { .session_key = STR("main") };
	struct arena arena = { 0 };
	struct decision decision;
	struct call *waiting = enqueue(engine, "main", "1");
	engine_set_policy(engine, parse_policy("{ session: { mainKey: 'hub' } }"));
	assert_int_equal(engine_route(engine, &address, &arena, &decision, &error), 0);
	assert_str(decision.queue_key, "agent:main:hub");
	assert_true(decision.step_count > 0);
	assert_str(done(waiting)->enqueue.results[0].event.session_key, "agent:main:hub");
	arena_clear(&arena);
}

static const struct CMUnitTest tests[] = {
	TEST(the_calls_of_a_turn_share_one_commit_and_are_answered_in_order),
	TEST(a_drain_sees_the_enqueue_of_the_same_turn),
	TEST(a_call_made_by_an_answer_waits_for_the_next_turn),
	TEST(nothing_is_answered_before_the_store_says_so),
	TEST(calls_made_meanwhile_go_to_the_next_batch),
	TEST(an_answer_is_made_ready_when_its_commit_is_written),
	TEST(a_new_policy_waits_for_the_batch_under_way),
	TEST(a_retried_batch_keeps_its_policy),
	TEST(a_new_policy_is_in_force_at_once_when_nothing_is_under_way),
};

int
main(void)
{
	return cmocka_run_group_tests(tests, NULL, NULL);
}
