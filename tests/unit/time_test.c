/*
 * time_test.c - delays and times to live: exact to the millisecond while the server runs, and
 * whatever the wall clock does, also over a restart. After a start of the machine they are as right
 * as the wall clock. Jumps of clocks in all orders are in clock_test.c.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#include "tests/unit/fixture.h"

#define MINUTE INT64_C(60000)
#define HOUR (60 * MINUTE)
#define YEAR (INT64_C(365) * 24 * HOUR)

static int64_t
put_timed(const char *key, const char *text, int64_t delay_ms, int64_t ttl_ms)
{
	struct draft timed = draft(key, text);

	timed.delay_ms = delay_ms;
	timed.ttl_ms = ttl_ms;
	return done(enqueue_draft(engine, timed))->enqueue.results[0].id;
}

/* Closes the engine, lets this much pass on the wall clock, and opens it again. */
static void
restart_after(int64_t ms)
{
	engine_close(engine);
	engine = NULL;
	pass(ms);
	reopen();
}

static void
a_delayed_event_waits_for_its_time(void **state)
{
	(void)state;
	struct draft later = draft(A, "1");
	later.delay_ms = MINUTE;
	const struct system_event *event =
	    &done(enqueue_draft(engine, later))->enqueue.results[0].event;
	assert_string_equal(event_state_name(event), "delayed");
	assert_int_equal(event->available_at_ms, now.wall_ms + MINUTE);
	put(A, "2");
	assert_deliverable(A, "2");
	assert_queued(A, "1 2");
	assert_texts(&done(take_lease(engine, A, 0, 10))->lease_take.taken, "2");
	assert_int_equal(engine_due_ms(engine), 10);
	pass(10);
	turn();
	assert_int_equal(engine_due_ms(engine), MINUTE - 10);
	pass(MINUTE - 11);
	assert_deliverable(A, "2");
	pass(1);
	assert_deliverable(A, "1 2"); /* at its old position */
	assert_int_equal(engine_due_ms(engine), -1);
	assert_int_equal(stats().delayed_now, 0);
}

static void
a_delayed_event_can_be_consumed_by_id(void **state)
{
	(void)state;
	int64_t one = put_timed(A, "1", MINUTE, 0), two = put_timed(A, "2", MINUTE, 0);
	assert_texts(&done(consume(engine, A, IDS(one)))->consume.taken, "1");
	assert_str(done(withdraw(engine, two))->withdraw.event.text, "2");
	pass(MINUTE);
	assert_queued(A, "");
	assert_int_equal(done(enqueue(engine, A, "2"))->enqueue.results[0].outcome, ENQUEUE_QUEUED);
}

static void
an_expired_event_is_recorded_and_never_delivered(void **state)
{
	(void)state;
	int64_t id = put_timed(A, "1", 0, MINUTE);
	put(A, "2");
	assert_int_equal(look_at(id)->expires_at_ms, now.wall_ms + MINUTE);
	pass(MINUTE);
	/* in the turn in which its time to live ends */
	struct call *call = done(drain(engine, A, 0));
	assert_texts(&call->drain.taken, "2");
	assert_string_equal(event_state_name(look_at(id)), "expired");
	assert_true(memory_store_settled(&store, id, OUTCOME_EXPIRED));
	assert_int_equal(stats().outcomes[OUTCOME_EXPIRED], 1);
	reopen();
	assert_queued(A, "");
}

static void
an_event_may_have_a_delay_and_a_time_to_live(void **state)
{
	(void)state;
	int64_t id = put_timed(A, "1", MINUTE, 2 * MINUTE),
		never = put_timed(B, "x", 2 * MINUTE, MINUTE);
	pass(MINUTE);
	assert_deliverable(A, "1");
	assert_string_equal(event_state_name(look_at(never)), "expired");
	pass(MINUTE);
	assert_queued(A, "");
	assert_string_equal(event_state_name(look_at(id)), "expired");
}

