/*
 * lease_test.c - delivery at least once: what a lease holds, what each way to end it leaves behind,
 * and calls that come too late.
 *
 * Promises C2, C4, C5, C6 and C10 of the design. The clocks stand still until a test moves them.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "tests/unit/fixture.h"

#define MINUTE 60000

static void
assert_state(int64_t id, const char *state, int attempts)
{
	const struct system_event *event = look_at(id);

	assert_string_equal(event_state_name(event), state);
	assert_int_equal(event->attempts, attempts);
}

/* An outcome record of the store; 0 is the newest. */
static const struct store_outcome *
recorded(size_t back)
{
	return &store.outcomes[store.outcome_count - 1 - back];
}

static struct lease_change_op
nack_input(void)
{
	struct lease_change_op input;

	lease_change_op_init(&input, LEASE_NACK);
	return input;
}

/* --- take --- */

static void
a_lease_lends_a_prefix_oldest_first(void **state)
{
	(void)state;
	put(A, "1"), put(B, "x"), put(A, "2"), put(A, "3");
	struct lease_take_op *lease = &done(take_lease(engine, A, 2, MINUTE))->lease_take;
	assert_texts(&lease->taken, "1 2");
	assert_str(lease->session_key, A);
	assert_int_equal(lease->until_ms, now.wall_ms + MINUTE);
	assert_int_equal(lease->remaining, 1);
	assert_int_equal(lease->lease_id, recorded(0)->id);
	assert_int_equal(lease->taken.events[0].state, EVENT_STATE_LEASED);
	assert_int_equal(store.outcome_count, 1); /* one record for the whole call */
	assert_queued(A, "1 2 3");
	assert_deliverable(A, "3");
}

static void
a_lease_of_no_events_is_not_made(void **state)
{
	(void)state;
	struct lease_take_op *lease = &done(take_lease(engine, A, 0, MINUTE))->lease_take;
	assert_int_equal(lease->lease_id, 0);
	assert_int_equal(lease->until_ms, 0);
	assert_texts(&lease->taken, "");
	put(A, "1");
	lease_events(A, 0, MINUTE);
	lease = &done(take_lease(engine, A, 0, MINUTE))->lease_take;
	assert_int_equal(lease->lease_id, 0);
	assert_int_equal(lease->remaining, 1);
	assert_int_equal(store.outcome_count, 1);
}

static void
a_lease_never_blocks_later_events(void **state)
{
	(void)state;
	put(A, "1");
	int64_t first = lease_events(A, 0, MINUTE);
	put(A, "2");
	struct call *second = done(take_lease(engine, A, 0, MINUTE));
	assert_texts(&second->lease_take.taken, "2");
	put(A, "3");
	assert_texts(&done(drain(engine, A, 0))->drain.taken, "3");
	done(ack(engine, second->lease_take.lease_id, ALL));
	done(nack(engine, first, ALL));
	assert_deliverable(A, "1");
}

static void
an_exclusive_lease_has_the_session_to_itself(void **state)
{
	(void)state;
	struct lease_take_op exclusive = { .address.session_key = STR(A),
					   .limit = 1,
					   .exclusive = true };
	put(A, "1"), put(A, "2");
	int64_t lease = done(take_lease_as(engine, exclusive))->lease_take.lease_id;
	assert_true(lease > 0);
	put(A, "3");
	assert_int_equal(engine_deliverable(engine, STR(A)), 0);
	assert_int_equal(lease_events(A, 0, MINUTE), 0);
	assert_texts(&done(drain(engine, A, 0))->drain.taken, "");
	done(ack(engine, lease, ALL));
	assert_deliverable(A, "2 3");
	int64_t other = lease_events(A, 1, MINUTE);
	/* an exclusive lease is not granted while any event is leased */
	assert_int_equal(done(take_lease_as(engine, exclusive))->lease_take.lease_id, 0);
	done(nack(engine, other, ALL));
	assert_true(done(take_lease_as(engine, exclusive))->lease_take.lease_id > 0);
}

static void
an_exclusive_lease_stays_exclusive_after_a_restart(void **state)
{
	(void)state;
	put(A, "1"), put(A, "2");
	struct lease_take_op exclusive = {
		.address.session_key = STR(A), .limit = 1, .exclusive = true, .lease_ms = MINUTE
	};
	int64_t lease = done(take_lease_as(engine, exclusive))->lease_take.lease_id;
	reopen();
	assert_int_equal(lease_events(A, 0, MINUTE), 0);
	done(nack(engine, lease, ALL));
	assert_deliverable(A, "1 2");
	reopen();
	assert_deliverable(A, "1 2");
}

static void
a_lease_can_ask_for_context_keys_and_for_a_prompt(void **state)
{
	(void)state;
	done(enqueue_keyed(engine, A, "cron:1", "1"));
	put(A, "Exec completed (build, code 0)");
	done(enqueue_keyed(engine, A, "cron:2", "3"));
	struct lease_take_op some = { .address.session_key = STR(A),
				      .context_key_prefix = STR(" CRON: ") };
	assert_texts(&done(take_lease_as(engine, some))->lease_take.taken, "1 3");
	some = (struct lease_take_op){ .address.session_key = STR(A), .prompt = true };
	assert_int_equal(done(take_lease_as(engine, some))->lease_take.lease_id, 0);
	put(A, "4");
	assert_texts(&done(take_lease_as(engine, some))->lease_take.taken, "4");
	assert_deliverable(A, "Exec completed (build, code 0)");
}

