/*
 * wait_test.c - a waiter is woken by everything that makes an event deliverable, once it is
 * committed, and by nothing else.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#include "tests/unit/fixture.h"

#define MINUTE 60000

/*
 * The wakes that the engine reported, each as "key:deliverable:now:source " without the key's
 * "agent:main:".
 */
static struct buf reported;

static void
on_wake(void *arg, struct str key, size_t deliverable, bool soon, struct str source)
{
	(void)arg;
	buf_addf(&reported, "%.*s:%zu:%s:%.*s ", (int)key.len - 11, key.s + 11, deliverable,
		 soon ? "now" : "next", (int)source.len, source.s != NULL ? source.s : "");
}

static void
assert_wakes(const char *want)
{
	struct str have = { reported.data, reported.len };

	if (!str_eq(have, str_of(want)))
		fail_msg("reported \"%.*s\", not \"%s\"", (int)have.len, have.s, want);
	reported.len = 0;
}

static int
end(void **state)
{
	buf_clear(&reported);
	return fixture_end(state);
}

/* A wait that is parked after its turn. */
static struct call *
waiter(const char *key)
{
	struct call *call = wait_for(engine, key);

	turn();
	assert_int_equal(call->answered, 0);
	return call;
}

static void
assert_woken(const struct call *call, size_t deliverable)
{
	assert_int_equal(call->answered, 1);
	assert_int_equal(call->op.error.code, ERROR_NONE);
	assert_int_equal(call->wait.deliverable, deliverable);
}

/* Cancels a wait, as the server does for a client that hung up. */
static void
cancel(struct call *call)
{
	assert_int_equal(call->answered, 0);
	assert_true(engine_cancel_wait(engine, &call->op));
}

static void
a_wait_for_a_deliverable_event_is_answered_at_once(void **state)
{
	(void)state;
	put(A, "1"), put(A, "2");
	struct call *call = done(wait_for(engine, A));
	assert_woken(call, 2);
	assert_str(call->wait.session_key, A);
	assert_queued(A, "1 2");
	fails(wait_for(engine, " "), ERROR_BLANK_KEY);
	fails(wait_for(engine, "agent:"), ERROR_MALFORMED_KEY);
}

static void
an_enqueue_wakes_a_waiter_in_its_own_turn(void **state)
{
	(void)state;
	struct call *call = waiter(A);
	assert_int_equal(stats().waiters, 1);
	put(B, "x");
	assert_int_equal(call->answered, 0);
	put(A, "1");
	assert_woken(call, 1);
	assert_int_equal(stats().waiters, 0);
	assert_true(engine_idle(engine));
}

static void
an_enqueue_and_a_wait_of_one_turn_meet_in_either_order(void **state)
{
	(void)state;
	struct call *before = wait_for(engine, A), *put_in = enqueue(engine, A, "1"),
		    *after = wait_for(engine, A);
	turn();
	assert_int_equal(put_in->answered, 1);
	assert_woken(before, 1);
	assert_woken(after, 1);
}

static void
an_event_drained_in_the_same_turn_wakes_nobody(void **state)
{
	(void)state;
	struct call *call = waiter(A);
	enqueue(engine, A, "1"), drain(engine, A, 0);
	turn();
	enqueue(engine, A, "2"), take_lease(engine, A, 0, MINUTE);
	turn();
	cancel(call);
}

static void
every_waiter_of_a_session_is_woken(void **state)
{
	(void)state;
	struct call *calls[50];
	for (size_t i = 0; i < COUNT(calls); i++)
		calls[i] = wait_for(engine, i % 2 == 0 ? A : B);
	turn();
	struct call *list = done(list_sessions(engine, (struct sessions_op){ 0 }));
	assert_int_equal(list->sessions.count, 0); /* no session has a pending event */
	put(A, "1");
	for (size_t i = 0; i < COUNT(calls); i++)
		assert_int_equal(calls[i]->answered, i % 2 == 0);
	for (size_t i = 2; i < COUNT(calls); i += 2)
		assert_int_equal(calls[i]->answered_as, calls[i - 2]->answered_as + 1);
	put(B, "1");
	assert_woken(calls[1], 1);
}

