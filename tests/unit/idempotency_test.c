/*
 * idempotency_test.c - one idempotency key, one answer (C3): a client whose answer was lost can
 * repeat the request.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#include "queue/answer.h"
#include "tests/unit/fixture.h"

#define MINUTE 60000

static struct idempotency
key(const char *name, uint64_t request)
{
	return (struct idempotency){ .key = str_of(name), .request = request };
}

/* A draft with an idempotency key of its own. */
static struct draft
keyed(const char *queue_key, const char *text, const char *name, uint64_t request)
{
	struct draft one = draft(queue_key, text);

	one.idempotency = key(name, request);
	return one;
}

/* Sets the call's idempotency key, before its turn. */
static struct call *
with_key(struct call *call, const char *name, uint64_t request)
{
	call->op.idempotency = key(name, request);
	return call;
}

static struct call *
take_lease_with_key(const char *queue_key, const char *name, uint64_t request)
{
	return with_key(take_lease(engine, queue_key, 0, MINUTE), name, request);
}

static void
assert_replayed(const struct call *call, bool replayed)
{
	assert_int_equal(call->answered, 1);
	assert_string_equal(error_code_name(call->op.error.code), error_code_name(ERROR_NONE));
	assert_int_equal(call->op.idempotency.replayed, replayed);
}

static void
a_repeated_request_gets_the_first_answer(void **state)
{
	(void)state;
	struct call *first = with_key(enqueue(engine, A, "1"), "k", 7);
	assert_replayed(done(first), false);
	const struct enqueue_result *was = &first->enqueue.results[0];
	done(drain(engine, A, 0));
	for (int round = 0; round < 3; round++) {
		struct call *again = done(with_key(enqueue(engine, A, "1"), "k", 7));
		const struct enqueue_result *is = &again->enqueue.results[0];

		assert_replayed(again, true);
		assert_int_equal(is->outcome, ENQUEUE_QUEUED);
		assert_int_equal(is->id, was->id);
		assert_int_equal(is->event.id, was->id);
		assert_int_equal(is->event.ts_ms, was->event.ts_ms);
		assert_int_equal(is->event.state, EVENT_STATE_QUEUED);
		assert_str(is->event.text, "1");
		assert_str(is->event.session_key, A);
		pass(MINUTE);
		reopen();
	}
	assert_queued(A, "");
	assert_int_equal(store.event_count, 1);
	assert_int_equal(store.key_count, 1);
}

static void
another_request_under_the_same_key_is_refused(void **state)
{
	(void)state;
	done(with_key(enqueue(engine, A, "1"), "k", 7));
	fails(with_key(enqueue(engine, A, "2"), "k", 8), ERROR_IDEMPOTENCY_MISMATCH);
	struct draft drafts[] = { draft(B, "x"), keyed(B, "y", "k", 8) };
	struct call *call = fails(enqueue_drafts(engine, drafts, 2), ERROR_IDEMPOTENCY_MISMATCH);
	assert_int_equal(call->enqueue.failed, 1);
	/* the same hash, but two drafts where one was answered */
	struct draft two[] = { draft(A, "1"), draft(A, "2") };
	fails(with_key(enqueue_drafts(engine, two, 2), "k", 7), ERROR_IDEMPOTENCY_MISMATCH);
	assert_queued(A, "1");
	assert_queued(B, "");
}

static void
a_key_used_earlier_in_the_turn_is_known(void **state)
{
	(void)state;
	struct call *calls[] = { with_key(enqueue(engine, A, "1"), "k", 7),
				 with_key(enqueue(engine, A, "1"), "k", 7),
				 with_key(enqueue(engine, A, "2"), "k", 8),
				 with_key(enqueue(engine, B, "x"), "l", 7) };
	turn();
	assert_replayed(calls[0], false);
	assert_replayed(calls[1], true);
	assert_int_equal(calls[1]->enqueue.results[0].event.id, calls[0]->enqueue.results[0].id);
	assert_str(calls[1]->enqueue.results[0].event.text, "1");
	assert_int_equal(calls[2]->op.error.code, ERROR_IDEMPOTENCY_MISMATCH);
	assert_replayed(calls[3], false);
	assert_queued(A, "1");
}