static void
drain_skips_leased_events_and_peek_shows_them(void **state)
{
	(void)state;
	put(A, "1"), put(A, "2"), put(A, "3");
	int64_t lease = lease_events(A, 1, MINUTE);
	struct call *call = done(drain(engine, A, 1));
	assert_texts(&call->drain.taken, "2");
	assert_int_equal(call->drain.remaining, 2);
	call = done(peek(engine, A));
	assert_texts(&call->peek.found, "1 3");
	assert_int_equal(call->peek.found.events[0].state, EVENT_STATE_LEASED);
	assert_int_equal(call->peek.found.events[1].state, EVENT_STATE_QUEUED);
	call = done(list_sessions(engine, (struct sessions_op){ 0 }));
	assert_int_equal(call->sessions.sessions[0].leased, 1);
	assert_int_equal(call->sessions.sessions[0].depth, 2);
	assert_int_equal(stats().leases, 1);
	assert_int_equal(stats().leased_now, 1);
	done(ack(engine, lease, ALL));
	assert_int_equal(stats().leases, 0);
}

static void
what_happens_again_while_it_is_leased_is_no_duplicate(void **state)
{
	(void)state;
	put(A, "1");
	int64_t lease = lease_events(A, 0, MINUTE);
	assert_int_equal(done(enqueue(engine, A, "1"))->enqueue.results[0].outcome, ENQUEUE_QUEUED);
	done(ack(engine, lease, ALL));
	assert_queued(A, "1");
}

/* --- ack --- */

static void
an_acked_event_never_comes_back(void **state)
{
	(void)state;
	int64_t id = put(A, "1");
	put(A, "2");
	int64_t lease = lease_events(A, 0, MINUTE);
	struct call *call = done(ack(engine, lease, ALL));
	assert_int_equal(call->lease.changed, 2);
	assert_int_equal(call->lease.left, 0);
	pass(2 * MINUTE);
	assert_queued(A, "");
	reopen();
	assert_queued(A, "");
	assert_true(memory_store_settled(&store, id, OUTCOME_ACKED));
	assert_int_equal(recorded(0)->lease, lease);
	assert_int_equal(stats().pending, 0);
}

static void
after_a_partial_ack_the_rest_comes_back(void **state)
{
	(void)state;
	int64_t one = put(A, "1"), two = put(A, "2"), three = put(A, "3");
	int64_t lease = lease_events(A, 0, MINUTE);
	struct call *call = done(ack(engine, lease, IDS(three, one, three)));
	assert_int_equal(call->lease.changed, 2);
	assert_int_equal(call->lease.left, 1);
	pass(MINUTE);
	assert_deliverable(A, "2");
	assert_state(two, "queued", 1);
	assert_state(one, "acked", 0);
}

static void
a_repeated_ack_succeeds(void **state)
{
	(void)state;
	int64_t one = put(A, "1"), two = put(A, "2");
	int64_t lease = lease_events(A, 0, MINUTE);
	done(ack(engine, lease, IDS(one)));
	struct call *call = done(ack(engine, lease, IDS(one)));
	assert_int_equal(call->lease.changed, 0);
	assert_int_equal(call->lease.left, 1);
	call = done(ack(engine, lease, IDS(one, two)));
	assert_int_equal(call->lease.changed, 1);
	size_t rows = store.outcome_count;
	for (int round = 0; round < 2; round++) {
		assert_int_equal(done(ack(engine, lease, ALL))->lease.changed, 0);
		assert_int_equal(done(ack(engine, lease, IDS(two, one)))->lease.changed, 0);
		pass(2 * MINUTE);
		reopen();
	}
	assert_int_equal(store.outcome_count, rows);
}

static void
a_repeated_ack_in_the_same_turn_succeeds(void **state)
{
	(void)state;
	int64_t one = put(A, "1"), two = put(A, "2"), three = put(A, "3");
	int64_t lease = lease_events(A, 0, MINUTE);
	done(ack(engine, lease, IDS(three)));
	struct call *calls[] = { ack(engine, lease, IDS(one, two, three)),
				 ack(engine, lease, IDS(one, two, three)), ack(engine, lease, ALL),
				 ack(engine, lease, ALL) };
	turn();
	for (size_t i = 0; i < COUNT(calls); i++) {
		assert_int_equal(calls[i]->answered, 1);
		assert_int_equal(calls[i]->op.error.code, ERROR_NONE);
	}
	assert_int_equal(stats().outcomes[OUTCOME_ACKED], 3);
}

/* Both acks look the lease up before the batch in which the first of them takes effect. */
static void
two_acks_that_both_looked_the_lease_up_succeed(void **state)
{
	(void)state;
	int64_t one = put(A, "1"), two = put(A, "2");
	int64_t lease = lease_events(A, 0, MINUTE);
	done(ack(engine, lease, IDS(two)));
	struct call *calls[] = { ack(engine, lease, IDS(one, two)),
				 ack(engine, lease, IDS(one, two)) };
	turn();
	assert_int_equal(calls[0]->op.error.code, ERROR_NONE);
	assert_int_equal(calls[0]->lease.changed, 1);
	assert_int_equal(calls[1]->op.error.code, ERROR_NONE);
	assert_int_equal(calls[1]->lease.changed, 0);
}

/*
 * "All" means what the lease holds: an event that was nacked before the first ack is no concern of
 * the second.
 */
static void
a_repeated_ack_of_all_succeeds_after_a_nack(void **state)
{
	(void)state;
	int64_t one = put(A, "1");
	put(A, "2"), put(A, "3");
	int64_t lease = lease_events(A, 0, MINUTE);
	done(nack(engine, lease, IDS(one)));
	assert_int_equal(done(ack(engine, lease, ALL))->lease.changed, 2);
	assert_int_equal(done(ack(engine, lease, ALL))->lease.changed, 0);
	assert_deliverable(A, "1");
	fails(ack(engine, lease, IDS(one)), ERROR_CONFLICT);
	assert_deliverable(A, "1");
}

static void
assert_gone(const struct call *call, const int64_t *ids, size_t count)
{
	assert_int_equal(call->lease.gone_count, count);
	for (size_t i = 0; i < count; i++)
		assert_int_equal(call->lease.gone[i], ids[i]);
}

/* Removes event two, which is leased, from session A in one of several ways. */
enum { WAYS = 3 };
static void
remove_leased(int way, int64_t two)
{
	if (way == 0)
		done(withdraw(engine, two));
	else if (way == 1)
		done(consume(engine, A, IDS(two)));
	else
		done(purge(engine, A, "k"));
}

