/* enqueue_test.c - the answer of an enqueue, and batches of drafts that are refused as a whole. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "tests/unit/fixture.h"

static void
enqueue_answers_with_the_stored_event(void **state)
{
	(void)state;
	struct draft full = draft(" main ", "  Build done \n");
	full.context_key = str_of(" Build:1 ");
	full.source = str_of("exec-event");
	full.traceparent = str_of("00-1-2-01");
	full.delivery = (struct delivery){ .channel = STR("telegram"), .to = STR("123") };
	full.wake = WAKE_NOW;
	struct call *call = done(enqueue_draft(engine, full));
	const struct system_event *event = &call->enqueue.results[0].event;
	assert_int_equal(call->enqueue.results[0].outcome, ENQUEUE_QUEUED);
	assert_true(event->id > 0 && event->ts_ms > 0);
	assert_str(event->session_key, "agent:main:main");
	assert_str(event->original_session_key, " main ");
	assert_int_equal(event->rule, RULE_MAIN_ALIAS);
	assert_str(event->text, "Build done");
	assert_str(event->context_key, "build:1");
	assert_int_equal(event->state, EVENT_STATE_QUEUED);

	const struct system_event *found = &done(find_event(engine, event->id))->find.event;
	assert_int_equal(found->id, event->id);
	assert_int_equal(found->ts_ms, event->ts_ms);
	assert_int_equal(found->rule, event->rule);
	assert_int_equal(found->wake, WAKE_NOW);
	assert_str(found->session_key, "agent:main:main");
	assert_str(found->original_session_key, " main ");
	assert_str(found->text, "Build done");
	assert_str(found->context_key, "build:1");
	assert_str(found->source, "exec-event");
	assert_str(found->traceparent, "00-1-2-01");
	assert_delivery(&found->delivery, &full.delivery);
}

static void
an_agent_without_a_key_means_its_main_session(void **state)
{
	(void)state;
	struct draft to_agent = { .address.agent_id = STR("Ops"), .text = STR("x") };
	const struct system_event *event =
	    &done(enqueue_draft(engine, to_agent))->enqueue.results[0].event;
	assert_str(event->session_key, "agent:ops:main");
	assert_str(event->original_session_key, "main");
}

static void
a_bad_address_is_refused_by_every_call(void **state)
{
	(void)state;
	fails(enqueue(engine, " ", "x"), ERROR_BLANK_KEY);
	fails(enqueue(engine, "agent:", "x"), ERROR_MALFORMED_KEY);
	fails(drain(engine, "agent:", 0), ERROR_MALFORMED_KEY);
	fails(consume(engine, "", NULL, 0), ERROR_BLANK_KEY);
	fails(peek(engine, "agent::x"), ERROR_MALFORMED_KEY);
	fails(purge(engine, " ", NULL), ERROR_BLANK_KEY);
	fails(list_sessions(engine, (struct sessions_op){ .address.session_key = STR("agent:") }),
	      ERROR_MALFORMED_KEY);
	assert_int_equal(store.commits, 0);
}

static void
too_large_a_batch_is_refused(void **state)
{
	(void)state;
	options.batch_events_max = 2;
	reopen();
	struct draft drafts[] = { draft(A, "1"), draft(A, "2"), draft(A, "3") };
	fails(enqueue_drafts(engine, drafts, 3), ERROR_TOO_LARGE);
	done(enqueue_drafts(engine, drafts, 2));
	assert_queued(A, "1 2");
}

static void
one_bad_draft_refuses_the_whole_batch(void **state)
{
	(void)state;
	int64_t before = put_keyed(A, "k", "0");
	struct draft drafts[] = { draft(A, "1"), draft(B, "2"), draft(A, "3"), draft(A, " "),
				  draft(A, "5") };
	drafts[2].context_key = STR("l");
	struct draft replacing = draft(A, "new");
	replacing.context_key = STR("k");
	replacing.replace = true;
	drafts[1] = replacing;
	struct call *first = enqueue(engine, A, "first"),
		    *bad = enqueue_drafts(engine, drafts, COUNT(drafts)),
		    *last = enqueue(engine, A, "last");
	turn();
	assert_int_equal(bad->op.error.code, ERROR_INVALID_FIELD);
	assert_int_equal(bad->enqueue.failed, 3);
	assert_int_equal(first->enqueue.results[0].event.id, before + 1);
	/* the refused drafts used up no ids */
	assert_int_equal(last->enqueue.results[0].event.id, before + 2);
	assert_queued(A, "0 first last");
	assert_str(session_of(A)->last_context_key, "k");
	assert_int_equal(store.event_count, 3);
	assert_int_equal(store.outcome_count, 0);
}

static void
a_duplicate_within_a_refused_batch_is_not_counted(void **state)
{
	(void)state;
	struct draft drafts[] = { draft(A, "1"), draft(A, "1"), draft(A, " ") };
	fails(enqueue_drafts(engine, drafts, 3), ERROR_INVALID_FIELD);
	assert_int_equal(stats().duplicates, 0);
	done(enqueue_drafts(engine, drafts, 2));
	assert_int_equal(stats().duplicates, 1);
	assert_int_equal(stats().enqueued, 1);
}

static const struct CMUnitTest tests[] = {
	TEST(enqueue_answers_with_the_stored_event),
	TEST(an_agent_without_a_key_means_its_main_session),
	TEST(a_bad_address_is_refused_by_every_call),
	TEST(too_large_a_batch_is_refused),
	TEST(one_bad_draft_refuses_the_whole_batch),
	TEST(a_duplicate_within_a_refused_batch_is_not_counted),
};

int
main(void)
{
	return cmocka_run_group_tests(tests, NULL, NULL);
}
