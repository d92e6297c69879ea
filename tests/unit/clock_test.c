/*
 * clock_test.c - clocks that jump: marks, the stamps of events, ages, and everything that lasts.
 *
 * Generated sequences of jumps and restarts cross with delays, times to live, leases and given-back
 * events. True time is counted by the test; no sequence may let anything last longer or shorter
 * than a second of it.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "tests/unit/fixture.h"

#define SECOND INT64_C(1000)
#define MINUTE INT64_C(60000)
#define HOUR (60 * MINUTE)
#define DAY (24 * HOUR)
#define YEAR (365 * DAY)

static void
restart(void)
{
	engine_close(engine);
	engine = NULL;
	reopen();
}

/* The machine is off for this long: its boot clock starts anew. */
static void
restart_machine(int64_t off_ms)
{
	engine_close(engine);
	engine = NULL;
	now.wall_ms += off_ms;
	now.boot_ms = 2000;
	now.boot_id++;
	reopen();
}

/* --- stamps and ages --- */

static int64_t
stamp_of_new_event(void)
{
	static int count;
	char text[16];

	snprintf(text, sizeof(text), "n%d", ++count);
	return look_at(put(B, text))->ts_ms;
}

static void
stamps_follow_a_clock_that_is_more_than_a_minute_behind(void **state)
{
	(void)state;
	now.wall_ms += YEAR;
	assert_int_equal(stamp_of_new_event(), now.wall_ms);
	now.wall_ms -= MINUTE;
	assert_int_equal(stamp_of_new_event(), now.wall_ms + MINUTE);
	now.wall_ms -= 1;
	assert_int_equal(stamp_of_new_event(), now.wall_ms);
	now.wall_ms -= YEAR;
	restart();
	assert_int_equal(stamp_of_new_event(), now.wall_ms);
	restart();
	assert_int_equal(stamp_of_new_event(), now.wall_ms);
}

static void
stamps_wait_for_a_clock_that_is_a_little_behind(void **state)
{
	(void)state;
	int64_t newest = stamp_of_new_event();

	now.wall_ms -= 30 * SECOND;
	for (int i = 0; i < 30; i++) {
		pass(SECOND);
		assert_int_equal(stamp_of_new_event(), newest);
		if (i == 15)
			restart();
	}
	pass(SECOND);
	assert_int_equal(stamp_of_new_event(), newest + SECOND);
}

static void
jumps_of_more_than_a_minute_are_counted(void **state)
{
	(void)state;
	stamp_of_new_event();
	now.wall_ms += MINUTE;
	stamp_of_new_event();
	assert_int_equal(stats().clock_jumps, 0);
	now.wall_ms += HOUR;
	stamp_of_new_event(), stamp_of_new_event();
	assert_int_equal(stats().clock_jumps, 1);
	now.wall_ms -= 2 * HOUR;
	stamp_of_new_event(), stamp_of_new_event();
	assert_int_equal(stats().clock_jumps, 2);
	engine_close(engine), engine = NULL;
	now.wall_ms -= YEAR;
	reopen();
	assert_int_equal(stats().clock_jumps, 1);
	stamp_of_new_event();
	restart();
	assert_int_equal(stats().clock_jumps, 0);
}

static size_t
sessions_older_than(int64_t age_ms)
{
	return done(list_sessions(engine, (struct sessions_op){ .min_age_ms = age_ms }))
	    ->sessions.count;
}

static void
ages_are_right_while_the_clock_is_wrong_and_after(void **state)
{
	(void)state;
	static const int64_t jumps[] = { YEAR, -YEAR, -30 * SECOND, -2 * YEAR, 10 * YEAR };

	put(A, "1");
	pass(HOUR);
	for (size_t i = 0; i < COUNT(jumps); i++) {
		now.wall_ms += jumps[i];
		if (i % 2 == 1)
			restart();
		int64_t age_ms = HOUR * (int64_t)(i + 1);
		assert_in_range(census().oldest_age_ms, age_ms - SECOND, age_ms + SECOND);
		assert_int_equal(sessions_older_than(age_ms - SECOND), 1);
		assert_int_equal(sessions_older_than(age_ms + SECOND), 0);
		char key[32];
		snprintf(key, sizeof(key), "agent:main:s%zu", i);
		put(key, "stamped by the wrong clock");
		pass(HOUR);
		assert_int_equal(sessions_older_than(HOUR - SECOND), i + 2);
	}
	struct call *list =
	    done(list_sessions(engine, (struct sessions_op){ .sort = SORT_OLDEST }));
	assert_str(list->sessions.sessions[0].session_key, A);
	assert_str(list->sessions.sessions[1].session_key, "agent:main:s0");
	assert_str(list->sessions.sessions[5].session_key, "agent:main:s4");
}