static struct call *
change(enum lease_action action, int64_t lease, const int64_t *ids, size_t count)
{
	struct lease_change_op input;

	lease_change_op_init(&input, action);
	input.lease_ms = 10 * MINUTE;
	return change_lease(engine, input, lease, ids, count);
}

/* Nobody else can be given such events, so they are named and do not hinder the others. */
static void
a_call_on_events_that_were_removed_says_so_and_applies_to_the_rest(void **state)
{
	(void)state;
	for (int way = 0; way < WAYS; way++) {
		for (int action = LEASE_ACK; action <= LEASE_EXTEND; action++) {
			int64_t one = put(A, "1"), two = put_keyed(A, "k", "2"),
				three = put(A, "3");
			int64_t lease = lease_events(A, 0, MINUTE);
			remove_leased(way, two);
			struct call *call = done(
			    change((enum lease_action)action, lease, IDS(three, two, one, two)));
			assert_int_equal(call->lease.changed, 2);
			assert_gone(call, IDS(two));
			assert_queued(A, action == LEASE_ACK ? "" : "1 3");
			assert_int_equal(call->lease.left, action == LEASE_EXTEND ? 2 : 0);
			done(purge(engine, A, NULL));
		}
	}
}

static void
a_removal_in_the_same_turn_is_told_as_gone(void **state)
{
	(void)state;
	int64_t one = put(A, "1"), two = put(A, "2"), three = put(A, "3");
	int64_t lease = lease_events(A, 0, MINUTE);
	done(ack(engine, lease, IDS(three)));
	struct call *calls[] = { withdraw(engine, two), ack(engine, lease, IDS(one, two)),
				 nack(engine, lease, IDS(two)) };
	turn();
	for (size_t i = 0; i < COUNT(calls); i++)
		assert_int_equal(calls[i]->op.error.code, ERROR_NONE);
	assert_int_equal(calls[1]->lease.changed, 1);
	assert_gone(calls[1], IDS(two));
	assert_gone(calls[2], IDS(two));
}

static void
a_lease_whose_last_events_were_removed_leaves_nothing_to_do(void **state)
{
	(void)state;
	for (int way = 0; way < WAYS; way++) {
		int64_t one = put(A, "1"), two = put_keyed(A, "k", "2");
		int64_t lease = lease_events(A, 0, MINUTE);
		done(ack(engine, lease, IDS(one)));
		remove_leased(way, two);
		for (int round = 0; round < 2; round++) {
			assert_gone(done(ack(engine, lease, ALL)), IDS(two));
			assert_gone(done(nack(engine, lease, ALL)), IDS(two));
			assert_gone(done(extend(engine, lease, ALL, MINUTE)), IDS(two));
			assert_gone(done(ack(engine, lease, IDS(one, two))), IDS(two));
			assert_gone(done(ack(engine, lease, IDS(one))), ALL);
			reopen();
		}
	}
}

/* Events that expired under the lease, or died with it, are gone; the others have come back. */
static void
events_that_ended_with_their_lease_are_gone(void **state)
{
	(void)state;
	options.attempts_max = 1;
	reopen();
	struct draft short_lived = draft(A, "1");
	short_lived.ttl_ms = MINUTE / 2;
	int64_t one = done(enqueue_draft(engine, short_lived))->enqueue.results[0].id;
	int64_t two = put(A, "2");
	int64_t lease = lease_events(A, 0, MINUTE);
	done(extend(engine, lease, IDS(two), 10 * MINUTE));
	pass(MINUTE);
	assert_string_equal(event_state_name(look_at(one)), "expired");
	assert_gone(done(extend(engine, lease, IDS(one, two), 10 * MINUTE)), IDS(one));
	assert_gone(done(ack(engine, lease, IDS(one, two))), IDS(one));
	int64_t three = put(A, "3");
	lease = lease_events(A, 0, MINUTE);
	assert_int_equal(done(nack(engine, lease, ALL))->lease.dead, 1);
	assert_gone(done(ack(engine, lease, IDS(three))), IDS(three));
}

/* An event that was returned may be in other hands: nothing at all is acked then. */
static void
what_came_back_is_lost_also_when_others_are_gone(void **state)
{
	(void)state;
	int64_t one = put(A, "1"), two = put(A, "2"), three = put(A, "3");
	int64_t lease = lease_events(A, 0, MINUTE);
	done(withdraw(engine, one));
	done(nack(engine, lease, IDS(two)));
	fails(ack(engine, lease, IDS(one, two, three)), ERROR_CONFLICT);
	assert_state(three, "leased", 0);
	int64_t other = lease_events(A, 0, MINUTE);
	fails(ack(engine, lease, IDS(one, two, three)), ERROR_CONFLICT);
	done(ack(engine, other, ALL));
	fails(ack(engine, lease, IDS(one, two, three)), ERROR_CONFLICT);
	assert_gone(done(ack(engine, lease, IDS(one, three))), IDS(one));
	assert_queued(A, "");
}

/* Such a call is wrong in itself, so this is the answer whatever happened to the others. */
static void
an_id_that_was_never_in_the_lease_comes_before_one_that_is_lost(void **state)
{
	(void)state;
	int64_t before = put(B, "0"), lost = put(A, "1"), gone = put(A, "2"), held = put(A, "3");
	int64_t lease = lease_events(A, 0, MINUTE), after = put(A, "4");
	done(nack(engine, lease, IDS(lost)));
	done(withdraw(engine, gone));
	for (int action = LEASE_ACK; action <= LEASE_EXTEND; action++) {
		enum lease_action call = (enum lease_action)action;

		fails(change(call, lease, IDS(before, lost)), ERROR_INVALID_FIELD);
		fails(change(call, lease, IDS(lost, after)), ERROR_INVALID_FIELD);
		fails(change(call, lease, IDS(gone, after, held)), ERROR_INVALID_FIELD);
		fails(change(call, lease, IDS(gone, lost, held)), ERROR_CONFLICT);
	}
	assert_state(held, "leased", 0);
}

