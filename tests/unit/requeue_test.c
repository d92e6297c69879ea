/*
 * requeue_test.c - dead letters enqueued again: each once, in the order asked, spread over time on
 * request; or discarded.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "tests/unit/fixture.h"

#define MINUTE 60000

/* Dead letters: three of A and one of B, ids 1 to 4. */
static int
begin(void **state)
{
	if (fixture_begin(state) != 0)
		return -1;
	options.attempts_max = 1;
	reopen();
	put(A, "1"), put(A, "2"), put(A, "3"), put(B, "x");
	done(nack(engine, lease_events(A, 0, MINUTE), ALL)),
	    done(nack(engine, lease_events(B, 0, MINUTE), ALL));
	return 0;
}

static void
dead_letters_are_requeued_as_new_events_in_the_order_asked(void **state)
{
	(void)state;
	put(A, "4");
	struct call *call = done(requeue(engine, IDS(3, 4, 1), 0, false));
	assert_int_equal(call->requeue.requeued, 3);
	assert_int_equal(call->requeue.passed_over, 0);
	assert_deliverable(A, "4 3 1");
	assert_deliverable(B, "x");
	assert_int_equal(done(peek(engine, B))->peek.found.events[0].attempts, 0);
	assert_int_equal(store.events[5].event.id, 6);
	reopen();
	assert_deliverable(A, "4 3 1");
}

static void
each_dead_letter_is_requeued_once(void **state)
{
	(void)state;
	struct call *calls[] = { requeue(engine, IDS(1, 1), 0, false),
				 requeue(engine, IDS(2, 1), 0, false) };
	turn();
	assert_int_equal(calls[0]->requeue.requeued, 1);
	assert_int_equal(calls[0]->requeue.passed_over, 1);
	assert_int_equal(calls[1]->requeue.requeued, 1);
	assert_int_equal(calls[1]->requeue.passed_over, 1);
	for (int round = 0; round < 2; round++) {
		assert_int_equal(done(requeue(engine, IDS(1, 2), 0, false))->requeue.requeued, 0);
		assert_deliverable(A, "1 2");
		reopen();
	}
	/* the new events become dead letters, and those can be requeued */
	done(nack(engine, lease_events(A, 0, MINUTE), ALL));
	assert_int_equal(done(requeue(engine, IDS(1, 2), 0, false))->requeue.requeued, 0);
	assert_int_equal(done(requeue(engine, IDS(5, 6), 0, false))->requeue.requeued, 2);
}

static void
ids_of_other_events_are_skipped(void **state)
{
	(void)state;
	int64_t waits = put(A, "4"), taken = put(B, "y");
	done(drain(engine, B, 0));
	struct str ids[] = { STR("x"), STR(""), STR("0"), STR("99999999999999999999") };
	struct call *call = requeue(engine, IDS(waits, taken, 99), 0, false);
	assert_int_equal(done(call)->requeue.passed_over, 3);
	call = requeue(engine, IDS(1), 0, false);
	call->requeue.ids = ids;
	call->requeue.id_count = COUNT(ids);
	assert_int_equal(done(call)->requeue.passed_over, 4);
	assert_deliverable(A, "4");
}

/* Without the limit a short list of ids would read any amount of text into memory. */
static void
too_much_text_is_refused(void **state)
{
	(void)state;
	enum { FIT = ANSWER_TEXT_BYTES_MAX / TEXT_BYTES_MAX };
	static char text[TEXT_BYTES_MAX], digits[FIT + 1][24];
	struct str ids[FIT + 1];
	struct draft one = draft(A, "");
	memset(text, 'x', sizeof(text));
	one.text = (struct str){ text, sizeof(text) };
	one.allow_duplicate = true;
	for (size_t i = 0; i <= FIT; i++) {
		snprintf(digits[i], sizeof(digits[i]), "%zu", 5 + i);
		ids[i] = str_of(digits[i]);
		done(enqueue_draft(engine, one));
	}
	for (int64_t lease; (lease = lease_events(A, 0, MINUTE)) != 0;)
		done(nack(engine, lease, ALL));
	for (size_t count = FIT + 1; count >= FIT; count--) {
		struct call *call = requeue(engine, IDS(1), 0, false);

		call->requeue.ids = ids;
		call->requeue.id_count = count;
		if (count > FIT)
			fails(call, ERROR_TOO_LARGE);
		else
			assert_int_equal(done(call)->requeue.requeued, FIT);
	}
}

