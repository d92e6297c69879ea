/*
 * late_store_test.c - a store that calls back when it likes, at once or later: nothing nests,
 * nothing is told early, nobody spins, and an unknown outcome of any call stops the queue.
 */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "tests/unit/fixture.h"

#define HOUR INT64_C(3600000)

/* While the store owes a call-back the engine waits for it, and for nothing else. */
static void
assert_waits_for_the_store(void)
{
	assert_true(engine_is_busy(engine));
	assert_false(engine_idle(engine));
	assert_false(engine_has_work(engine));
	assert_int_equal(engine_due_ms(engine), -1);
	assert_false(engine_chores(engine));
}

static void
one_of_each_call(struct call *calls[11])
{
	struct history_op page = { .limit = 10 };

	calls[0] = enqueue(engine, A, "new");
	calls[1] = find_event(engine, 1);
	calls[2] = peek(engine, A);
	calls[3] = list_history(engine, page);
	calls[4] = consume(engine, A, IDS(1));
	calls[5] = withdraw(engine, 2);
	calls[6] = take_lease(engine, A, 1, HOUR);
	calls[7] = drain(engine, A, 0);
	calls[8] = purge(engine, B, NULL);
	calls[9] = requeue(engine, IDS(1), 0, true);
	calls[10] = wait_for(engine, B);
}

/* Releases one call after the other; between them a turn, which must do nothing. */
static size_t
release_all(void)
{
	size_t releases = 0;

	while (memory_store_release(&store)) {
		releases++;
		if (engine_is_busy(engine))
			assert_waits_for_the_store();
		turn();
	}
	return releases;
}

static void
calls_of_every_kind_are_answered_once_and_only_when_durable(void **state)
{
	struct call *calls[11];

	(void)state;
	for (int i = 0; i < 5; i++)
		put(A, "old"), put(B, "old");
	pass(1);
	store.defer = store.defer_durable = true;
	one_of_each_call(calls);
	turn();
	while (store.commits == 10) { /* look up, pages, read, write */
		for (size_t i = 0; i < COUNT(calls); i++)
			assert_int_equal(calls[i]->answered, 0);
		assert_waits_for_the_store();
		assert_true(memory_store_release(&store));
	}
	for (size_t i = 0; i < COUNT(calls); i++) /* written, not durable */
		assert_int_equal(calls[i]->answered, 0);
	assert_waits_for_the_store();
	release_all();
	for (size_t i = 0; i + 1 < COUNT(calls); i++) {
		assert_int_equal(calls[i]->answered, 1);
		assert_int_equal(calls[i]->op.error.code, ERROR_NONE);
	}
	assert_int_equal(calls[10]->answered, 0); /* the purge before it left nothing to wait for */
	assert_true(engine_idle(engine));
}

static void
a_waiter_that_is_parked_is_not_given_back_before_the_batch_is_durable(void **state)
{
	(void)state;
	store.defer = store.defer_durable = true;
	enqueue(engine, A, "1");
	struct call *waiter = wait_for(engine, B);
	turn();
	assert_true(memory_store_release(&store)); /* written: the waiter is parked */
	assert_true(waiter->op.parked);
	assert_false(engine_cancel_wait(engine, &waiter->op));
	release_all();
	assert_true(engine_cancel_wait(engine, &waiter->op));
}

static void
a_batch_without_records_asks_the_store_before_it_answers(void **state)
{
	(void)state;
	put(A, "1");
	store.defer = true;
	struct call *call = peek(engine, A);
	turn();
	while (store.asks == 0) {
		assert_int_equal(call->answered, 0);
		assert_true(memory_store_release(&store));
	}
	assert_int_equal(call->answered, 1);
	assert_int_equal(store.commits, 1);
}

static void
calls_made_while_events_are_loaded_are_answered_after_it(void **state)
{
	(void)state;
	put(A, "1");
	engine_close(engine);
	store.defer = true;
	assert_int_equal(engine_open(&store.base, parse_policy(""), &options, &engine, &error), 0);
	struct call *call = peek(engine, A);
	turn();
	assert_waits_for_the_store();
	assert_false(engine_ready(engine, &error));
	assert_true(memory_store_release(&store));
	assert_true(engine_ready(engine, &error));
	assert_true(engine_has_work(engine));
	turn();
	release_all();
	assert_texts(&call->peek.found, "1");
}

static void
a_load_that_fails_later_stops_the_engine(void **state)
{
	(void)state;
	engine_close(engine);
	store.defer = true;
	store.load_fails = ERROR_STORAGE_CORRUPT;
	assert_int_equal(engine_open(&store.base, parse_policy(""), &options, &engine, &error), 0);
	assert_false(engine_stopped(engine, &error));
	assert_true(memory_store_release(&store));
	assert_true(engine_stopped(engine, &error));
	assert_int_equal(error.code, ERROR_STORAGE_CORRUPT);
	assert_int_equal(engine_turn(engine, &error), -1);
}