static void
every_outcome_is_repeated(void **state)
{
	(void)state;
	struct draft next = draft(A, "2");
	next.context_key = STR("k");
	next.replace = true;
	done(enqueue_keyed(engine, A, "k", "1"));
	for (int round = 0; round < 2; round++) {
		struct call *replaced = done(with_key(enqueue_draft(engine, next), "replace", 1));

		assert_int_equal(replaced->enqueue.results[0].outcome, ENQUEUE_REPLACED);
		struct call *duplicate =
		    done(with_key(enqueue_keyed(engine, A, "k", "2"), "duplicate", 2));
		assert_int_equal(duplicate->enqueue.results[0].outcome, ENQUEUE_DUPLICATE);
		assert_int_equal(duplicate->enqueue.results[0].id, replaced->enqueue.results[0].id);
		assert_replayed(duplicate, round == 1);
		done(drain(engine, A, 0));
	}
}

/*
 * A repeated answer is planned before its texts are read, so the limit must hold without their
 * lengths.
 */
static void
a_repeated_answer_stays_within_the_answer_limit(void **state)
{
	(void)state;
	enum { EVENTS = 2 }; /* so that a turn has room for more than one such answer */
	char text[16];
	for (int i = 0; i < EVENTS; i++) {
		snprintf(text, sizeof(text), "%d", i);
		put(A, text);
	}
	put(B, "1");
	done(with_key(drain(engine, A, 0), "k", 1));
	struct answer_size size = { 0 };
	answer_add_unknown(&size, EVENTS, EVENTS * TEXT_BYTES_MAX);
	engine_set_answer_budget(engine, 2 * answer_bytes(&size) + ANSWER_SMALL_BYTES, true);
	struct call *again = with_key(drain(engine, A, 0), "k", 1), *beside = peek(engine, B);
	struct call *once_more = with_key(drain(engine, A, 0), "k", 1),
		    *at_last = with_key(drain(engine, A, 0), "k", 1);
	turn();
	assert_replayed(again, true);
	assert_int_equal(again->drain.taken.count, EVENTS);
	assert_int_equal(beside->peek.found.count, 1);
	assert_int_equal(once_more->drain.taken.count, EVENTS);
	assert_int_equal(at_last->op.error.code, ERROR_QUEUE_FULL);
}

static void
a_delayed_event_is_repeated_as_delayed(void **state)
{
	(void)state;
	struct draft later = draft(A, "1");
	later.delay_ms = MINUTE;
	int64_t at = now.wall_ms + MINUTE;
	for (int round = 0; round < 2; round++) {
		struct call *call = done(with_key(enqueue_draft(engine, later), "k", 1));

		assert_int_equal(call->enqueue.results[0].event.state, EVENT_STATE_DELAYED);
		assert_int_equal(call->enqueue.results[0].event.available_at_ms, at);
		pass(2 * MINUTE);
	}
	assert_queued(A, "1");
}

/*
 * The repeated answer shows the duplicate's state at the time of the first answer: queued, or
 * nacked with a delay.
 */
static void
a_duplicate_is_repeated_in_the_state_of_the_first_answer(void **state)
{
	(void)state;
	struct draft twin = draft(A, "1");
	twin.delay_ms = 2 * MINUTE;
	struct lease_change_op later;
	lease_change_op_init(&later, LEASE_NACK);
	later.delay_ms = MINUTE;
	put(A, "1");
	done(with_key(enqueue(engine, A, "1"), "k", 1));
	int64_t lease = lease_events(A, 0, MINUTE);
	done(change_lease(engine, later, lease, ALL));
	int64_t at = now.wall_ms + MINUTE;
	for (int round = 0; round < 4; round++) {
		const struct enqueue_result *queued =
		    &done(with_key(enqueue(engine, A, "1"), "k", 1))->enqueue.results[0];

		assert_int_equal(queued->outcome, ENQUEUE_DUPLICATE);
		assert_int_equal(queued->event.state, EVENT_STATE_QUEUED);
		assert_int_equal(queued->event.attempts, 0);
		const struct enqueue_result *delayed =
		    &done(with_key(enqueue_draft(engine, twin), "b", 3))->enqueue.results[0];
		assert_int_equal(delayed->outcome, ENQUEUE_DUPLICATE);
		assert_int_equal(delayed->event.state, EVENT_STATE_DELAYED);
		assert_int_equal(delayed->event.attempts, 1);
		assert_int_equal(delayed->event.available_at_ms, at);
		if (round == 1)
			pass(MINUTE), turn();
		else if (round == 2)
			done(drain(engine, A, 0));
		reopen();
	}
}