/*
 * The first ack ended the lease. A repeated ack gets the same answer, whatever happened to the
 * other events before or after.
 */
static void
a_repeated_ack_succeeds_after_other_events_were_removed(void **state)
{
	(void)state;
	int64_t one = put(A, "1"), two = put(A, "2"), three = put(A, "3");
	int64_t lease = lease_events(A, 0, MINUTE);
	done(withdraw(engine, one));
	done(nack(engine, lease, IDS(two)));
	done(consume(engine, A, IDS(two))); /* the event has left the lease */
	assert_int_equal(done(ack(engine, lease, ALL))->lease.changed, 1);
	assert_int_equal(done(ack(engine, lease, ALL))->lease.changed, 0);
	fails(ack(engine, lease, IDS(two, three)), ERROR_CONFLICT);
	one = put(A, "1"), two = put(A, "2");
	lease = lease_events(A, 0, MINUTE);
	done(nack(engine, lease, IDS(one)));
	done(ack(engine, lease, IDS(two)));
	done(consume(engine, A, IDS(one)));
	assert_int_equal(done(ack(engine, lease, ALL))->lease.changed, 0);
}

static void
a_long_lease_remembers_every_ack(void **state)
{
	(void)state;
	enum { EVENTS = 1200 };
	int64_t *ids = mem_alloc(EVENTS * sizeof(*ids));
	char text[16];
	for (int i = 0; i < EVENTS; i++) {
		snprintf(text, sizeof(text), "%d", i);
		ids[i] = put(A, text);
	}
	calls_free();
	int64_t lease = lease_events(A, 0, MINUTE);
	for (int i = 0; i < EVENTS; i++) {
		if (i % 3 == 0)
			done(extend(engine, lease, ALL, MINUTE));
		done(ack(engine, lease, &ids[i], 1));
	}
	for (int i = 0; i < EVENTS; i += 100)
		assert_int_equal(done(ack(engine, lease, &ids[i], 1))->lease.changed, 0);
	assert_int_equal(done(ack(engine, lease, &ids[EVENTS - 1], 1))->lease.changed, 0);
	assert_int_equal(done(ack(engine, lease, ALL))->lease.changed, 0);
	free(ids);
}

/* --- nack --- */

static void
nacked_events_return_to_their_old_positions(void **state)
{
	(void)state;
	int64_t one = put(A, "1");
	put(A, "2"), put(A, "3");
	int64_t lease = lease_events(A, 2, MINUTE);
	struct call *call = done(nack(engine, lease, IDS(one)));
	assert_int_equal(call->lease.changed, 1);
	assert_int_equal(call->lease.dead, 0);
	assert_int_equal(call->lease.left, 1);
	assert_deliverable(A, "1 3");
	done(nack(engine, lease, ALL));
	struct call *again = done(take_lease(engine, A, 0, MINUTE));
	assert_texts(&again->lease_take.taken, "1 2 3");
	assert_int_equal(again->lease_take.taken.events[0].attempts, 1);
	assert_int_equal(again->lease_take.taken.events[2].attempts, 0);
}

static void
a_nack_may_come_with_a_delay_and_a_reason(void **state)
{
	(void)state;
	int64_t id = put(A, "1");
	struct lease_change_op later = nack_input();
	later.delay_ms = 5000;
	later.reason = STR("no network");
	int64_t back_at = now.wall_ms + 5000, lease = lease_events(A, 0, MINUTE);
	done(change_lease(engine, later, lease, ALL));
	for (int round = 0; round < 2; round++) {
		assert_deliverable(A, "");
		const struct system_event *seen = &done(peek(engine, A))->peek.found.events[0];
		assert_string_equal(event_state_name(seen), "delayed");
		assert_int_equal(seen->available_at_ms, back_at);
		assert_int_equal(look_at(id)->available_at_ms, back_at);
		assert_int_equal(stats().delayed_now, 1);
		assert_in_range(engine_due_ms(engine), 5000 - round, 5000);
		reopen();
	}
	assert_str(recorded(0)->detail, "no network");
	assert_int_equal(recorded(0)->until_ms, back_at);
	pass(5000);
	assert_deliverable(A, "1");
	assert_state(id, "queued", 1);
}

static void
an_uncounted_nack_leaves_attempts_alone(void **state)
{
	(void)state;
	int64_t id = put(A, "1");
	struct lease_change_op free_of_charge = nack_input();
	free_of_charge.count_attempt = false;
	for (int i = 0; i < 20; i++)
		done(change_lease(engine, free_of_charge, lease_events(A, 0, MINUTE), ALL));
	assert_state(id, "queued", 0);
	reopen();
	assert_state(id, "queued", 0);
	assert_int_equal(stats().outcomes[OUTCOME_NACKED], 0);
}

static void
an_event_nacked_on_its_last_attempt_is_a_dead_letter(void **state)
{
	(void)state;
	options.attempts_max = 3;
	reopen();
	int64_t id = put(A, "1");
	put(A, "2");
	struct lease_change_op why = nack_input();
	why.reason = STR("cannot parse it");
	done(nack(engine, lease_events(A, 1, MINUTE), ALL));
	lease_events(A, 1, MINUTE);
	pass(MINUTE);
	reopen(); /* the lease ended while no server ran, which is not the consumer's failure */
	assert_state(id, "queued", 1);
	lease_events(A, 1, MINUTE);
	pass(MINUTE);
	assert_state(id, "queued", 2);
	reopen();
	struct call *call = done(change_lease(engine, why, lease_events(A, 1, MINUTE), ALL));
	assert_int_equal(call->lease.dead, 1);
	assert_queued(A, "2");
	for (int round = 0; round < 2; round++) {
		const struct system_event *dead = look_at(id);

		assert_string_equal(event_state_name(dead), "dead");
		assert_str(dead->text, "1");
		assert_int_equal(dead->attempts, 3);
		reopen();
	}
	assert_str(recorded(0)->detail, "cannot parse it");
}

