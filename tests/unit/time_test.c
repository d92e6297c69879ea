/*
 * time_test.c - delays and times to live: right to the millisecond while the server runs, right by
 * the wall clock over a restart, and never more wrong than the clock itself.
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

/* The server stops; this much passes on the wall clock before it starts again. */
static void
sleep_stopped(int64_t ms)
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
	assert_texts(&done(lend(engine, A, 0, 10))->lend.taken, "2");
	assert_int_equal(engine_due_ms(engine), 10);
	pass(10);
	turn();
	assert_int_equal(engine_due_ms(engine), MINUTE - 10);
	pass(MINUTE - 11);
	assert_deliverable(A, "2");
	pass(1);
	assert_deliverable(A, "1 2"); /* in its old place */
	assert_int_equal(engine_due_ms(engine), -1);
	assert_int_equal(stats().delayed_now, 0);
}

static void
a_delayed_event_can_be_taken_by_name(void **state)
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
an_expired_event_is_recorded_and_never_given(void **state)
{
	(void)state;
	int64_t id = put_timed(A, "1", 0, MINUTE);
	put(A, "2");
	assert_int_equal(look_at(id)->expires_at_ms, now.wall_ms + MINUTE);
	pass(MINUTE);
	struct call *call = done(drain(engine, A, 0)); /* in the turn of its end */
	assert_texts(&call->drain.taken, "2");
	assert_string_equal(event_state_name(look_at(id)), "expired");
	assert_true(memory_store_settled(&store, id, OUTCOME_EXPIRED));
	assert_int_equal(stats().outcomes[OUTCOME_EXPIRED], 1);
	reopen();
	assert_queued(A, "");
}

static void
an_event_may_be_delayed_and_mortal(void **state)
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

/*
 * Its consumer has it in hand; what becomes of it is the consumer's to say, until the lease is
 * over.
 */