static void
a_listed_session_says_how_many_wait(void **state)
{
	(void)state;
	put(A, "1"), lease_events(A, 0, MINUTE);
	struct call *calls[] = { waiter(A), waiter(A) };
	struct call *list = done(list_sessions(engine, (struct sessions_op){ 0 }));
	assert_int_equal(list->sessions.sessions[0].waiters, 2);
	cancel(calls[0]);
	list = done(list_sessions(engine, (struct sessions_op){ 0 }));
	assert_int_equal(list->sessions.sessions[0].waiters, 1);
	cancel(calls[1]);
}

static void
a_nack_wakes(void **state)
{
	(void)state;
	put(A, "1");
	int64_t lease = lease_events(A, 0, MINUTE);
	struct call *call = waiter(A);
	done(nack(engine, lease, ALL));
	assert_woken(call, 1);
	lease_events(A, 0, MINUTE);
	call = waiter(A);
	pass(MINUTE);
	turn();
	assert_woken(call, 1);
}

static void
the_end_of_a_delay_wakes(void **state)
{
	(void)state;
	struct draft later = draft(A, "1");
	later.delay_ms = 5000;
	struct call *call = waiter(A);
	done(enqueue_draft(engine, later));
	assert_int_equal(call->answered, 0);
	assert_int_equal(engine_due_ms(engine), 5000);
	pass(4999);
	turn();
	assert_int_equal(call->answered, 0);
	pass(1);
	turn();
	assert_woken(call, 1);
	struct lease_change_op input;
	lease_change_op_init(&input, LEASE_NACK);
	input.delay_ms = 100;
	done(change_lease(engine, input, lease_events(A, 0, MINUTE), ALL));
	call = waiter(A);
	pass(100);
	turn();
	assert_woken(call, 1);
}

static void
a_requeued_dead_letter_wakes(void **state)
{
	(void)state;
	options.attempts_max = 1;
	reopen();
	int64_t id = put(A, "1");
	done(nack(engine, lease_events(A, 0, MINUTE), ALL));
	struct call *call = waiter(A);
	done(requeue(engine, IDS(id), 0, false));
	assert_woken(call, 1);
}

/*
 * The end of an exclusive lease makes the events deliverable that it held back, however old they
 * are.
 */
static void
the_end_of_an_exclusive_lease_wakes(void **state)
{
	(void)state;
	struct lease_take_op exclusive = {
		.address.session_key = STR(A), .limit = 1, .exclusive = true, .lease_ms = MINUTE
	};
	struct lease_change_op later;
	lease_change_op_init(&later, LEASE_NACK);
	later.delay_ms = 10 * MINUTE;
	options.attempts_max = 1;
	reopen();
	for (int how = 0; how < 7; how++) {
		int64_t id = put(A, "1");
		int64_t lease = done(take_lease_as(engine, exclusive))->lease_take.lease_id;

		put(A, "2");
		struct call *call = waiter(A);
		switch (how) {
		case 0:
			done(ack(engine, lease, ALL));
			break;
		case 1: /* a dead letter */
			done(nack(engine, lease, ALL));
			break;
		case 2:
			later.count_attempt = false;
			done(change_lease(engine, later, lease, ALL));
			break;
		case 3:
			pass(MINUTE);
			turn();
			break;
		case 4:
			done(withdraw(engine, id));
			break;
		case 5:
			done(consume(engine, A, IDS(id)));
			break;
		default:
			done(extend(engine, lease, ALL, 5));
			pass(5);
			turn();
		}
		assert_woken(call, 1);
		done(purge(engine, A, NULL));
	}
}