static void
a_dry_run_only_counts(void **state)
{
	(void)state;
	size_t commits = store.commits;
	struct call *call = done(requeue(engine, IDS(1, 2, 2, 9), 0, true));
	assert_int_equal(call->requeue.requeued, 2);
	assert_int_equal(call->requeue.passed_over, 2);
	assert_int_equal(store.commits, commits);
	assert_int_equal(stats().pending, 0);
	assert_int_equal(done(requeue(engine, IDS(1, 2), 0, false))->requeue.requeued, 2);
}

static void
requeued_events_can_be_spread_over_time(void **state)
{
	(void)state;
	done(requeue(engine, IDS(1, 2, 3), 500, false));
	assert_deliverable(A, "1");
	pass(500);
	assert_deliverable(A, "1 2");
	reopen();
	pass(499);
	assert_deliverable(A, "1 2");
	pass(1);
	assert_deliverable(A, "1 2 3");
}

static void
a_full_session_refuses_the_whole_requeue(void **state)
{
	(void)state;
	options.session_pending_max = 2;
	/* pending events are not evicted to make room for dead letters */
	options.overflow = OVERFLOW_DROP_OLDEST;
	reopen();
	put(A, "4");
	fails(requeue(engine, IDS(4, 1, 2), 0, false), ERROR_QUEUE_FULL);
	assert_queued(A, "4");
	assert_queued(B, "");
	assert_int_equal(done(requeue(engine, IDS(4, 1), 0, false))->requeue.requeued, 2);
	options.pending_max = 3;
	reopen();
	fails(requeue(engine, IDS(2), 0, false), ERROR_QUEUE_FULL);
}

static void
the_limit_of_sessions_holds_for_a_requeue(void **state)
{
	(void)state;
	options.sessions_max = 1;
	reopen();
	fails(requeue(engine, IDS(1, 4), 0, false), ERROR_QUEUE_FULL);
	assert_int_equal(done(requeue(engine, IDS(1, 2), 0, false))->requeue.requeued, 2);
}

static void
a_failed_commit_leaves_dead_letters_dead(void **state)
{
	(void)state;
	store.commit_fails = ERROR_STORAGE_FAILED;
	fails(requeue(engine, IDS(1), 0, false), ERROR_STORAGE_FAILED);
	store.commit_fails = ERROR_NONE;
	store.full_for_events = true;
	fails(requeue(engine, IDS(1), 0, false), ERROR_STORAGE_FULL);
	store.full_for_events = false;
	assert_int_equal(done(requeue(engine, IDS(1), 0, false))->requeue.requeued, 1);
	assert_deliverable(A, "1");
}

static void
an_evicted_event_is_a_dead_letter(void **state)
{
	(void)state;
	options.session_pending_max = 1;
	options.overflow = OVERFLOW_DROP_OLDEST;
	reopen();
	int64_t id = put(A, "old");
	put(A, "new");
	assert_str(store.outcomes[store.outcome_count - 1].detail, "overflow");
	done(drain(engine, A, 0));
	assert_int_equal(done(requeue(engine, IDS(id), 0, false))->requeue.requeued, 1);
	assert_deliverable(A, "old");
}