static void
a_leased_event_expires_when_it_comes_back(void **state)
{
	(void)state;
	for (int how = 0; how < 4; how++) {
		int64_t id = put_timed(A, "1", 0, MINUTE);
		int64_t lease = borrow(A, 0, 2 * MINUTE);

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
an_event_given_back_keeps_its_time_to_live(void **state)
{
	(void)state;
	int64_t id = put_timed(A, "1", 0, MINUTE);
	struct lease_change_op later;
	lease_change_op_init(&later, LEASE_NACK);
	later.delay_ms = 2 * MINUTE;
	done(change_lease(engine, later, borrow(A, 0, 10), ALL));
	reopen();
	pass(MINUTE);
	assert_string_equal(event_state_name(look_at(id)), "expired");
}

static void
more_than_one_turn_can_expire_gives_none_of_them_out(void **state)
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
	assert_texts(&done(lend(engine, A, 0, HOUR))->lend.taken, "before");
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
the_last_context_follows_the_end_of_a_life(void **state)
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
times_that_cannot_be_are_refused(void **state)
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
the_wall_clock_moves_nothing_while_the_server_runs(void **state)
{
	(void)state;
	int64_t ts = look_at(put_timed(A, "1", MINUTE, 0))->ts_ms;
	put_timed(A, "2", 0, MINUTE), put(A, "3");
	borrow(A, 0, MINUTE);
	now.wall_ms += 10 * YEAR;
	assert_deliverable(A, "");
	now.wall_ms -= 20 * YEAR;
	assert_deliverable(A, "");
	assert_true(look_at(put(B, "x"))->ts_ms >= ts + 10 * YEAR); /* and times do not go back */
	now.boot_ms += MINUTE;
	assert_deliverable(A, "1 3");
}

static void
time_passes_while_no_server_runs(void **state)
{
	(void)state;
	put_timed(A, "1", MINUTE, 0), put_timed(A, "2", 0, MINUTE),
	    put_timed(A, "3", 3 * MINUTE, 0), put(A, "4");
	put_timed(A, "5", 0, 3 * MINUTE);
	sleep_stopped(MINUTE);
	assert_deliverable(A, "1 4 5");
	assert_queued(A, "1 3 4 5");
	assert_int_equal(stats().outcomes[OUTCOME_EXPIRED], 1);
	assert_int_equal(engine_due_ms(engine), 2 * MINUTE);
	sleep_stopped(2 * MINUTE - 1);
	assert_deliverable(A, "1 4 5");
	pass(1);
	assert_deliverable(A, "1 3 4");
}

/* The machine started anew: its steady clock begins at nothing. */
static void
a_machine_that_starts_anew_keeps_time(void **state)
{
	(void)state;
	put_timed(A, "1", MINUTE, 0), put_timed(A, "2", 0, MINUTE), put_timed(A, "3", 2 * HOUR, 0);
	int64_t lease = borrow(A, 0, 2 * MINUTE);
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
 * A small board without a battery starts in the past; what was to last a minute may not last for
 * years then (C10).
 */
static void
a_clock_that_starts_in_the_past_wedges_nothing(void **state)
{
	(void)state;
	put_timed(A, "1", MINUTE, 0), put_timed(A, "2", 0, MINUTE), put(A, "3");
	borrow(A, 0, MINUTE);
	engine_close(engine), engine = NULL;
	now.wall_ms -= 20 * YEAR;
	now.boot_ms = 5;
	reopen();
	assert_in_range(engine_due_ms(engine), 0, MINUTE);
	pass(MINUTE);
	assert_deliverable(A, "1 3");
	assert_int_equal(engine_due_ms(engine), -1);
}

/* The last that was written may be an outcome. */
static void
time_goes_on_from_the_last_that_was_written(void **state)
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

/* --- timers that nobody needs any more --- */

/* Until nothing is due any more. How many turns that took. */
static size_t
let_all_come_up(void)
{
	size_t turns = 0;

	for (int64_t due; (due = engine_due_ms(engine)) >= 0; turns++) {
		pass(due);
		turn();
	}
	return turns;
}

static void
extending_for_ever_keeps_one_timer(void **state)
{
	(void)state;
	put(A, "1"), put(A, "2");
	int64_t lease = borrow(A, 0, MINUTE);
	for (int i = 0; i < 100; i++) {
		pass(10);
		done(extend(engine, lease, ALL, HOUR));
		calls_free();
	}
	int64_t start = now.boot_ms;
	assert_in_range(let_all_come_up(), 1, 3);
	assert_int_equal(now.boot_ms - start, HOUR);
	assert_deliverable(A, "1 2");
}

static void
making_a_lease_longer_and_shorter_for_ever_keeps_one_timer(void **state)
{
	(void)state;
	put(A, "1"), put(A, "2");
	int64_t lease = borrow(A, 0, HOUR);
	for (int i = 0; i < 100; i++) {
		pass(10);
		done(extend(engine, lease, ALL, HOUR));
		done(extend(engine, lease, ALL, HOUR / 2));
		calls_free();
	}
	assert_in_range(let_all_come_up(), 1, 4);
	assert_deliverable(A, "1 2");
}

/*
 * Each time by a little: only the last timer counts, and most of those before it are squeezed out.
 */
static void
making_a_lease_shorter_again_and_again_keeps_few_timers(void **state)
{
	(void)state;
	put(A, "1");
	int64_t lease = borrow(A, 0, HOUR);
	for (int i = 0; i < 5000; i++) {
		done(extend(engine, lease, ALL, HOUR - i));
		calls_free();
	}
	assert_int_equal(engine_due_ms(engine), HOUR - 4999);
	done(extend(engine, lease, ALL, HOUR));
	assert_in_range(let_all_come_up(), 1, 1500);
	assert_deliverable(A, "1");
}

static void
a_lease_that_could_not_be_given_back_in_part_is_so_next_time(void **state)
{
	(void)state;
	int64_t one = put(A, "1");
	put(A, "2");
	int64_t lease = borrow(A, 0, HOUR);
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
a_lease_that_could_not_be_made_shorter_keeps_its_time(void **state)
{
	(void)state;
	put(A, "1");
	int64_t lease = borrow(A, 0, HOUR);
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
	int64_t lease = borrow(A, 0, HOUR);
	for (int64_t id = 1; id <= 3; id++)
		done(extend(engine, lease, &id, 1, id * MINUTE));
	reopen();
	assert_int_equal(engine_due_ms(engine), MINUTE);
	assert_int_equal(let_all_come_up(), 3);
	assert_deliverable(A, "1 2 3");
}

static void
what_was_refused_sets_no_timer(void **state)
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
timers_of_what_is_over_are_squeezed_out(void **state)
{
	(void)state;
	for (int i = 0; i < 5000; i++) {
		put_timed(A, "1", 0, HOUR + i);
		done(ack(engine, borrow(A, 0, HOUR + i), ALL));
		calls_free();
	}
	assert_in_range(let_all_come_up(), 0, 1999);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_delayed_event_waits_for_its_time),
		TEST(a_delayed_event_can_be_taken_by_name),
		TEST(an_expired_event_is_recorded_and_never_given),
		TEST(an_event_may_be_delayed_and_mortal),
		TEST(a_leased_event_expires_when_it_comes_back),
		TEST(an_event_given_back_keeps_its_time_to_live),
		TEST(more_than_one_turn_can_expire_gives_none_of_them_out),
		TEST(the_last_context_follows_the_end_of_a_life),
		TEST(times_that_cannot_be_are_refused),
		TEST(the_wall_clock_moves_nothing_while_the_server_runs),
		TEST(time_passes_while_no_server_runs),
		TEST(a_machine_that_starts_anew_keeps_time),
		TEST(a_clock_that_starts_in_the_past_wedges_nothing),
		TEST(time_goes_on_from_the_last_that_was_written),
		TEST(extending_for_ever_keeps_one_timer),
		TEST(making_a_lease_longer_and_shorter_for_ever_keeps_one_timer),
		TEST(making_a_lease_shorter_again_and_again_keeps_few_timers),
		TEST(a_lease_that_could_not_be_given_back_in_part_is_so_next_time),
		TEST(a_lease_that_could_not_be_made_shorter_keeps_its_time),
		TEST(a_loaded_lease_has_one_timer),
		TEST(what_was_refused_sets_no_timer),
		TEST(timers_of_what_is_over_are_squeezed_out),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
