/*
 * census_test.c - what only a look at every queue can tell, and how seldom that look is taken.
 *
 * What is counted here is work, not time.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>

#include "tests/unit/fixture.h"

#define SECOND 1000
#define MINUTE (60 * SECOND)
#define MANY 96000  /* queues */
#define READERS 256 /* that ask at once */
#define FEW 250     /* a turn has room for all of them */
#define QUEUE 16    /* entries that a queue counts as */
#define WALK_MAX (QUEUE * MANY + MANY / 8)
#define SLICE_MAX 130000 /* entries that a turn looks at, counting a queue as some */

static void
it_counts_what_can_be_had_and_for_how_long(void **state)
{
	(void)state;
	assert_int_equal(census().ready, 0);
	assert_int_equal(census().oldest_ready_age_ms, 0);
	put(A, "leased"), pass(SECOND), put(A, "ready"), pass(SECOND);
	lease_events(A, 1, MINUTE);
	struct draft delayed = draft(B, "delayed");
	delayed.delay_ms = MINUTE;
	done(enqueue_draft(engine, delayed));
	pass(SECOND);
	struct census seen = census();
	assert_int_equal(seen.ready, 1);
	assert_int_equal(seen.oldest_age_ms, 3 * SECOND);
	assert_int_equal(seen.oldest_ready_age_ms, SECOND); /* since the lease was taken */
	assert_int_equal(stats().leased_now, 1);
	assert_int_equal(stats().delayed_now, 1);
	done(drain(engine, A, 0));
	assert_int_equal(census().ready, 0);
	assert_int_equal(census().oldest_ready_age_ms, 0);
}

/* Neither its delay nor a lease counts: the event could not be had meanwhile. */
static void
an_event_is_ready_since_it_could_be_had(void **state)
{
	struct draft delayed = draft(A, "delayed");

	(void)state;
	delayed.delay_ms = 120 * MINUTE;
	done(enqueue_draft(engine, delayed));
	pass(120 * MINUTE - 1);
	assert_int_equal(census().oldest_ready_age_ms, 0);
	pass(1);
	assert_int_equal(census().ready, 1);
	assert_int_equal(census().oldest_ready_age_ms, 0);
	pass(SECOND);
	put(B, "younger"), pass(SECOND);
	assert_int_equal(census().oldest_ready_age_ms, 2 * SECOND);
	assert_int_equal(census().oldest_age_ms, 120 * MINUTE + 2 * SECOND);
	lease_events(A, 1, MINUTE);
	assert_int_equal(census().oldest_ready_age_ms, SECOND);
	done(drain(engine, B, 0));
	pass(MINUTE);
	assert_int_equal(census().ready, 1);
	assert_int_equal(census().oldest_ready_age_ms, 0);
	pass(SECOND);
	assert_int_equal(census().oldest_ready_age_ms, SECOND);
}

static void
after_a_restart_an_event_is_ready_since_it_could_be_had(void **state)
{
	struct draft delayed = draft(A, "delayed");

	(void)state;
	delayed.delay_ms = 90 * MINUTE;
	done(enqueue_draft(engine, delayed));
	put(B, "given back");
	pass(80 * MINUTE);
	int64_t lease = lease_events(B, 1, MINUTE);
	pass(SECOND);
	done(nack(engine, lease, ALL));
	pass(SECOND);
	reopen();
	assert_int_equal(census().oldest_ready_age_ms, SECOND);
	done(drain(engine, B, 0));
	pass(15 * MINUTE);
	for (int round = 0; round < 2; round++) {
		reopen();
		assert_int_equal(census().oldest_ready_age_ms, 5 * MINUTE + 2 * SECOND);
	}
	put(A, "younger");
	pass(MINUTE);
	reopen();
	assert_int_equal(census().oldest_ready_age_ms, 6 * MINUTE + 2 * SECOND);
	done(consume(engine, A, IDS(1)));
	reopen();
	assert_int_equal(census().oldest_ready_age_ms, MINUTE);
}

static void
an_exclusive_lease_keeps_its_session_from_being_ready(void **state)
{
	(void)state;
	put(A, "1"), put(A, "2");
	done(take_lease_as(engine, (struct lease_take_op){ .address.session_key = STR(A),
							   .limit = 1,
							   .exclusive = true }));
	assert_int_equal(census().ready, 0);
	assert_int_equal(census().oldest_ready_age_ms, 0);
	assert_int_equal(census().oldest.id, 1);
}

/* The catalog's sums follow every change, also those that are undone. */
static void
sums_of_a_batch_that_fails_are_undone(void **state)
{
	(void)state;
	put(A, "1"), put(A, "2");
	int64_t lease = lease_events(A, 2, MINUTE);
	store.commit_fails = ERROR_STORAGE_FAILED;
	fails(nack(engine, lease, ALL), ERROR_STORAGE_FAILED);
	store.commit_fails = ERROR_NONE;
	assert_int_equal(stats().leased_now, 2);
	done(ack(engine, lease, IDS(1)));
	assert_int_equal(stats().leased_now, 1);
	reopen();
	assert_int_equal(stats().leased_now, 1);
}