/* An expired event stays with the consumer that leased it until the lease is over. */
static void
a_leased_event_expires_when_its_lease_ends(void **state)
{
	(void)state;
	for (int how = 0; how < 4; how++) {
		int64_t id = put_timed(A, "1", 0, MINUTE);
		int64_t lease = lease_events(A, 0, 2 * MINUTE);

		pass(MINUTE);
		assert_string_equal(event_state_name(look_at(id)), "leased");
		if (how == 3)
			reopen();
		if (how == 0)
			assert_int_equal(done(ack(engine, lease, ALL))->lease.changed, 1);
		else if (how == 1)
			assert_int_equal(done(nack(engine, lease, ALL))->lease.dead, 0);
		else
			pass(MINUTE);
		assert_string_equal(event_state_name(look_at(id)), how == 0 ? "acked" : "expired");
		assert_queued(A, "");
		assert_int_equal(stats().leases, 0);
	}
}

static void
a_nacked_event_keeps_its_time_to_live(void **state)
{
	(void)state;
	int64_t id = put_timed(A, "1", 0, MINUTE);
	struct lease_change_op later;
	lease_change_op_init(&later, LEASE_NACK);
	later.delay_ms = 2 * MINUTE;
	done(change_lease(engine, later, lease_events(A, 0, 10), ALL));
	reopen();
	pass(MINUTE);
	assert_string_equal(event_state_name(look_at(id)), "expired");
}

static void
a_large_backlog_of_expired_events_is_never_delivered(void **state)
{
	(void)state;
	struct draft mortal[50];
	for (size_t i = 0; i < COUNT(mortal); i++) {
		mortal[i] = draft(A, "x");
		mortal[i].allow_duplicate = true;
		mortal[i].ttl_ms = MINUTE;
	}
	for (int i = 0; i < 50; i++) {
		done(enqueue_drafts(engine, mortal, COUNT(mortal)));
		calls_free();
	}
	put(A, "before");
	pass(MINUTE);
	assert_texts(&done(take_lease(engine, A, 0, HOUR))->lease_take.taken, "before");
	reopen();
	struct call *after = enqueue(engine, A, "after");
	assert_texts(&done(drain(engine, A, 0))->drain.taken, "after");
	assert_int_equal(after->answered, 1);
	for (int turns = 0; engine_due_ms(engine) == 0; turns++) {
		assert_true(turns < 10);
		turn();
	}
	assert_queued(A, "before");
	assert_int_equal(store.event_count, 2502);
	assert_int_equal(stats().pending, 1);
}

static void
the_last_context_follows_expiry(void **state)
{
	(void)state;
	struct draft mortal = draft(A, "2");
	mortal.context_key = STR("l");
	mortal.ttl_ms = MINUTE;
	done(enqueue_keyed(engine, A, "k", "1")), done(enqueue_draft(engine, mortal));
	pass(MINUTE);
	struct call *list = done(list_sessions(engine, (struct sessions_op){ 0 }));
	assert_str(list->sessions.sessions[0].last_context_key, "k");
}

static void
impossible_times_are_refused(void **state)
{
	(void)state;
	struct draft bad = draft(A, "1");
	bad.delay_ms = -1;
	assert_string_equal(
	    fails(enqueue_draft(engine, bad), ERROR_INVALID_FIELD)->op.error.pointer, "/delayMs");
	bad.delay_ms = YEAR + 1;
	fails(enqueue_draft(engine, bad), ERROR_INVALID_FIELD);
	bad.delay_ms = INT64_MAX;
	fails(enqueue_draft(engine, bad), ERROR_INVALID_FIELD);
	bad.delay_ms = 0;
	bad.ttl_ms = INT64_MIN;
	assert_string_equal(
	    fails(enqueue_draft(engine, bad), ERROR_INVALID_FIELD)->op.error.pointer, "/ttlMs");
	assert_int_equal(store.commits, 0);
	put_timed(A, "1", YEAR, YEAR);
	assert_int_equal(engine_due_ms(engine), YEAR);
}

/* --- clocks --- */

static void
wall_clock_jumps_change_no_delay_while_the_server_runs(void **state)
{
	(void)state;
	int64_t ts = look_at(put_timed(A, "1", MINUTE, 0))->ts_ms;
	put_timed(A, "2", 0, MINUTE), put(A, "3");
	lease_events(A, 0, MINUTE);
	now.wall_ms += 10 * YEAR;
	assert_deliverable(A, "");
	now.wall_ms -= 20 * YEAR;
	assert_deliverable(A, "");
	assert_int_equal(look_at(put(B, "x"))->ts_ms, ts - 10 * YEAR);
	now.boot_ms += MINUTE;
	assert_deliverable(A, "1 3");
}