static void
a_refused_request_keeps_no_answer(void **state)
{
	(void)state;
	options.session_pending_max = 1;
	reopen();
	put(A, "1");
	fails(with_key(enqueue(engine, A, "2"), "k", 7), ERROR_QUEUE_FULL);
	fails(with_key(enqueue(engine, A, " "), "k", 8), ERROR_INVALID_FIELD);
	struct draft drafts[] = { keyed(B, "x", "k", 9), draft(A, "3") };
	fails(enqueue_drafts(engine, drafts, 2), ERROR_QUEUE_FULL);
	done(drain(engine, A, 0));
	assert_replayed(done(with_key(enqueue(engine, A, "2"), "k", 7)), false);
	assert_queued(A, "2");
	assert_queued(B, "");
	assert_int_equal(store.key_count, 1);
}

static void
each_event_of_a_batch_has_its_own_key(void **state)
{
	(void)state;
	struct draft first[] = { keyed(A, "1", "k1", 1), draft(A, "2"), keyed(A, "3", "k3", 3) };
	done(enqueue_drafts(engine, first, 3));
	struct draft second[] = { keyed(A, "4", "k4", 4), keyed(A, "1", "k1", 1),
				  keyed(A, "4", "k4", 4) };
	struct call *call = done(enqueue_drafts(engine, second, 3));
	assert_int_equal(call->enqueue.results[0].outcome, ENQUEUE_QUEUED);
	assert_false(call->drafts[0].idempotency.replayed);
	assert_true(call->drafts[1].idempotency.replayed);
	assert_true(call->drafts[2].idempotency.replayed);
	assert_int_equal(call->enqueue.results[1].id, 1);
	assert_str(call->enqueue.results[1].event.text, "1");
	assert_int_equal(call->enqueue.results[2].id, call->enqueue.results[0].id);
	assert_queued(A, "1 2 3 4");
}

/* The repeated answer includes the draft whose own key had already been answered before. */
static void
a_batch_may_have_a_key_too(void **state)
{
	(void)state;
	struct draft one = keyed(A, "1", "k1", 1);
	done(enqueue_draft(engine, one));
	struct draft drafts[] = { one, draft(A, "2") };
	for (int round = 0; round < 3; round++) {
		struct call *call = done(with_key(enqueue_drafts(engine, drafts, 2), "all", 99));

		assert_replayed(call, round > 0);
		assert_int_equal(call->enqueue.results[0].event.id, 1);
		assert_int_equal(call->enqueue.results[1].event.id, 2);
		if (round == 1)
			reopen();
	}
	assert_queued(A, "1 2");
}

/* Storing the key twice would fail the commit of every call in the turn. */
static void
a_batch_under_the_key_of_one_of_its_events_is_refused(void **state)
{
	(void)state;
	struct draft drafts[] = { keyed(A, "1", "k", 1), draft(A, "2") };
	struct call *bad = with_key(enqueue_drafts(engine, drafts, 2), "k", 2),
		    *other = enqueue(engine, B, "x");
	turn();
	assert_int_equal(bad->op.error.code, ERROR_IDEMPOTENCY_MISMATCH);
	assert_int_equal(other->op.error.code, ERROR_NONE);
	assert_queued(A, "");
	/* with a single event both keys mean the same request */
	for (int round = 0; round < 2; round++)
		assert_replayed(done(with_key(enqueue_drafts(engine, drafts, 1), "k", 1)),
				round > 0);
	assert_int_equal(store.key_count, 1);
}

