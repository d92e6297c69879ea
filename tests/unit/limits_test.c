/* limits_test.c - full sessions, too many sessions, too many pending events. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "tests/unit/fixture.h"

static void
a_full_session_refuses(void **state)
{
	(void)state;
	options.session_pending_max = 2;
	reopen();
	put(A, "1"), put(A, "2");
	fails(enqueue(engine, A, "3"), ERROR_QUEUE_FULL);
	put(B, "1");
	done(drain(engine, A, 1));
	put(A, "3");
	assert_queued(A, "2 3");
	assert_int_equal(stats().rejected_session_full, 1);
}

static void
a_full_session_evicts_its_oldest_under_drop_oldest(void **state)
{
	(void)state;
	options.session_pending_max = 2;
	options.overflow = OVERFLOW_DROP_OLDEST;
	reopen();
	put_keyed(A, "k", "1"), put(A, "2"), put(A, "3");
	assert_queued(A, "2 3");
	assert_str(session_of(A)->last_context_key, "k");
	assert_true(memory_store_settled(&store, 1, OUTCOME_EVICTED));
	assert_int_equal(stats().outcomes[OUTCOME_EVICTED], 1);
	struct draft more[] = { draft(A, "4"), draft(A, "5"), draft(A, "6"), draft(A, "7") };
	/* it also evicts events of its own batch */
	done(enqueue_drafts(engine, more, COUNT(more)));
	assert_queued(A, "6 7");
}

static void
put_delayed(const char *text)
{
	struct draft later = draft(A, text);

	later.delay_ms = 1000;
	done(enqueue_draft(engine, later));
}

static void
add_word(struct buf *words, const char *word)
{
	buf_addf(words, "%s%s", words->len > 0 ? " " : "", word);
}

/* Four events, delayed or not, in every order; then as many as could be had now, or one. */
static void
what_could_be_had_now_gives_way_before_what_is_delayed(void **state)
{
	static const char *const names[] = { "a", "b", "c", "d" }, *const more[] = { "1", "2", "3",
										     "4" };

	(void)state;
	options.session_pending_max = 4;
	options.overflow = OVERFLOW_DROP_OLDEST;
	reopen();
	for (int order = 0; order < 16; order++) {
		struct buf want = { 0 };
		size_t delayed = 0;

		for (int i = 0; i < 4; i++) {
			bool later = (order & 1 << i) != 0;

			if (later)
				put_delayed(names[i]);
			else
				put(A, names[i]);
			if (later && (order != 15 || i > 0)) /* of delayed ones alone, the oldest */
				add_word(&want, names[i]);
			delayed += later;
		}
		for (size_t i = 0; i < (order == 15 ? 1 : 4 - delayed); i++) {
			put(A, more[i]);
			add_word(&want, more[i]);
		}
		buf_add(&want, "", 1);
		assert_queued(A, want.data);
		buf_clear(&want);
		done(purge(engine, A, NULL));
	}
}

static void
assert_told(const struct call *call, const char *want)
{
	struct buf told = { 0 };

	for (size_t i = 0; i < call->enqueue.count; i++)
		add_word(&told, event_state_name(&call->enqueue.results[i].event));
	buf_add(&told, "", 1);
	assert_string_equal(told.data, want);
	buf_clear(&told);
	for (size_t i = 0; i < call->enqueue.count; i++)
		assert_string_equal(event_state_name(&call->enqueue.results[i].event),
				    event_state_name(look_at(call->enqueue.results[i].id)));
}

/* Also in the answers that the keys of the batch and of its events repeat. */
static void
a_batch_tells_which_of_its_events_it_evicts(void **state)
{
	(void)state;
	options.session_pending_max = 2;
	options.overflow = OVERFLOW_DROP_OLDEST;
	reopen();
	put(A, "1");
	struct draft more[] = { draft(A, "1"), draft(A, "2"), draft(B, "b"), draft(A, "3"),
				draft(A, "4") };
	more[1].idempotency = (struct idempotency){ .key = STR("two"), .request = 2 };
	for (int round = 0; round < 2; round++) {
		struct call *call = enqueue_drafts(engine, more, COUNT(more));
		call->op.idempotency = (struct idempotency){ .key = STR("all"), .request = 1 };
		assert_told(done(call), "evicted evicted queued queued queued");
		assert_int_equal(call->op.idempotency.replayed, round > 0);
		assert_int_equal(call->enqueue.results[0].outcome, ENQUEUE_DUPLICATE);
		struct call *one = done(enqueue_drafts(engine, &more[1], 1));
		assert_int_equal(one->enqueue.results[0].id, call->enqueue.results[1].id);
		assert_told(one, "evicted");
		reopen();
	}
}