static void
delays_run_on_while_no_server_runs(void **state)
{
	(void)state;
	put_timed(A, "1", MINUTE, 0), put_timed(A, "2", 0, MINUTE),
	    put_timed(A, "3", 3 * MINUTE, 0), put(A, "4");
	put_timed(A, "5", 0, 3 * MINUTE);
	restart_after(MINUTE);
	assert_deliverable(A, "1 4 5");
	assert_queued(A, "1 3 4 5");
	assert_int_equal(stats().outcomes[OUTCOME_EXPIRED], 1);
	assert_int_equal(engine_due_ms(engine), 2 * MINUTE);
	restart_after(2 * MINUTE - 1);
	assert_deliverable(A, "1 4 5");
	pass(1);
	assert_deliverable(A, "1 3 4");
}

/* After a reboot the steady clock starts at zero. */
static void
delays_survive_a_reboot(void **state)
{
	(void)state;
	put_timed(A, "1", MINUTE, 0), put_timed(A, "2", 0, MINUTE), put_timed(A, "3", 2 * HOUR, 0);
	int64_t lease = lease_events(A, 0, 2 * MINUTE);
	engine_close(engine), engine = NULL;
	now.boot_ms = 5;
	now.wall_ms += MINUTE;
	reopen();
	assert_deliverable(A, "1");
	done(extend(engine, lease, ALL, HOUR));
	pass(2 * HOUR - MINUTE);
	assert_deliverable(A, "1 3");
}

/*
 * A machine without a battery-backed clock starts in the past. A minute's delay must not last for
 * years then (C10).
 */
static void
a_clock_that_starts_in_the_past_prolongs_no_delay(void **state)
{
	(void)state;
	put_timed(A, "1", MINUTE, 0), put_timed(A, "2", 0, MINUTE), put(A, "3");
	lease_events(A, 0, MINUTE);
	engine_close(engine), engine = NULL;
	now.wall_ms -= 20 * YEAR;
	now.boot_ms = 5;
	reopen();
	assert_in_range(engine_due_ms(engine), 0, MINUTE);
	pass(MINUTE);
	assert_deliverable(A, "1 3");
	assert_int_equal(engine_due_ms(engine), -1);
}

/* The newest time in the store may be that of an outcome, not of an event. */
static void
times_continue_from_the_newest_stored_time(void **state)
{
	(void)state;
	put(A, "1"), put_timed(A, "2", HOUR, 0);
	pass(HOUR - 10);
	done(drain(engine, A, 0));
	engine_close(engine), engine = NULL;
	now.wall_ms -= YEAR;
	reopen();
	assert_int_equal(engine_due_ms(engine), 10);
}

/* --- timers left behind --- */

/* Runs turns until no timer is left; answers how many it took. */
static size_t
run_all_timers(void)
{
	size_t turns = 0;

	for (int64_t due; (due = engine_due_ms(engine)) >= 0; turns++) {
		pass(due);
		turn();
	}
	return turns;
}

static void
repeated_extensions_keep_one_timer(void **state)
{
	(void)state;
	put(A, "1"), put(A, "2");
	int64_t lease = lease_events(A, 0, MINUTE);
	for (int i = 0; i < 100; i++) {
		pass(10);
		done(extend(engine, lease, ALL, HOUR));
		calls_free();
	}
	int64_t start = now.boot_ms;
	assert_in_range(run_all_timers(), 1, 3);
	assert_int_equal(now.boot_ms - start, HOUR);
	assert_deliverable(A, "1 2");
}

static void
alternately_longer_and_shorter_leases_keep_one_timer(void **state)
{
	(void)state;
	put(A, "1"), put(A, "2");
	int64_t lease = lease_events(A, 0, HOUR);
	for (int i = 0; i < 100; i++) {
		pass(10);
		done(extend(engine, lease, ALL, HOUR));
		done(extend(engine, lease, ALL, HOUR / 2));
		calls_free();
	}
	assert_in_range(run_all_timers(), 1, 4);
	assert_deliverable(A, "1 2");
}

/*
 * Each change is small: only the last timer counts, and compaction removes most of the earlier
 * ones.
 */
static void
repeated_shortening_of_a_lease_keeps_few_timers(void **state)
{
	(void)state;
	put(A, "1");
	int64_t lease = lease_events(A, 0, HOUR);
	for (int i = 0; i < 5000; i++) {
		done(extend(engine, lease, ALL, HOUR - i));
		calls_free();
	}
	assert_int_equal(engine_due_ms(engine), HOUR - 4999);
	done(extend(engine, lease, ALL, HOUR));
	assert_in_range(run_all_timers(), 1, 1500);
	assert_deliverable(A, "1");
}