/* --- what lasts --- */

/* True time since the test began, and the time by which each thing must be over. */
static int64_t passed_ms;

static void
let(int64_t ms)
{
	pass(ms);
	passed_ms += ms;
}

enum thing { DELAY, LIFE, LEASE, GIVEN_BACK, THINGS };

/* Each has a session of its own, so that several can last at once. */
static const struct {
	const char *name, *key;
} things[THINGS] = {
	{ "a delay", "agent:main:delay" },
	{ "a time to live", "agent:main:life" },
	{ "a lease", "agent:main:lease" },
	{ "an event given back", "agent:main:given-back" },
};

/* Begins to last for that long. */
static void
begin(enum thing thing, int64_t ms)
{
	const char *key = things[thing].key;
	struct draft d = draft(key, "x");

	if (thing == DELAY)
		d.delay_ms = ms;
	else if (thing == LIFE)
		d.ttl_ms = ms;
	done(enqueue_draft(engine, d));
	if (thing != LEASE && thing != GIVEN_BACK)
		return;
	int64_t lease = lease_events(key, 0, thing == LEASE ? ms : MINUTE);
	struct lease_change_op nack;
	lease_change_op_init(&nack, LEASE_NACK);
	nack.delay_ms = ms;
	if (thing == GIVEN_BACK)
		done(change_lease(engine, nack, lease, ALL));
}

/* Whether it is over: the event can be taken, or is gone. */
static bool
is_over(enum thing thing)
{
	turn();
	struct call *call = done(peek(engine, things[thing].key));

	if (thing == LIFE)
		return call->peek.found.count == 0;
	assert_int_equal(call->peek.found.count, 1);
	return call->peek.found.events[0].state == EVENT_STATE_QUEUED;
}

struct jump {
	const char *name;
	int64_t wall_ms;
};

static const struct jump jumps[] = {
	{ "none", 0 },
	{ "back by a second", -SECOND },
	{ "back by half a minute", -MINUTE / 2 },
	{ "back", -2 * HOUR },
	{ "ahead", 2 * HOUR },
	{ "a year back", -YEAR },
	{ "a year ahead", YEAR },
};

enum restarts { NEVER, AFTER_JUMPS, BEFORE_JUMPS, BOTH, RESTARTS };

static void
jump(const struct jump *by, enum restarts restarts)
{
	if (restarts == BEFORE_JUMPS || restarts == BOTH) {
		turn();
		engine_close(engine);
		engine = NULL;
	}
	now.wall_ms += by->wall_ms;
	if (engine == NULL)
		reopen();
	turn();
	if (restarts == AFTER_JUMPS || restarts == BOTH)
		restart();
	turn();
}

static void
assert_over(bool over, const struct jump *const by[3], enum restarts restarts)
{
	for (int thing = 0; thing < THINGS; thing++)
		if (is_over((enum thing)thing) != over)
			fail_msg("%s %s: %s, %s, %s; restarts %d", things[thing].name,
				 over ? "lasts too long" : "is over early", by[0]->name,
				 by[1]->name, by[2]->name, (int)restarts);
}

/* Three jumps, one before the things begin, two while they last; then the end must be on time. */
static void
last(const struct jump *const by[3], enum restarts restarts)
{
	const int64_t ms = 10 * MINUTE;

	jump(by[0], restarts);
	passed_ms = 0;
	for (int thing = 0; thing < THINGS; thing++)
		begin((enum thing)thing, ms);
	for (int i = 1; i < 3; i++) {
		let(3 * MINUTE);
		jump(by[i], restarts);
		let(MINUTE);
		put(A, "something else is written meanwhile");
		done(drain(engine, A, 0));
	}
	let(ms - passed_ms - SECOND);
	assert_over(false, by, restarts);
	let(2 * SECOND);
	assert_over(true, by, restarts);
}