static void
an_exclusive_lease_holds_waiters_back(void **state)
{
	(void)state;
	struct lease_take_op exclusive = {
		.address.session_key = STR(A), .limit = 2, .exclusive = true, .lease_ms = MINUTE
	};
	int64_t one = put(A, "1");
	put(A, "2");
	int64_t lease = done(take_lease_as(engine, exclusive))->lease_take.lease_id;
	struct call *call = waiter(A);
	put(A, "3");
	done(nack(engine, lease, IDS(one)));
	assert_int_equal(call->answered, 0);
	done(ack(engine, lease, ALL));
	assert_woken(call, 2);
}

/* Another lease keeps an exclusive one from being made; its end is no news for streams. */
static void
the_end_of_the_last_lease_wakes_who_waits_for_an_exclusive_one(void **state)
{
	(void)state;
	put(A, "1"), put(A, "2"), put(A, "3");
	int64_t one = lease_events(A, 1, MINUTE), two = lease_events(A, 1, MINUTE);
	struct call *call = wait_for(engine, A);
	call->wait.exclusive = true;
	turn();
	assert_int_equal(call->answered, 0);
	engine_on_wake(engine, on_wake, NULL);
	done(ack(engine, one, ALL));
	assert_int_equal(call->answered, 0);
	done(ack(engine, two, ALL));
	assert_woken(call, 1);
	assert_wakes("");
}

static void
a_cancelled_wait_leaves_nothing_behind(void **state)
{
	(void)state;
	struct call *first = waiter(A), *second = waiter(A), *third = waiter(A);
	cancel(second);
	assert_false(engine_cancel_wait(engine, &second->op)); /* the wait was cancelled */
	cancel(third);
	cancel(first);
	assert_int_equal(stats().waiters, 0);
	put(A, "1");
	assert_int_equal(first->answered + second->answered + third->answered, 0);
}

/* Cancelling tells the caller that the op will still be handed back, so it must be. */
static void
a_wait_cancelled_before_its_turn_is_handed_back(void **state)
{
	(void)state;
	struct call *call = wait_for(engine, A);
	assert_false(engine_cancel_wait(engine, &call->op));
	turn();
	assert_woken(call, 0);
	assert_str(call->wait.session_key, A);
	assert_int_equal(stats().waiters, 0);
}

static void
a_new_policy_plans_waits_again(void **state)
{
	(void)state;
	struct policy *hub;
	put("agent:main:hub", "1");
	struct call *moved = waiter("main"), *stays = waiter(B);
	assert_int_equal(policy_parse("{ session: { mainKey: 'hub' } }", 31, NULL, &hub, &error),
			 0);
	engine_set_policy(engine, hub);
	assert_false(engine_idle(engine));
	turn();
	assert_woken(moved, 1);
	assert_str(moved->wait.session_key, "agent:main:hub");
	put(B, "1");
	assert_woken(stays, 1);
}

static void
a_failed_commit_wakes_nobody_and_loses_no_wake(void **state)
{
	(void)state;
	struct call *call = waiter(A);
	store.commit_fails = ERROR_STORAGE_FAILED;
	fails(enqueue(engine, A, "1"), ERROR_STORAGE_FAILED);
	assert_int_equal(call->answered, 0);
	struct call *beside = wait_for(engine, A), *bad = enqueue(engine, A, "1");
	turn();
	assert_int_equal(bad->op.error.code, ERROR_STORAGE_FAILED);
	assert_int_equal(beside->op.error.code, ERROR_STORAGE_FAILED);
	store.commit_fails = ERROR_NONE;
	store.full_for_events = true;
	int64_t other = 0;
	struct call *late = wait_for(engine, A), *full = enqueue(engine, A, "1");
	turn();
	assert_int_equal(full->op.error.code, ERROR_STORAGE_FULL);
	assert_int_equal(late->answered, 0);
	store.full_for_events = false;
	other = put(A, "1");
	assert_true(other > 0);
	assert_woken(call, 1);
	assert_woken(late, 1);
}