static void
a_partial_lease_end_that_failed_to_commit_is_tried_again(void **state)
{
	(void)state;
	int64_t one = put(A, "1");
	put(A, "2");
	int64_t lease = lease_events(A, 0, HOUR);
	done(extend(engine, lease, IDS(one), MINUTE));
	store.commit_fails = ERROR_STORAGE_FAILED;
	pass(MINUTE), turn();
	store.commit_fails = ERROR_NONE;
	assert_deliverable(A, "");
	pass(1000), turn();
	assert_deliverable(A, "1");
	pass(HOUR - MINUTE - 1000), turn();
	assert_deliverable(A, "1 2");
	assert_int_equal(engine_due_ms(engine), -1);
}

static void
a_lease_whose_shortening_failed_keeps_its_end(void **state)
{
	(void)state;
	put(A, "1");
	int64_t lease = lease_events(A, 0, HOUR);
	store.commit_fails = ERROR_STORAGE_FAILED;
	fails(extend(engine, lease, ALL, MINUTE), ERROR_STORAGE_FAILED);
	store.commit_fails = ERROR_NONE;
	assert_int_equal(engine_due_ms(engine), HOUR);
	pass(HOUR), turn();
	assert_deliverable(A, "1");
}

static void
a_loaded_lease_has_one_timer(void **state)
{
	(void)state;
	put(A, "1"), put(A, "2"), put(A, "3");
	int64_t lease = lease_events(A, 0, HOUR);
	for (int64_t id = 1; id <= 3; id++)
		done(extend(engine, lease, &id, 1, id * MINUTE));
	reopen();
	assert_int_equal(engine_due_ms(engine), MINUTE);
	assert_int_equal(run_all_timers(), 3);
	assert_deliverable(A, "1 2 3");
}

static void
a_refused_event_sets_no_timer(void **state)
{
	(void)state;
	struct draft drafts[] = { draft(A, "1"), draft(A, " ") };
	drafts[0].ttl_ms = HOUR;
	drafts[0].delay_ms = MINUTE;
	fails(enqueue_drafts(engine, drafts, 2), ERROR_INVALID_FIELD);
	assert_int_equal(engine_due_ms(engine), -1);
	store.commit_fails = ERROR_STORAGE_FAILED;
	fails(enqueue_draft(engine, drafts[0]), ERROR_STORAGE_FAILED);
	assert_int_equal(engine_due_ms(engine), -1);
}

static void
stale_timers_are_compacted_away(void **state)
{
	(void)state;
	for (int i = 0; i < 5000; i++) {
		put_timed(A, "1", 0, HOUR + i);
		done(ack(engine, lease_events(A, 0, HOUR + i), ALL));
		calls_free();
	}
	assert_in_range(run_all_timers(), 0, 1999);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_delayed_event_waits_for_its_time),
		TEST(a_delayed_event_can_be_consumed_by_id),
		TEST(an_expired_event_is_recorded_and_never_delivered),
		TEST(an_event_may_have_a_delay_and_a_time_to_live),
		TEST(a_leased_event_expires_when_its_lease_ends),
		TEST(a_nacked_event_keeps_its_time_to_live),
		TEST(a_large_backlog_of_expired_events_is_never_delivered),
		TEST(the_last_context_follows_expiry),
		TEST(impossible_times_are_refused),
		TEST(wall_clock_jumps_change_no_delay_while_the_server_runs),
		TEST(delays_run_on_while_no_server_runs),
		TEST(delays_survive_a_reboot),
		TEST(a_clock_that_starts_in_the_past_prolongs_no_delay),
		TEST(times_continue_from_the_newest_stored_time),
		TEST(repeated_extensions_keep_one_timer),
		TEST(alternately_longer_and_shorter_leases_keep_one_timer),
		TEST(repeated_shortening_of_a_lease_keeps_few_timers),
		TEST(a_partial_lease_end_that_failed_to_commit_is_tried_again),
		TEST(a_lease_whose_shortening_failed_keeps_its_end),
		TEST(a_loaded_lease_has_one_timer),
		TEST(a_refused_event_sets_no_timer),
		TEST(stale_timers_are_compacted_away),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