static void
no_batch_starts_during_a_chore(void **state)
{
	(void)state;
	store.defer = true;
	engine_chores(engine);
	struct call *call = enqueue(engine, A, "1");
	turn();
	assert_waits_for_the_store();
	assert_int_equal(store.chores, 1);
	assert_true(memory_store_release(&store));
	assert_true(engine_has_work(engine));
	turn();
	release_all();
	assert_int_equal(call->answered, 1);
}

static void
a_policy_set_during_a_batch_is_in_force_after_it(void **state)
{
	(void)state;
	store.defer = true;
	struct draft keyed = draft("main", "1");
	keyed.idempotency.key = STR("looked up before it is planned");
	struct call *before = enqueue_draft(engine, keyed);
	turn();
	engine_set_policy(engine, parse_policy("{session: {mainKey: 'home'}}"));
	struct call *after = enqueue(engine, "main", "2");
	release_all();
	assert_str(before->enqueue.results[0].event.session_key, "agent:main:main");
	assert_str(after->enqueue.results[0].event.session_key, "agent:main:home");
}

static void
what_is_counted_during_a_batch_is_as_it_was_before_it(void **state)
{
	(void)state;
	put(A, "1");
	assert_int_equal(stats().pending, 1);
	store.defer = true;
	enqueue(engine, A, "2");
	turn();
	assert_int_equal(stats().pending, 1);
	release_all();
	assert_int_equal(stats().pending, 2);
}

/* --- unknown outcomes --- */

enum unknown { OF_LOOKUP, OF_PAGE, OF_READ, OF_COMMIT, OF_ASK, UNKNOWNS };

static void
fail_unknown(enum unknown of)
{
	store.read_fails = of == OF_LOOKUP || of == OF_READ ? ERROR_STORAGE_UNKNOWN : ERROR_NONE;
	store.page_fails = of == OF_PAGE ? ERROR_STORAGE_UNKNOWN : ERROR_NONE;
	store.commit_fails = of == OF_COMMIT ? ERROR_STORAGE_UNKNOWN : ERROR_NONE;
	store.ask_fails = of == OF_ASK ? ERROR_STORAGE_UNKNOWN : ERROR_NONE;
}

static struct call *
call_that_meets(enum unknown of)
{
	struct history_op page = { .limit = 10 };

	switch (of) {
	case OF_LOOKUP:
		return find_event(engine, 1);
	case OF_PAGE:
		return list_history(engine, page);
	case OF_READ:
		return peek(engine, A);
	case OF_COMMIT:
		return enqueue(engine, A, "2");
	default:
		return peek(engine, B);
	}
}

/* Runs turns and releases until nothing moves. */
static void
run_to_the_end(void)
{
	do
		engine_turn(engine, &error);
	while (memory_store_release(&store) || engine_has_work(engine));
}

static void
an_unknown_outcome_of_any_call_stops_the_engine(void **state)
{
	(void)state;
	for (int i = 0; i < 2 * UNKNOWNS; i++) {
		enum unknown of = (enum unknown)(i / 2);

		put(A, "1");
		fail_unknown(of);
		store.defer = i % 2 == 1;
		struct call *call = call_that_meets(of);
		run_to_the_end();
		assert_int_equal(call->answered, 0);
		assert_int_equal(engine_turn(engine, &error), -1);
		assert_int_equal(error.code, ERROR_STORAGE_UNKNOWN);
		assert_int_equal(engine_due_ms(engine), -1);
		assert_false(engine_has_work(engine));
		fixture_end(NULL);
		fixture_begin(NULL);
	}
}

/* --- the stack --- */

#define PAGES 64 /* of one row, so that one turn has room for all of them */

static void *
run_turn(void *arg)
{
	(void)arg;
	return engine_turn(engine, &error) == 0 ? engine : NULL;
}

static void
many_pages_of_one_batch_need_no_more_stack_than_one(void **state)
{
	struct history_op page = { .limit = 1 };
	struct call *last = NULL;
	pthread_attr_t attributes;
	pthread_t thread;
	void *done;

	(void)state;
	for (int i = 0; i < PAGES; i++)
		last = list_history(engine, page);
	pthread_attr_init(&attributes);
	assert_int_equal(pthread_attr_setstacksize(&attributes, 32 * 1024), 0);
	assert_int_equal(pthread_create(&thread, &attributes, run_turn, NULL), 0);
	assert_int_equal(pthread_join(thread, &done), 0);
	pthread_attr_destroy(&attributes);
	assert_ptr_equal(done, engine);
	assert_int_equal(last->answered, 1);
	assert_int_equal(stats().batch_ops_max, PAGES);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(calls_of_every_kind_are_answered_once_and_only_when_durable),
		TEST(a_waiter_that_is_parked_is_not_given_back_before_the_batch_is_durable),
		TEST(a_batch_without_records_asks_the_store_before_it_answers),
		TEST(calls_made_while_events_are_loaded_are_answered_after_it),
		TEST(a_load_that_fails_later_stops_the_engine),
		TEST(no_batch_starts_during_a_chore),
		TEST(a_policy_set_during_a_batch_is_in_force_after_it),
		TEST(what_is_counted_during_a_batch_is_as_it_was_before_it),
		TEST(an_unknown_outcome_of_any_call_stops_the_engine),
		TEST(many_pages_of_one_batch_need_no_more_stack_than_one),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