static void
an_event_whose_last_attempt_runs_out_is_a_dead_letter(void **state)
{
	(void)state;
	options.attempts_max = 1;
	reopen();
	int64_t id = put(A, "1");
	lease_events(A, 0, MINUTE);
	pass(MINUTE);
	turn();
	assert_int_equal(stats().pending, 0);
	assert_str(recorded(0)->detail, "attempts");
	assert_state(id, "dead", 1);
}

/* --- extend --- */

static void
an_extended_lease_lasts_longer(void **state)
{
	(void)state;
	put(A, "1");
	int64_t lease = lease_events(A, 0, MINUTE);
	pass(MINUTE - 1);
	struct call *call = done(extend(engine, lease, ALL, MINUTE));
	assert_int_equal(call->lease.until_ms, now.wall_ms + MINUTE);
	assert_int_equal(call->lease.changed, 1);
	assert_int_equal(call->lease.left, 1);
	pass(MINUTE - 1);
	assert_deliverable(A, "");
	reopen();
	assert_deliverable(A, "");
	pass(1);
	assert_deliverable(A, "1");
}

static void
a_lease_can_be_extended_in_part(void **state)
{
	(void)state;
	int64_t one = put(A, "1"), two = put(A, "2"), three = put(A, "3");
	int64_t lease = lease_events(A, 0, MINUTE);
	done(extend(engine, lease, IDS(two), 3 * MINUTE));
	for (int round = 0; round < 2; round++) {
		pass(round == 0 ? MINUTE : 0);
		assert_deliverable(A, "1 3");
		if (round == 0)
			reopen();
	}
	fails(ack(engine, lease, IDS(one, two)), ERROR_CONFLICT);
	assert_queued(A, "1 2 3");
	assert_int_equal(done(ack(engine, lease, ALL))->lease.changed, 1);
	assert_deliverable(A, "1 3");
	fails(ack(engine, lease, IDS(one)), ERROR_CONFLICT);
	fails(ack(engine, lease, IDS(two, three)), ERROR_CONFLICT);
}

static void
a_lease_can_be_made_shorter(void **state)
{
	(void)state;
	put(A, "1");
	int64_t lease = lease_events(A, 0, MINUTE);
	done(extend(engine, lease, ALL, 10));
	assert_int_equal(engine_due_ms(engine), 10);
	pass(10);
	assert_deliverable(A, "1");
}

/* --- too late, or wrong --- */

static void
assert_all_refused(int64_t lease, const int64_t *ids, size_t count, enum error_code code)
{
	size_t rows = store.outcome_count, commits = store.commits;

	fails(ack(engine, lease, ids, count), code);
	fails(nack(engine, lease, ids, count), code);
	fails(extend(engine, lease, ids, count, MINUTE), code);
	assert_int_equal(store.outcome_count, rows);
	assert_int_equal(store.commits, commits);
}

static void
a_lost_lease_is_refused_and_nothing_changes(void **state)
{
	(void)state;
	int64_t one = put(A, "1");
	put(A, "2");
	int64_t lease = lease_events(A, 1, MINUTE);
	pass(MINUTE);
	assert_deliverable(A, "1 2");
	for (int round = 0; round < 2; round++) {
		assert_all_refused(lease, ALL, ERROR_CONFLICT);
		assert_all_refused(lease, IDS(one), ERROR_CONFLICT);
		/* the event is leased to somebody else now */
		int64_t other = round == 1 ? 0 : lease_events(A, 1, MINUTE);
		assert_all_refused(lease, IDS(one), ERROR_CONFLICT);
		assert_string_equal(event_state_name(look_at(one)),
				    other != 0 ? "leased" : "queued");
		if (other != 0)
			done(nack(engine, other, ALL));
		reopen();
	}
}

static void
a_nacked_event_has_left_its_lease(void **state)
{
	(void)state;
	int64_t one = put(A, "1"), two = put(A, "2");
	int64_t lease = lease_events(A, 0, MINUTE);
	done(nack(engine, lease, IDS(one)));
	assert_all_refused(lease, IDS(one), ERROR_CONFLICT);
	assert_all_refused(lease, IDS(one, two), ERROR_CONFLICT);
	assert_state(two, "leased", 0);
	done(nack(engine, lease, ALL));
	assert_all_refused(lease, ALL, ERROR_CONFLICT);
	assert_deliverable(A, "1 2");
}

static void
an_acked_event_can_be_neither_nacked_nor_extended(void **state)
{
	(void)state;
	int64_t one = put(A, "1"), two = put(A, "2");
	int64_t lease = lease_events(A, 0, MINUTE);
	done(ack(engine, lease, IDS(one)));
	fails(nack(engine, lease, IDS(one, two)), ERROR_CONFLICT);
	fails(extend(engine, lease, IDS(one), MINUTE), ERROR_CONFLICT);
	assert_state(two, "leased", 0);
}

static void
unknown_leases_and_foreign_ids_are_refused(void **state)
{
	(void)state;
	int64_t one = put(A, "1"), two = put(A, "2");
	int64_t lease = lease_events(A, 1, MINUTE), other = lease_events(A, 1, MINUTE);
	assert_all_refused(99, ALL, ERROR_NOT_FOUND);
	assert_all_refused(99, IDS(one), ERROR_NOT_FOUND);
	assert_all_refused(0, ALL, ERROR_NOT_FOUND);
	assert_all_refused(-1, IDS(one), ERROR_NOT_FOUND);
	assert_all_refused(INT64_MAX, IDS(one), ERROR_NOT_FOUND);
	assert_all_refused(lease, IDS(two), ERROR_INVALID_FIELD);
	assert_all_refused(lease, IDS(one, 4711), ERROR_INVALID_FIELD);
	struct call *call = fails(ack(engine, lease, IDS(one, two)), ERROR_INVALID_FIELD);
	assert_string_equal(call->op.error.pointer, "/ids");
	call = fails(ack(engine, lease, IDS(one, -5)), ERROR_INVALID_FIELD);
	assert_string_equal(call->op.error.pointer, "/ids/1");
	done(nack(engine, lease, ALL));
	int64_t not_a_lease = recorded(0)->id;
	assert_all_refused(not_a_lease, ALL, ERROR_NOT_FOUND);
	assert_state(two, "leased", 0);
	done(ack(engine, other, IDS(two)));
}