static void
a_delay_that_ends_in_a_failed_commit_wakes_later(void **state)
{
	(void)state;
	struct draft later = draft(A, "1");
	later.delay_ms = 1000;
	done(enqueue_draft(engine, later));
	struct call *call = waiter(A);
	pass(1000);
	store.commit_fails = ERROR_STORAGE_FAILED;
	fails(enqueue(engine, B, "x"), ERROR_STORAGE_FAILED);
	assert_int_equal(call->answered, 0);
	store.commit_fails = ERROR_NONE;
	pass(engine_due_ms(engine));
	turn();
	assert_woken(call, 1);
}

static void
nobody_is_woken_before_the_commit(void **state)
{
	(void)state;
	call_back_at_once();
	engine_on_wake(engine, on_wake, NULL);
	struct call *call = waiter(A);
	store.defer = true;
	enqueue(engine, A, "1");
	turn();
	assert_wakes("");
	struct call *meanwhile = wait_for(engine, A);
	turn();
	memory_store_release(&store);
	assert_wakes("a:1:next: ");
	turn();
	memory_store_release(&store);
	assert_woken(call, 1);
	assert_woken(meanwhile, 1);
}

/* A waiter is answered with the count at the time of the answer, not of the wake. */
static void
a_woken_waiter_counts_again(void **state)
{
	(void)state;
	call_back_at_once();
	struct call *call = waiter(A);
	store.defer = true;
	enqueue(engine, A, "1");
	turn();
	struct call *taken = drain(engine, A, 0);
	memory_store_release(&store);
	store.defer = false;
	turn(); /* the drain was planned before the waiter was woken */
	assert_texts(&taken->drain.taken, "1");
	cancel(call);
}

static void
every_woken_queue_is_reported_once(void **state)
{
	(void)state;
	engine_on_wake(engine, on_wake, NULL);
	struct draft drafts[] = { draft(A, "1"), draft(B, "2"), draft(A, "3"), draft(A, "4") };
	drafts[0].source = STR("hook");
	drafts[2].wake = WAKE_NOW;
	drafts[2].source = STR("cron-event");
	drafts[3].source = STR("exec-event");
	done(enqueue_drafts(engine, drafts, 4));
	assert_wakes("a:3:now:exec-event b:1:next: ");
	int64_t lease = lease_events(A, 2, MINUTE);
	done(nack(engine, lease, ALL));
	assert_wakes("a:3:next: ");
	struct draft refused[] = { draft(B, "5"), draft(A, " ") };
	refused[0].wake = WAKE_NOW;
	enqueue_drafts(engine, refused, 2);
	struct draft fine = draft(B, "6");
	fine.source = STR("x");
	done(enqueue_draft(engine, fine));
	assert_wakes("b:2:next:x ");
	done(enqueue(engine, B, "6")); /* a duplicate */
	assert_wakes("");
}

/* The wake has the event's own source and urgency, also when its text is not in memory any more. */
static void
the_end_of_a_delay_is_reported_with_the_events_source(void **state)
{
	(void)state;
	struct draft soon = draft(A, "1"), plain = draft(A, "2"), other = draft(B, "3");
	soon.wake = WAKE_NOW;
	soon.source = STR("cron-event");
	soon.delay_ms = plain.delay_ms = other.delay_ms = MINUTE;
	plain.source = STR("hook");
	for (int round = 0; round < 2; round++) {
		done(enqueue_draft(engine, soon)), done(enqueue_draft(engine, plain)),
		    done(enqueue_draft(engine, other));
		if (round == 1)
			reopen();
		engine_on_wake(engine, on_wake, NULL);
		pass(MINUTE), turn();
		assert_wakes("a:2:now:hook b:1:next: ");
		done(drain(engine, A, 0)), done(drain(engine, B, 0));
	}
	done(enqueue_draft(engine, soon));
	store.missing_id = store.events[store.event_count - 1].event.id;
	pass(MINUTE), turn(); /* the delay ends although the event is missing */
	assert_wakes("a:1:now: ");
	soon.text = STR("4");
	done(enqueue_draft(engine, soon));
	store.read_fails = ERROR_STORAGE_FAILED;
	pass(MINUTE), turn(); /* when the store cannot read, the wake has no source */
	assert_wakes("a:2:now: ");
	assert_int_equal(stats().delayed_now, 0);
}