static void
a_discarded_dead_letter_cannot_be_requeued(void **state)
{
	(void)state;
	struct call *calls[] = { discard(engine, IDS(4, 1), false),
				 discard(engine, IDS(1, 2, 2), false),
				 requeue(engine, IDS(1, 3), 0, false),
				 discard(engine, IDS(3), false) };
	turn();
	assert_int_equal(calls[0]->discard.discarded, 2);
	assert_int_equal(calls[1]->discard.discarded, 1);
	assert_int_equal(calls[1]->discard.passed_over, 2);
	assert_int_equal(calls[2]->requeue.requeued, 1);
	assert_int_equal(calls[3]->discard.discarded, 0);
	for (int round = 0; round < 2; round++) {
		assert_int_equal(done(requeue(engine, IDS(1, 2, 4), 0, false))->requeue.requeued,
				 0);
		assert_int_equal(done(discard(engine, IDS(1, 2, 4), false))->discard.discarded, 0);
		assert_deliverable(A, "3");
		assert_queued(B, "");
		reopen();
	}
}

static void
a_dry_discard_only_counts(void **state)
{
	(void)state;
	size_t commits = store.commits;
	struct call *call = done(discard(engine, IDS(1, 4, 9), true));
	assert_int_equal(call->discard.discarded, 2);
	assert_int_equal(call->discard.passed_over, 1);
	assert_int_equal(store.commits, commits);
	assert_int_equal(done(discard(engine, IDS(1, 4), false))->discard.discarded, 2);
}

/* What it has looked up before is old by then. */
static void
a_requeue_that_waited_for_room_passes_over_what_was_discarded_meanwhile(void **state)
{
	(void)state;
	if (store.defer) /* the test holds calls back itself */
		skip();
	store.full_for_events = store.defer = true;
	struct call *waits = requeue(engine, IDS(1, 2), 0, false);
	turn();
	assert_true(memory_store_release(&store)); /* the lookup */
	store.base.makes_room = true;
	while (memory_store_release(&store)) /* the commit, then that of the others */
		continue;
	store.defer = false;
	assert_int_equal(waits->answered, 0);
	assert_int_equal(done(discard(engine, IDS(1), false))->discard.discarded, 1);
	store.full_for_events = store.base.makes_room = false;
	done(waits);
	assert_int_equal(waits->requeue.requeued, 1);
	assert_deliverable(A, "2");
}

/* It looks its dead letters up anew for each try. */
static void
a_requeue_that_waits_for_room_copies_its_texts_once(void **state)
{
	static char text[TEXT_BYTES_MAX];
	const int64_t *id = (int64_t[]){ 5 };

	(void)state;
	memset(text, 'x', sizeof(text) - 1);
	put(A, text);
	done(nack(engine, lease_events(A, 0, MINUTE), ALL));
	call_back_at_once();
	store.full_for_events = store.gives_way = true;
	struct call *waits = requeue(engine, id, 1, 0, false);
	size_t commits = store.commits;
	while (store.commits < commits + 20) {
		turn();
		assert_int_equal(waits->answered, 0);
		store.base.makes_room = false;
	}
	assert_in_range(arena_size(&waits->op.arena), TEXT_BYTES_MAX, 2 * TEXT_BYTES_MAX);
	store.full_for_events = false;
	assert_int_equal(done(waits)->requeue.requeued, 1);
	assert_deliverable(A, text);
}

#undef TEST
#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, fixture_end)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(dead_letters_are_requeued_as_new_events_in_the_order_asked),
		TEST(each_dead_letter_is_requeued_once),
		TEST(ids_of_other_events_are_skipped),
		TEST(too_much_text_is_refused),
		TEST(a_dry_run_only_counts),
		TEST(requeued_events_can_be_spread_over_time),
		TEST(a_full_session_refuses_the_whole_requeue),
		TEST(the_limit_of_sessions_holds_for_a_requeue),
		TEST(a_failed_commit_leaves_dead_letters_dead),
		TEST(an_evicted_event_is_a_dead_letter),
		TEST(a_discarded_dead_letter_cannot_be_requeued),
		TEST(a_dry_discard_only_counts),
		TEST(a_requeue_that_waited_for_room_passes_over_what_was_discarded_meanwhile),
		TEST(a_requeue_that_waits_for_room_copies_its_texts_once),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