static void
a_drain_can_be_repeated(void **state)
{
	(void)state;
	put(A, "1"), put(A, "2"), put(A, "3");
	struct call *first = done(with_key(drain(engine, A, 2), "k", 1));
	assert_texts(&first->drain.taken, "1 2");
	put(A, "4");
	for (int round = 0; round < 2; round++) {
		struct call *again = done(with_key(drain(engine, A, 2), "k", 1));

		assert_replayed(again, true);
		assert_texts(&again->drain.taken, "1 2");
		assert_int_equal(again->drain.taken.events[0].state, EVENT_STATE_SETTLED);
		assert_int_equal(again->drain.remaining, 2);
		reopen();
	}
	fails(with_key(drain(engine, A, 0), "k", 2), ERROR_IDEMPOTENCY_MISMATCH);
	assert_queued(A, "3 4");
}

static void
drained_events_are_repeated_with_their_attempts(void **state)
{
	(void)state;
	put(A, "1");
	done(nack(engine, lease_events(A, 0, MINUTE), ALL)), put(A, "2");
	int64_t lease = 0;
	for (int round = 0; round < 4; round++) {
		const struct lease_take_op *leased =
		    &done(take_lease_with_key(A, "l", 1))->lease_take;

		assert_int_equal(leased->taken.events[0].attempts, 1);
		assert_int_equal(leased->taken.events[1].attempts, 0);
		if (round == 0)
			lease = leased->lease_id;
		else if (round == 1)
			done(nack(engine, lease, ALL));
		const struct drain_op *drained =
		    &done(with_key(drain(engine, A, 0), "d", 1))->drain;
		assert_int_equal(drained->taken.count, round > 0 ? 2 : 0);
		for (size_t i = 0; i < drained->taken.count; i++)
			assert_int_equal(drained->taken.events[i].attempts, 2 - i);
		reopen();
	}
}

/*
 * Answers kept by another version: older ones lack a field, newer ones have one that this version
 * does not know.
 */
static void
an_answer_kept_in_another_format_is_a_conflict(void **state)
{
	(void)state;
	static const char *const forms[] = { "[0,1]", "[1]", "[1,2,3]", "[-5,0,1]",
					     "[-20]", "[]",  "" };
	put(A, "1"), put(B, "1");
	done(with_key(enqueue(engine, A, "2"), "e", 1)),
	    done(with_key(drain(engine, A, 0), "d", 1)), done(take_lease_with_key(B, "l", 1));
	size_t events = store.event_count, outcomes = store.outcome_count;
	for (size_t i = 0; i < COUNT(forms); i++) {
		for (size_t j = 0; j < store.key_count; j++)
			store.keys[j].answer = str_of(forms[i]);
		fails(with_key(enqueue(engine, A, "2"), "e", 1), ERROR_CONFLICT);
		fails(with_key(drain(engine, A, 0), "d", 1), ERROR_CONFLICT);
		fails(take_lease_with_key(B, "l", 1), ERROR_CONFLICT);
	}
	assert_int_equal(store.event_count, events);
	assert_int_equal(store.outcome_count, outcomes);
}

static void
a_drain_of_no_events_keeps_no_answer(void **state)
{
	(void)state;
	done(with_key(drain(engine, A, 0), "k", 1));
	put(A, "1");
	struct call *call = done(with_key(drain(engine, A, 0), "k", 1));
	assert_replayed(call, false);
	assert_texts(&call->drain.taken, "1");
}