static void
a_batch_tells_which_of_its_events_it_replaces(void **state)
{
	(void)state;
	struct draft three[] = { draft(A, "1"), draft(A, "2"), draft(A, "3") };
	for (size_t i = 0; i < COUNT(three); i++) {
		three[i].context_key = STR("k");
		three[i].replace = true;
	}
	assert_told(done(enqueue_drafts(engine, three, COUNT(three))), "replaced replaced queued");
}

/* The event of another request of the same turn was queued when that was answered. */
static void
an_answer_does_not_tell_what_later_requests_do(void **state)
{
	(void)state;
	options.session_pending_max = 1;
	options.overflow = OVERFLOW_DROP_OLDEST;
	reopen();
	struct call *first = enqueue(engine, A, "1"), *second = enqueue(engine, A, "2");
	turn();
	assert_string_equal(event_state_name(&first->enqueue.results[0].event), "queued");
	assert_string_equal(event_state_name(&second->enqueue.results[0].event), "queued");
	assert_queued(A, "2");
}

/*
 * The evicted event with the key "k" was newer than the leased event and older than the events
 * without a key, so no pending event tells the last context any more.
 */
static void
the_last_context_of_an_evicted_event_survives_a_restart(void **state)
{
	(void)state;
	options.session_pending_max = 2;
	options.overflow = OVERFLOW_DROP_OLDEST;
	reopen();
	put_keyed(A, "held", "1"), done(take_lease(engine, A, 0, 60000)), put_keyed(A, "k", "2"),
	    put(A, "3"), put(A, "4");
	reopen();
	assert_str(session_of(A)->last_context_key, "k");
	struct draft refused[] = { draft(A, "5"), draft(A, " ") };
	refused[0].context_key = STR("other");
	fails(enqueue_drafts(engine, refused, 2), ERROR_INVALID_FIELD);
	store.commit_fails = ERROR_STORAGE_FAILED;
	fails(enqueue_keyed(engine, A, "other", "5"), ERROR_STORAGE_FAILED);
	fails(withdraw(engine, 1), ERROR_STORAGE_FAILED);
	store.commit_fails = ERROR_NONE;
	put(A, "5");
	reopen();
	assert_str(session_of(A)->last_context_key, "k");
	put_keyed(A, "k", "6"); /* the last context is that of a pending event again */
	done(consume(engine, A, (int64_t[]){ store.events[store.event_count - 1].event.id }, 1));
	assert_str(session_of(A)->last_context_key, "held");
	reopen();
	assert_str(session_of(A)->last_context_key, "held");
	done(drain(engine, A, 0)), done(withdraw(engine, 1)), put(A, "7");
	reopen();
	assert_str(session_of(A)->last_context_key, NULL);
}

static void
a_new_session_over_the_limit_is_refused(void **state)
{
	(void)state;
	options.sessions_max = 2;
	reopen();
	put(A, "1"), put(B, "1");
	fails(enqueue(engine, "agent:main:c", "1"), ERROR_QUEUE_FULL);
	put(A, "2");
	assert_int_equal(stats().rejected_sessions_full, 1);
}

static void
a_session_emptied_in_the_same_batch_frees_its_place(void **state)
{
	(void)state;
	options.sessions_max = 2;
	reopen();
	put(A, "1"), put(B, "1");
	struct draft bad[] = { draft("agent:main:c", "1"), draft(A, " ") };
	struct call *calls[] = { drain(engine, A, 0), enqueue_drafts(engine, bad, 2),
				 enqueue(engine, "agent:main:d", "1"),
				 enqueue(engine, "agent:main:e", "1") };
	turn();
	assert_int_equal(calls[1]->op.error.code, ERROR_INVALID_FIELD);
	assert_int_equal(calls[2]->op.error.code, ERROR_NONE);
	assert_int_equal(calls[3]->op.error.code, ERROR_QUEUE_FULL);
}

static void
an_event_over_the_pending_limit_is_refused(void **state)
{
	(void)state;
	options.pending_max = 2;
	reopen();
	put(A, "1"), put(B, "1");
	fails(enqueue(engine, A, "2"), ERROR_QUEUE_FULL);
	assert_int_equal(stats().rejected_pending_full, 1);
	assert_int_equal(stats().pending, 2);
}

static const struct CMUnitTest tests[] = {
	TEST(a_full_session_refuses),
	TEST(a_full_session_evicts_its_oldest_under_drop_oldest),
	TEST(what_could_be_had_now_gives_way_before_what_is_delayed),
	TEST(a_batch_tells_which_of_its_events_it_evicts),
	TEST(a_batch_tells_which_of_its_events_it_replaces),
	TEST(an_answer_does_not_tell_what_later_requests_do),
	TEST(the_last_context_of_an_evicted_event_survives_a_restart),
	TEST(a_new_session_over_the_limit_is_refused),
	TEST(a_session_emptied_in_the_same_batch_frees_its_place),
	TEST(an_event_over_the_pending_limit_is_refused),
};

int
main(void)
{
	return cmocka_run_group_tests(tests, NULL, NULL);
}