static void
naming_no_ids_changes_nothing(void **state)
{
	(void)state;
	put(A, "1");
	int64_t lease = lease_events(A, 0, MINUTE), none = 0;
	struct call *call = done(ack(engine, lease, &none, 0));
	assert_int_equal(call->lease.changed, 0);
	assert_int_equal(call->lease.left, 1);
}

/* --- the end of a lease --- */

static void
events_of_an_expired_lease_return_to_their_old_positions(void **state)
{
	(void)state;
	put(A, "1"), put(A, "2");
	lease_events(A, 1, MINUTE);
	lease_events(A, 1, 2 * MINUTE);
	put(A, "3");
	assert_int_equal(engine_due_ms(engine), MINUTE);
	pass(MINUTE - 1);
	assert_deliverable(A, "3");
	pass(1);
	assert_int_equal(engine_due_ms(engine), 0);
	struct call *call =
	    take_lease(engine, A, 0, MINUTE); /* in the turn in which the lease ends */
	done(call);
	assert_texts(&call->lease_take.taken, "1 3");
	assert_int_equal(call->lease_take.taken.events[0].attempts, 1);
	assert_int_equal(stats().outcomes[OUTCOME_LAPSED], 1);
}

static void
a_restart_keeps_a_live_lease_and_its_attempts(void **state)
{
	(void)state;
	int64_t one = put(A, "1");
	put(A, "2");
	int64_t lease = lease_events(A, 1, MINUTE);
	for (int i = 0; i < 10; i++) {
		pass(1000);
		reopen();
	}
	assert_deliverable(A, "2");
	assert_state(one, "leased", 0);
	assert_int_equal(engine_due_ms(engine), MINUTE - 10000);
	done(extend(engine, lease, ALL, MINUTE));
	done(ack(engine, lease, ALL));
	assert_queued(A, "2");
}

static void
a_lease_that_ends_while_no_server_runs_counts_no_attempt(void **state)
{
	(void)state;
	int64_t one = put(A, "1"), two = put(A, "2");
	int64_t lease = lease_events(A, 0, MINUTE);
	done(extend(engine, lease, IDS(two), 3 * MINUTE));
	engine_close(engine), engine = NULL;
	pass(2 * MINUTE);
	reopen();
	assert_int_equal(engine_due_ms(engine), 0);
	assert_deliverable(A, "1");
	assert_state(one, "queued", 0);
	pass(MINUTE); /* this lease ends while the server runs */
	assert_state(two, "queued", 1);
	assert_all_refused(lease, ALL, ERROR_CONFLICT);
	reopen();
	assert_state(one, "queued", 0);
	assert_state(two, "queued", 1);
}

static void
other_calls_take_leased_events_out_of_their_lease(void **state)
{
	(void)state;
	int64_t one = put(A, "1"), two = put(A, "2"), three = put(A, "3");
	int64_t four = done(enqueue_keyed(engine, A, "k", "4"))->enqueue.results[0].id;
	int64_t lease = lease_events(A, 0, MINUTE);
	assert_texts(&done(consume(engine, A, (int64_t[]){ one }, 1))->consume.taken, "1");
	assert_str(done(withdraw(engine, two))->withdraw.event.text, "2");
	struct draft replacing = draft(A, "5");
	replacing.context_key = STR("k");
	replacing.replace = true;
	assert_int_equal(done(enqueue_draft(engine, replacing))->enqueue.results[0].outcome,
			 ENQUEUE_QUEUED); /* it leaves a leased one to its holder */
	assert_int_equal(done(ack(engine, lease, IDS(one, three)))->lease.changed, 1);
	assert_int_equal(done(ack(engine, lease, IDS(four)))->lease.changed, 1);
	assert_queued(A, "5");
	lease = lease_events(A, 0, MINUTE);
	assert_int_equal(done(purge(engine, A, NULL))->purge.purged, 1);
	assert_int_equal(done(ack(engine, lease, ALL))->lease.gone_count, 1);
	assert_int_equal(stats().leases, 0);
	assert_int_equal(stats().pending, 0);
	pass(2 * MINUTE);
	assert_queued(A, "");
	reopen();
	assert_queued(A, "");
}

static void
overflow_never_evicts_a_leased_event(void **state)
{
	(void)state;
	options.session_pending_max = 3;
	options.overflow = OVERFLOW_DROP_OLDEST;
	reopen();
	put(A, "1"), put(A, "2"), put(A, "3");
	int64_t lease = lease_events(A, 2, MINUTE);
	put(A, "4");
	assert_queued(A, "1 2 4");
	lease_events(A, 0, MINUTE);
	fails(enqueue(engine, A, "5"), ERROR_QUEUE_FULL);
	done(nack(engine, lease, ALL));
	put(A, "5");
	assert_queued(A, "2 4 5");
}

static void
the_last_context_follows_acks_and_dead_letters(void **state)
{
	(void)state;
	options.attempts_max = 1;
	reopen();
	done(enqueue_keyed(engine, A, "k", "1")), done(enqueue_keyed(engine, A, "l", "2")),
	    done(enqueue_keyed(engine, A, "m", "3"));
	int64_t lease = lease_events(A, 0, MINUTE);
	struct sessions_op one = { .address.session_key = STR(A) };
	done(ack(engine, lease, IDS(3)));
	assert_str(done(list_sessions(engine, one))->sessions.sessions[0].last_context_key, "l");
	done(nack(engine, lease, IDS(2)));
	assert_str(done(list_sessions(engine, one))->sessions.sessions[0].last_context_key, "k");
}