static void
a_lease_can_be_repeated(void **state)
{
	(void)state;
	put(A, "1"), put(A, "2");
	struct call *first = done(take_lease_with_key(A, "k", 1));
	int64_t lease = first->lease_take.lease_id;
	put(A, "3");
	for (int round = 0; round < 3; round++) {
		struct call *again = done(take_lease_with_key(A, "k", 1));

		assert_replayed(again, true);
		assert_int_equal(again->lease_take.lease_id, lease);
		assert_int_equal(again->lease_take.until_ms, first->lease_take.until_ms);
		assert_texts(&again->lease_take.taken, "1 2");
		assert_int_equal(again->lease_take.taken.events[1].state, EVENT_STATE_LEASED);
		assert_int_equal(again->lease_take.remaining, 1);
		if (round == 1)
			done(ack(engine, lease, ALL));
		reopen();
	}
	assert_replayed(done(take_lease_with_key(B, "l", 1)), false);
	put(B, "x");
	assert_texts(&done(take_lease_with_key(B, "l", 1))->lease_take.taken, "x");
	fails(take_lease_with_key(A, "k", 2), ERROR_IDEMPOTENCY_MISMATCH);
}

/*
 * The first answer names what was true, also where the new policy refuses the key. An older version
 * kept no queue key: then the key is routed.
 */
static void
a_repeated_answer_names_the_queue_of_the_first(void **state)
{
	(void)state;
	static const char *const policies[] = { "{session:{mainKey:'hub'}}",
						"{agents:{list:[{id:'a'},{id:'b'}]}}" };
	put("main", "1"), put("main", "2"), put("main", "3"), put("agent:main:hub", "x");
	done(with_key(drain(engine, "main", 1), "d", 1));
	int64_t lease =
	    done(with_key(take_lease(engine, "main", 1, MINUTE), "l", 1))->lease_take.lease_id;
	for (size_t i = 0; i < COUNT(policies); i++) {
		engine_set_policy(engine, parse_policy(policies[i]));
		struct call *drained = done(with_key(drain(engine, "main", 1), "d", 1));
		struct call *leased = done(with_key(take_lease(engine, "main", 1, MINUTE), "l", 1));
		assert_replayed(drained, true);
		assert_replayed(leased, true);
		assert_str(drained->drain.session_key, "agent:main:main");
		assert_int_equal(drained->drain.remaining, 2);
		assert_str(leased->lease_take.session_key, "agent:main:main");
		assert_int_equal(leased->lease_take.lease_id, lease);
		assert_int_equal(leased->lease_take.remaining, 1);
	}
	store.keys[0].answer = STR("[-3,1,0]");
	fails(with_key(drain(engine, "main", 1), "d", 1), ERROR_OWNER_UNRESOLVED);
	reopen();
	assert_texts(&done(with_key(drain(engine, "main", 1), "d", 1))->drain.taken, "1");
}

/* Two requests under one key get the same lease; the events do not go to two consumers. */
static void
two_requests_of_one_turn_get_one_lease(void **state)
{
	(void)state;
	put(A, "1");
	struct call *one = take_lease_with_key(A, "k", 1), *two = take_lease_with_key(A, "k", 1);
	turn();
	assert_replayed(one, false);
	assert_replayed(two, true);
	assert_int_equal(one->lease_take.lease_id, two->lease_take.lease_id);
	assert_texts(&two->lease_take.taken, "1");
	pass(MINUTE);
	turn();
	fails(ack(engine, two->lease_take.lease_id, ALL), ERROR_CONFLICT);
}

static void
an_event_deleted_since_is_left_out(void **state)
{
	(void)state;
	options.recent_bytes = 1 << 16; /* from memory the deleted event could still be answered */
	reopen();
	done(with_key(enqueue(engine, A, "1"), "k", 1)), put(A, "2");
	done(with_key(drain(engine, A, 0), "d", 1));
	store.missing_id = 1; /* retention has deleted the event */
	struct call *call = done(with_key(enqueue(engine, A, "1"), "k", 1));
	assert_replayed(call, true);
	assert_int_equal(call->enqueue.results[0].event.id, 0);
	call = done(with_key(drain(engine, A, 0), "d", 1));
	assert_int_equal(call->drain.taken.events[0].id, 0);
	assert_int_equal(call->drain.taken.events[1].id, 2);
}

static void
a_failed_commit_keeps_no_key(void **state)
{
	(void)state;
	store.commit_fails = ERROR_STORAGE_FAILED;
	fails(with_key(enqueue(engine, A, "1"), "k", 1), ERROR_STORAGE_FAILED);
	store.commit_fails = ERROR_NONE;
	assert_replayed(done(with_key(enqueue(engine, A, "2"), "k", 2)), false);
	assert_queued(A, "2");
}