/* The memory that such wakes take is bounded. */
static void
many_long_events_whose_delays_end_are_all_reported(void **state)
{
	(void)state;
	enum { EVENTS = 60 };
	static char texts[EVENTS][TEXT_BYTES_MAX];
	struct draft drafts[EVENTS];
	for (int i = 0; i < EVENTS; i++) {
		memset(texts[i], 'x', sizeof(texts[i]));
		drafts[i] = draft(i < EVENTS / 2 ? A : B, "");
		drafts[i].text = (struct str){ texts[i], sizeof(texts[i]) };
		drafts[i].allow_duplicate = true;
		drafts[i].delay_ms = MINUTE;
	}
	done(enqueue_drafts(engine, drafts, EVENTS));
	pass(MINUTE);
	size_t commits = store.commits;
	for (int i = 0; i < EVENTS && engine_due_ms(engine) == 0; i++)
		turn();
	assert_int_equal(engine_deliverable(engine, STR(A)) + engine_deliverable(engine, STR(B)),
			 EVENTS);
	assert_int_equal(store.commits, commits);
	assert_int_equal(store.reads, 4);
}

static void
deliverable_queues_are_reported_after_a_restart(void **state)
{
	(void)state;
	put(A, "1"), put(B, "2"), put(B, "3"), put("agent:main:c", "4");
	lease_events("agent:main:c", 0, MINUTE);
	reopen();
	for (struct table_scan scan = { 0 }; !scan.over;)
		engine_scan_deliverable(engine, &scan, on_wake, NULL);
	struct str have = { reported.data, reported.len };
	assert_int_equal(have.len, 2 * strlen("a:1:next: "));
	assert_non_null(memmem(have.s, have.len, "a:1:next: ", 10));
	assert_non_null(memmem(have.s, have.len, "b:2:next: ", 10));
}

#undef TEST
#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_begin, end)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_wait_for_a_deliverable_event_is_answered_at_once),
		TEST(an_enqueue_wakes_a_waiter_in_its_own_turn),
		TEST(an_enqueue_and_a_wait_of_one_turn_meet_in_either_order),
		TEST(an_event_drained_in_the_same_turn_wakes_nobody),
		TEST(every_waiter_of_a_session_is_woken),
		TEST(a_listed_session_says_how_many_wait),
		TEST(a_nack_wakes),
		TEST(the_end_of_a_delay_wakes),
		TEST(a_requeued_dead_letter_wakes),
		TEST(the_end_of_an_exclusive_lease_wakes),
		TEST(an_exclusive_lease_holds_waiters_back),
		TEST(the_end_of_the_last_lease_wakes_who_waits_for_an_exclusive_one),
		TEST(a_cancelled_wait_leaves_nothing_behind),
		TEST(a_wait_cancelled_before_its_turn_is_handed_back),
		TEST(a_new_policy_plans_waits_again),
		TEST(a_failed_commit_wakes_nobody_and_loses_no_wake),
		TEST(a_delay_that_ends_in_a_failed_commit_wakes_later),
		TEST(nobody_is_woken_before_the_commit),
		TEST(a_woken_waiter_counts_again),
		TEST(every_woken_queue_is_reported_once),
		TEST(the_end_of_a_delay_is_reported_with_the_events_source),
		TEST(many_long_events_whose_delays_end_are_all_reported),
		TEST(deliverable_queues_are_reported_after_a_restart),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