static void
put_into_many(void)
{
	static struct draft drafts[CALL_DRAFTS_MAX];
	static char keys[CALL_DRAFTS_MAX][32];

	options.sessions_max = options.pending_max = 2 * MANY;
	reopen();
	for (int n = 0; n < MANY; n += CALL_DRAFTS_MAX) {
		for (int i = 0; i < CALL_DRAFTS_MAX; i++) {
			snprintf(keys[i], sizeof(keys[i]), "agent:a:%d", n + i);
			drafts[i] = draft(keys[i], "x");
		}
		done(enqueue_drafts(engine, drafts, CALL_DRAFTS_MAX));
	}
}

/* No turn looks at all queues, and all readers share the look. */
static void
many_readers_share_one_walk_over_many_turns(void **state)
{
	static struct call *calls[READERS];
	uint64_t began, turn_began;
	size_t turns = 0, left = READERS;

	(void)state;
	put_into_many();
	began = stats().walked;
	for (int i = 0; i < READERS; i++)
		calls[i] = take_census(engine);
	while (left > 0) {
		turn_began = stats().walked;
		assert_int_equal(engine_turn(engine, &error), 0);
		assert_true(stats().walked - turn_began <= SLICE_MAX);
		turns++;
		for (left = 0; left < READERS && !calls[READERS - 1 - left]->answered; left++)
			;
		assert_true(turns < READERS);
	}
	assert_true(turns >= 3);
	assert_in_range(stats().walked - began, QUEUE * MANY, WALK_MAX);
	for (int i = 0; i < READERS; i++) {
		assert_int_equal(calls[i]->answered, 1);
		assert_int_equal(calls[i]->census.census.ready, MANY);
	}
}

static void
a_small_call_passes_readers_that_wait(void **state)
{
	(void)state;
	put_into_many();
	for (int i = 0; i < READERS; i++)
		take_census(engine);
	assert_int_equal(engine_turn(engine, &error), 0);
	struct call *small = enqueue(engine, B, "small");
	assert_int_equal(engine_turn(engine, &error), 0);
	assert_int_equal(small->answered, 1);
}

static void
many_queues_are_looked_at_once_a_second(void **state)
{
	(void)state;
	put_into_many();
	census();
	uint64_t walked = stats().walked;
	done(drain(engine, "agent:a:0", 0));
	pass(SECOND - 1);
	assert_int_equal(census().ready, MANY);
	assert_true(stats().walked - walked < 100);
	pass(1);
	assert_int_equal(census().ready, MANY - 1);
	assert_true(stats().walked - walked > MANY);
}

/* Queues that only a batch had which was undone have never been. */
static void
a_walk_sees_nothing_of_a_batch_that_is_undone(void **state)
{
	(void)state;
	static char keys[FEW][32];

	put_into_many();
	for (int n = 0; n < FEW; n++) {
		snprintf(keys[n], sizeof(keys[n]), "agent:b:%d", n);
		enqueue(engine, keys[n], "never stored");
	}
	struct call *reader = take_census(engine);
	store.commit_fails = ERROR_STORAGE_FAILED;
	assert_int_equal(engine_turn(engine, &error), 0);
	assert_int_equal(reader->answered, 0);
	store.commit_fails = ERROR_NONE;
	while (!reader->answered)
		assert_int_equal(engine_turn(engine, &error), 0);
	assert_int_equal(reader->census.census.ready, MANY);
}

/* A producer for whose events there is no room may go on for long. */
static void
a_walk_ends_although_every_batch_is_undone(void **state)
{
	(void)state;
	put_into_many();
	struct call *reader = take_census(engine);
	store.full_for_events = true;
	for (size_t turns = 0; !reader->answered; turns++) {
		assert_true(turns < READERS);
		struct call *call = enqueue(engine, B, "never stored");
		assert_int_equal(engine_turn(engine, &error), 0);
		assert_int_equal(call->op.error.code, ERROR_STORAGE_FULL);
	}
	assert_int_equal(reader->census.census.ready, MANY);
}

static void
another_reader_is_answered_after_one_has_failed(void **state)
{
	(void)state;
	put_into_many();
	struct call *first = take_census(engine), *second = NULL;
	store.commit_fails = ERROR_STORAGE_FAILED;
	for (size_t turns = 0; !first->answered; turns++) {
		assert_true(turns < READERS);
		enqueue(engine, B, "never stored");
		assert_int_equal(engine_turn(engine, &error), 0);
	}
	assert_int_equal(first->op.error.code, ERROR_STORAGE_FAILED);
	store.commit_fails = ERROR_NONE;
	second = take_census(engine);
	for (size_t turns = 0; !second->answered; turns++) {
		assert_true(turns < READERS);
		assert_int_equal(engine_turn(engine, &error), 0);
	}
	assert_int_equal(second->census.census.ready, MANY);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(it_counts_what_can_be_had_and_for_how_long),
		TEST(an_event_is_ready_since_it_could_be_had),
		TEST(after_a_restart_an_event_is_ready_since_it_could_be_had),
		TEST(an_exclusive_lease_keeps_its_session_from_being_ready),
		TEST(sums_of_a_batch_that_fails_are_undone),
		TEST(many_readers_share_one_walk_over_many_turns),
		TEST(a_small_call_passes_readers_that_wait),
		TEST(many_queues_are_looked_at_once_a_second),
		TEST(a_walk_sees_nothing_of_a_batch_that_is_undone),
		TEST(a_walk_ends_although_every_batch_is_undone),
		TEST(another_reader_is_answered_after_one_has_failed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