/* --- a store that fails --- */

static void
a_failed_commit_leaves_leases_as_they_were(void **state)
{
	(void)state;
	int64_t one = put(A, "1");
	put(A, "2"), put(A, "3");
	int64_t lease = lease_events(A, 2, MINUTE);
	store.commit_fails = ERROR_STORAGE_FAILED;
	struct call *calls[] = { ack(engine, lease, IDS(one)), nack(engine, lease, ALL),
				 take_lease(engine, A, 0, MINUTE), enqueue(engine, A, "4"),
				 take_lease(engine, A, 0, MINUTE) };
	turn();
	for (size_t i = 0; i < COUNT(calls); i++)
		assert_int_equal(calls[i]->op.error.code, ERROR_STORAGE_FAILED);
	assert_int_equal(calls[2]->lease_take.lease_id, 0);
	assert_int_equal(calls[2]->lease_take.taken.count, 0);
	store.commit_fails = ERROR_NONE;
	assert_deliverable(A, "3");
	assert_int_equal(stats().leases, 1);
	assert_int_equal(done(ack(engine, lease, ALL))->lease.changed, 2);
}

static void
an_expiry_that_fails_to_commit_is_tried_again(void **state)
{
	(void)state;
	put(A, "1");
	lease_events(A, 0, MINUTE);
	pass(MINUTE);
	store.commit_fails = ERROR_STORAGE_FAILED;
	turn();
	assert_int_equal(stats().leases, 1);
	/* it is tried again soon, but not in every turn */
	assert_in_range(engine_due_ms(engine), 1, 5000);
	size_t commits = store.commits;
	turn();
	assert_int_equal(store.commits, commits);
	store.commit_fails = ERROR_NONE;
	pass(5000);
	assert_deliverable(A, "1");
}

/* A full disk fails the first try of the batch; the second try must not refuse the ack. */
static void
a_repeated_ack_succeeds_on_a_full_store(void **state)
{
	(void)state;
	int64_t one = put(A, "1");
	put(B, "x");
	int64_t lease = lease_events(A, 0, MINUTE);
	store.full_for_events = true;
	struct call *refused = enqueue(engine, A, "2"), *first = ack(engine, lease, ALL),
		    *second = ack(engine, lease, ALL), *third = ack(engine, lease, IDS(one)),
		    *taken = drain(engine, B, 0), *found = find_event(engine, 2);
	turn();
	assert_int_equal(refused->op.error.code, ERROR_STORAGE_FULL);
	assert_int_equal(first->lease.changed, 1);
	assert_int_equal(second->op.error.code, ERROR_NONE);
	assert_int_equal(third->op.error.code, ERROR_NONE);
	assert_texts(&taken->drain.taken, "x");
	assert_int_equal(found->op.error.code, ERROR_NONE);
	assert_string_equal(event_state_name(&found->find.event), "drained");
}

static void
an_expiry_of_unknown_outcome_leaves_nothing_due(void **state)
{
	(void)state;
	call_back_at_once();
	put(A, "1");
	lease_events(A, 0, MINUTE);
	pass(MINUTE);
	store.commit_fails = ERROR_STORAGE_UNKNOWN;
	assert_int_equal(engine_turn(engine, &error), -1);
	assert_int_equal(engine_due_ms(engine), -1);
}

/* --- timeline --- */

static void
assert_entry(const struct timeline_entry *entry, enum outcome_kind kind, int64_t lease,
	     int64_t until_ms, const char *detail)
{
	assert_string_equal(outcome_name(entry->kind), outcome_name(kind));
	assert_int_equal(entry->lease, lease);
	assert_int_equal(entry->until_ms, until_ms);
	assert_str(entry->detail, detail);
}

static void
a_timeline_lists_every_step_in_order(void **state)
{
	(void)state;
	options.attempts_max = 3;
	reopen();
	int64_t id = put(A, "1"), start = now.wall_ms;
	put(A, "2"), put(B, "x");
	struct lease_take_op first = { .address.session_key = STR(A),
				       .consumer = STR("runner-1"),
				       .lease_ms = MINUTE };
	int64_t one = done(take_lease_as(engine, first))->lease_take.lease_id;
	pass(1000);
	done(extend(engine, one, IDS(id), MINUTE));
	struct lease_change_op why = nack_input();
	why.reason = STR("busy");
	why.delay_ms = 500;
	done(change_lease(engine, why, one, IDS(id)));
	pass(500);
	int64_t two = lease_events(A, 0, MINUTE);
	pass(MINUTE);
	turn();
	done(ack(engine, lease_events(A, 0, MINUTE), ALL));
	reopen();
	const struct find_op *found = &done(find_event(engine, id))->find;
	assert_string_equal(event_state_name(&found->event), "acked");
	assert_int_equal(found->event.attempts, 2);
	assert_int_equal(found->timeline_count, 7);
	const struct timeline_entry *t = found->timeline;
	assert_entry(&t[0], OUTCOME_LEASED, one, start + MINUTE, "runner-1");
	assert_entry(&t[1], OUTCOME_EXTENDED, one, start + 1000 + MINUTE, NULL);
	assert_entry(&t[2], OUTCOME_NACKED, one, start + 1500, "busy");
	assert_entry(&t[3], OUTCOME_LEASED, two, start + 1500 + MINUTE, NULL);
	assert_entry(&t[4], OUTCOME_LAPSED, two, 0, NULL);
	assert_int_equal(t[5].kind, OUTCOME_LEASED);
	assert_entry(&t[6], OUTCOME_ACKED, t[5].lease, 0, NULL);
	assert_int_equal(t[4].ts_ms, start + 1500 + MINUTE);
}

/* --- release --- */