static void
a_full_store_keeps_no_key_of_a_refused_request(void **state)
{
	(void)state;
	put(A, "1");
	store.full_for_events = true;
	struct call *refused = with_key(enqueue(engine, A, "2"), "k", 1),
		    *taken = with_key(drain(engine, A, 0), "d", 1),
		    *again = with_key(drain(engine, A, 0), "d", 1);
	turn();
	assert_int_equal(refused->op.error.code, ERROR_STORAGE_FULL);
	assert_texts(&taken->drain.taken, "1");
	assert_replayed(again, true);
	assert_texts(&again->drain.taken, "1");
	store.full_for_events = false;
	assert_replayed(done(with_key(enqueue(engine, A, "3"), "k", 3)), false);
	assert_int_equal(store.key_count, 2);
}

static void
a_failed_key_look_up_fails_the_call(void **state)
{
	(void)state;
	done(with_key(enqueue(engine, A, "1"), "k", 1));
	store.read_fails = ERROR_STORAGE_FAILED;
	fails(with_key(enqueue(engine, A, "2"), "l", 1), ERROR_STORAGE_FAILED);
	store.read_fails = ERROR_NONE;
	assert_queued(A, "1");
}

static void
keys_are_looked_up_when_the_batch_begins(void **state)
{
	(void)state;
	call_back_at_once();
	store.defer = true;
	struct call *first = with_key(enqueue(engine, A, "1"), "k", 1);
	turn();
	/* while the commit of the first call is under way */
	struct call *second = with_key(enqueue(engine, A, "1"), "k", 1);
	while (memory_store_release(&store))
		turn();
	assert_replayed(first, false);
	assert_replayed(second, true);
	assert_int_equal(store.event_count, 1);
}

static void
an_overlong_key_is_refused(void **state)
{
	(void)state;
	char name[300];
	memset(name, 'k', sizeof(name));
	name[IDEMPOTENCY_PREFIX_BYTES_MAX + IDEMPOTENCY_KEY_BYTES_MAX + 1] = '\0';
	struct call *call =
	    fails(enqueue_draft(engine, keyed(A, "1", name, 1)), ERROR_INVALID_FIELD);
	assert_string_equal(call->op.error.pointer, "/idempotencyKey");
	name[IDEMPOTENCY_PREFIX_BYTES_MAX + IDEMPOTENCY_KEY_BYTES_MAX] = '\0';
	done(enqueue_draft(engine, keyed(A, "1", name, 1)));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_repeated_request_gets_the_first_answer),
		TEST(another_request_under_the_same_key_is_refused),
		TEST(a_key_used_earlier_in_the_turn_is_known),
		TEST(every_outcome_is_repeated),
		TEST(a_repeated_answer_stays_within_the_answer_limit),
		TEST(a_delayed_event_is_repeated_as_delayed),
		TEST(a_duplicate_is_repeated_in_the_state_of_the_first_answer),
		TEST(a_refused_request_keeps_no_answer),
		TEST(each_event_of_a_batch_has_its_own_key),
		TEST(a_batch_may_have_a_key_too),
		TEST(a_batch_under_the_key_of_one_of_its_events_is_refused),
		TEST(a_drain_can_be_repeated),
		TEST(drained_events_are_repeated_with_their_attempts),
		TEST(an_answer_kept_in_another_format_is_a_conflict),
		TEST(a_drain_of_no_events_keeps_no_answer),
		TEST(a_lease_can_be_repeated),
		TEST(a_repeated_answer_names_the_queue_of_the_first),
		TEST(two_requests_of_one_turn_get_one_lease),
		TEST(an_event_deleted_since_is_left_out),
		TEST(a_failed_commit_keeps_no_key),
		TEST(a_full_store_keeps_no_key_of_a_refused_request),
		TEST(a_failed_key_look_up_fails_the_call),
		TEST(keys_are_looked_up_when_the_batch_begins),
		TEST(an_overlong_key_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