/* Any three jumps, and any two of them with each way to restart. */
static void
everything_lasts_as_long_as_asked_whatever_the_clock_does(void **state)
{
	enum { J = COUNT(jumps) };

	for (unsigned i = 0; i < J * J * J; i++) {
		unsigned a = i % J, b = i / J % J, c = i / J / J;

		last((const struct jump *const[3]){ &jumps[a], &jumps[b], &jumps[c] },
		     (enum restarts)((a + b + c) % RESTARTS));
		assert_int_equal(fixture_end(state), 0);
		assert_int_equal(fixture_begin(state), 0);
	}
}

/*
 * The clock was a year ahead, and the machine starts anew with the right one, again and again. The
 * time that it was off is unknown, but what is left does not grow.
 */
static void
what_is_left_never_grows_at_a_start(void **state)
{
	for (int thing = 0; thing < THINGS; thing++) {
		now.wall_ms += YEAR;
		begin((enum thing)thing, 10 * MINUTE);
		pass(MINUTE);
		restart_machine(-YEAR);
		for (int i = 0; i < 8; i++) {
			assert_false(is_over((enum thing)thing));
			pass(MINUTE);
			restart_machine(-MINUTE); /* as if the clock stood still while it is off */
		}
		pass(MINUTE - SECOND);
		assert_false(is_over((enum thing)thing));
		pass(2 * SECOND);
		assert_true(is_over((enum thing)thing));
		assert_int_equal(fixture_end(state), 0);
		assert_int_equal(fixture_begin(state), 0);
	}
}

static void
a_right_clock_counts_while_the_machine_is_off(void **state)
{
	for (int thing = 0; thing < THINGS; thing++) {
		begin((enum thing)thing, 10 * MINUTE);
		pass(MINUTE);
		restart_machine(4 * MINUTE);
		restart();
		restart_machine(5 * MINUTE - SECOND);
		assert_false(is_over((enum thing)thing));
		pass(2 * SECOND);
		assert_true(is_over((enum thing)thing));
		assert_int_equal(fixture_end(state), 0);
		assert_int_equal(fixture_begin(state), 0);
	}
}

/* The time that passed before a crash of the machine is known by the minute. */
static void
time_is_stored_while_something_lasts(void **state)
{
	(void)state;
	begin(DELAY, 10 * MINUTE);
	for (int i = 0; i < 5; i++) {
		pass(MINUTE);
		turn();
		engine_chores(engine);
		while (memory_store_release(&store))
			continue;
	}
	int64_t steady_ms = store.steady_ms;
	restart_machine(-YEAR);
	store.steady_ms = steady_ms; /* not as the close left it */
	pass(5 * MINUTE - SECOND);
	assert_false(is_over(DELAY));
	pass(2 * SECOND);
	assert_true(is_over(DELAY));
}

/* Ids of a batch that failed are given again after a restart; the mark must be about them too. */
static void
a_mark_is_about_ids_that_a_failed_batch_had(void **state)
{
	(void)state;
	put(B, "x");
	store.commit_fails = ERROR_STORAGE_FAILED;
	fails(enqueue(engine, B, "y"), ERROR_STORAGE_FAILED);
	store.commit_fails = ERROR_NONE;
	now.wall_ms += YEAR;
	done(drain(engine, B, 0));
	restart();
	begin(DELAY, MINUTE);
	restart();
	pass(MINUTE - SECOND);
	assert_false(is_over(DELAY));
	pass(2 * SECOND);
	assert_true(is_over(DELAY));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(stamps_follow_a_clock_that_is_more_than_a_minute_behind),
		TEST(stamps_wait_for_a_clock_that_is_a_little_behind),
		TEST(jumps_of_more_than_a_minute_are_counted),
		TEST(ages_are_right_while_the_clock_is_wrong_and_after),
		TEST(everything_lasts_as_long_as_asked_whatever_the_clock_does),
		TEST(what_is_left_never_grows_at_a_start),
		TEST(a_right_clock_counts_while_the_machine_is_off),
		TEST(time_is_stored_while_something_lasts),
		TEST(a_mark_is_about_ids_that_a_failed_batch_had),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