static void
a_release_returns_what_a_consumer_holds_after_a_restart_too(void **state)
{
	(void)state;
	options.attempts_max = 1;
	reopen();
	int64_t one = put(A, "1");
	put(A, "2"), put(B, "3");
	struct lease_take_op dead = { .limit = 1, .lease_ms = MINUTE, .consumer = STR("gateway") };
	dead.address.session_key = STR(A);
	done(take_lease_as(engine, dead));
	dead.address.session_key = STR(B);
	done(take_lease_as(engine, dead));
	dead.address.session_key = STR(A);
	dead.consumer = STR("gate");
	done(take_lease_as(engine, dead));
	reopen();
	struct lease_release_op *call = &done(release_leases(engine, "gateway"))->lease_release;
	assert_int_equal(call->leases, 2);
	assert_int_equal(call->events, 2);
	assert_false(call->more);
	assert_deliverable(A, "1");
	assert_deliverable(B, "3");
	assert_state(one, "queued", 0);
	assert_int_equal(done(release_leases(engine, "gateway"))->lease_release.events, 0);
	reopen();
	assert_deliverable(A, "1");
}

static void
a_release_returns_each_event_once_in_a_turn(void **state)
{
	(void)state;
	put(A, "1"), put(A, "2");
	struct lease_take_op take = { .address.session_key = STR(A),
				      .limit = 1,
				      .lease_ms = MINUTE,
				      .consumer = STR("gateway") };
	int64_t lease = done(take_lease_as(engine, take))->lease_take.lease_id;
	done(take_lease_as(engine, take));
	struct call *acked = ack(engine, lease, ALL);
	struct call *first = release_leases(engine, "gateway"),
		    *second = release_leases(engine, "gateway");
	done(second);
	assert_int_equal(acked->lease.changed, 1);
	assert_int_equal(first->lease_release.events, 1);
	assert_int_equal(second->lease_release.events, 0);
	assert_deliverable(A, "2");
}

static void
a_release_that_fails_to_commit_releases_nothing(void **state)
{
	(void)state;
	put(A, "1");
	struct lease_take_op take = { .address.session_key = STR(A),
				      .lease_ms = MINUTE,
				      .consumer = STR("gateway") };
	done(take_lease_as(engine, take));
	store.commit_fails = ERROR_STORAGE_FAILED;
	struct call *failed = release_leases(engine, "gateway");
	turn();
	assert_int_equal(failed->op.error.code, ERROR_STORAGE_FAILED);
	store.commit_fails = ERROR_NONE;
	assert_deliverable(A, "");
	assert_int_equal(done(release_leases(engine, "gateway"))->lease_release.events, 1);
	assert_deliverable(A, "1");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_lease_lends_a_prefix_oldest_first),
		TEST(a_lease_of_no_events_is_not_made),
		TEST(a_lease_never_blocks_later_events),
		TEST(an_exclusive_lease_has_the_session_to_itself),
		TEST(an_exclusive_lease_stays_exclusive_after_a_restart),
		TEST(a_lease_can_ask_for_context_keys_and_for_a_prompt),
		TEST(drain_skips_leased_events_and_peek_shows_them),
		TEST(what_happens_again_while_it_is_leased_is_no_duplicate),
		TEST(an_acked_event_never_comes_back),
		TEST(after_a_partial_ack_the_rest_comes_back),
		TEST(a_repeated_ack_succeeds),
		TEST(a_repeated_ack_in_the_same_turn_succeeds),
		TEST(two_acks_that_both_looked_the_lease_up_succeed),
		TEST(a_repeated_ack_of_all_succeeds_after_a_nack),
		TEST(a_call_on_events_that_were_removed_says_so_and_applies_to_the_rest),
		TEST(a_removal_in_the_same_turn_is_told_as_gone),
		TEST(a_lease_whose_last_events_were_removed_leaves_nothing_to_do),
		TEST(events_that_ended_with_their_lease_are_gone),
		TEST(what_came_back_is_lost_also_when_others_are_gone),
		TEST(an_id_that_was_never_in_the_lease_comes_before_one_that_is_lost),
		TEST(a_repeated_ack_succeeds_after_other_events_were_removed),
		TEST(a_long_lease_remembers_every_ack),
		TEST(nacked_events_return_to_their_old_positions),
		TEST(a_nack_may_come_with_a_delay_and_a_reason),
		TEST(an_uncounted_nack_leaves_attempts_alone),
		TEST(an_event_nacked_on_its_last_attempt_is_a_dead_letter),
		TEST(an_event_whose_last_attempt_runs_out_is_a_dead_letter),
		TEST(an_extended_lease_lasts_longer),
		TEST(a_lease_can_be_extended_in_part),
		TEST(a_lease_can_be_made_shorter),
		TEST(a_lost_lease_is_refused_and_nothing_changes),
		TEST(a_nacked_event_has_left_its_lease),
		TEST(an_acked_event_can_be_neither_nacked_nor_extended),
		TEST(unknown_leases_and_foreign_ids_are_refused),
		TEST(naming_no_ids_changes_nothing),
		TEST(events_of_an_expired_lease_return_to_their_old_positions),
		TEST(a_restart_keeps_a_live_lease_and_its_attempts),
		TEST(a_lease_that_ends_while_no_server_runs_counts_no_attempt),
		TEST(other_calls_take_leased_events_out_of_their_lease),
		TEST(overflow_never_evicts_a_leased_event),
		TEST(the_last_context_follows_acks_and_dead_letters),
		TEST(a_failed_commit_leaves_leases_as_they_were),
		TEST(an_expiry_that_fails_to_commit_is_tried_again),
		TEST(a_repeated_ack_succeeds_on_a_full_store),
		TEST(an_expiry_of_unknown_outcome_leaves_nothing_due),
		TEST(a_timeline_lists_every_step_in_order),
		TEST(a_release_returns_what_a_consumer_holds_after_a_restart_too),
		TEST(a_release_returns_each_event_once_in_a_turn),
		TEST(a_release_that_fails_to_commit_releases_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
