/*
 * engine_test.c - every call and the rules of ROUTING section 7, and what a batch promises when the
 * store is slow or fails.
 *
 * The store is in memory and does as it is told (memory_store.h); the engine on SQLite is tested in
 * sqlite_store_test.c.
 */
#include "queue/engine.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "tests/unit/calls.h"
#include "tests/unit/memory_store.h"

#define A "agent:main:a"
#define B "agent:main:b"
#define COUNT(table) (sizeof(table) / sizeof((table)[0]))

static struct memory_store store;
static struct engine *engine;
static struct engine_options options;
static struct error error;

static struct policy *
policy(const char *json5)
{
	struct policy *parsed;

	assert_int_equal(policy_parse(json5, strlen(json5), &parsed, &error), 0);
	return parsed;
}

static void
open_engine(void)
{
	assert_int_equal(engine_open(&store.base, policy(""), &options, &engine, &error), 0);
}

static void
reopen(void)
{
	engine_close(engine);
	open_engine();
}

static int
begin(void **state)
{
	(void)state;
	memory_store_init(&store);
	engine_options_init(&options);
	options.recent_bytes = 0; /* what is asked of the store is the question here */
	open_engine();
	return 0;
}

static int
end(void **state)
{
	(void)state;
	engine_close(engine);
	memory_store_clear(&store);
	calls_free();
	return 0;
}

static void
turn(void)
{
	assert_int_equal(engine_turn(engine, &error), 0);
}

/* One call in a turn of its own, which must succeed. */
static struct call *
done(struct call *call)
{
	turn();
	assert_int_equal(call->answered, 1);
	if (call->op.error.code != ERROR_NONE)
		fail_msg("%s: %s", error_code_name(call->op.error.code), call->op.error.detail);
	return call;
}

/* One call in a turn of its own, which must fail so. */
static struct call *
fails(struct call *call, enum error_code code)
{
	turn();
	assert_int_equal(call->answered, 1);
	assert_string_equal(error_code_name(call->op.error.code), error_code_name(code));
	return call;
}

static int64_t
put(const char *key, const char *text)
{
	return done(enqueue(engine, key, text))->enqueue.results[0].event.id;
}

static int64_t
put_keyed(const char *key, const char *context_key, const char *text)
{
	return done(enqueue_keyed(engine, key, context_key, text))->enqueue.results[0].event.id;
}

static void
assert_queued(const char *key, const char *texts)
{
	assert_texts(&done(peek(engine, key))->peek.found, texts);
}

static const struct session *
session(const char *key)
{
	struct call *call =
	    done(list_sessions(engine, (struct sessions_op){ .address.session_key = str_of(key) }));

	return call->sessions.count > 0 ? &call->sessions.sessions[0] : NULL;
}

static struct engine_stats
stats(void)
{
	struct engine_stats now;

	engine_stats(engine, &now);
	return now;
}

/* --- the calls --- */

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
	assert_true(delivery_same(&found->delivery, &full.delivery));
}

static void
an_agent_alone_means_its_main_session(void **state)
{
	(void)state;
	struct draft to_agent = { .address.agent_id = STR("Ops"), .text = STR("x") };
	const struct system_event *event =
	    &done(enqueue_draft(engine, to_agent))->enqueue.results[0].event;
	assert_str(event->session_key, "agent:ops:main");
	assert_str(event->original_session_key, "main");
}

static void
drain_takes_oldest_first_and_all(void **state)
{
	(void)state;
	put(A, "1"), put(B, "x"), put(A, "2"), put(A, "3");
	struct call *call = done(drain(engine, A, 0));
	assert_str(call->drain.session_key, A);
	assert_texts(&call->drain.taken, "1 2 3");
	assert_int_equal(call->drain.remaining, 0);
	assert_texts(&done(drain(engine, A, 0))->drain.taken, "");
	assert_queued(B, "x");
	assert_int_equal(store.outcome_count, 1); /* one call, one row */
}

static void
drain_takes_no_more_than_its_limit(void **state)
{
	(void)state;
	put(A, "1"), put(A, "2"), put(A, "3");
	struct call *call = done(drain(engine, A, 2));
	assert_texts(&call->drain.taken, "1 2");
	assert_int_equal(call->drain.remaining, 1);
	assert_queued(A, "3");
}

static void
drain_takes_no_more_text_than_an_answer_holds(void **state)
{
	(void)state;
	char *text = mem_alloc(TEXT_BYTES_MAX + 1);
	struct draft big[CALL_DRAFTS_MAX];
	memset(text, 'x', TEXT_BYTES_MAX);
	for (size_t i = 0; i < CALL_DRAFTS_MAX; i++) {
		big[i] = draft(A, text);
		big[i].allow_duplicate = true;
	}
	for (size_t i = 0; i < 3; i++)
		done(enqueue_drafts(engine, big, CALL_DRAFTS_MAX));
	struct call *call = done(drain(engine, A, 0));
	assert_int_equal(call->drain.taken.count, ANSWER_TEXT_BYTES_MAX / TEXT_BYTES_MAX);
	assert_int_equal(call->drain.remaining, 3 * CALL_DRAFTS_MAX - call->drain.taken.count);
	call = done(peek(engine, A));
	assert_int_equal(call->peek.found.count, call->peek.depth);
	free(text);
}

static void
drain_by_prefix_takes_only_those(void **state)
{
	(void)state;
	put_keyed(A, "cron:1", "1"), put(A, "2"), put_keyed(A, "exec:1", "3"),
	    put_keyed(A, "cron:2", "4");
	struct call *call = done(drain_prefix(engine, A, " CRON: "));
	assert_texts(&call->drain.taken, "1 4");
	assert_int_equal(call->drain.remaining, 2);
	assert_queued(A, "2 3");
	assert_str(session(A)->last_context_key, "exec:1");
}

static void
consume_takes_these_in_the_order_asked(void **state)
{
	(void)state;
	int64_t a1 = put(A, "1"), a2 = put(A, "2"), b = put(B, "x"), a3 = put(A, "3");
	int64_t ids[] = { a3, 999, a1, b, a3, a1 };
	struct call *call = done(consume(engine, A, ids, COUNT(ids)));
	assert_texts(&call->consume.taken, "3 1");
	assert_int_equal(call->consume.remaining, 1);
	assert_queued(A, "2");
	assert_queued(B, "x");
	assert_int_equal(a2, store.events[1].event.id);
	assert_true(memory_store_settled(&store, a3, OUTCOME_CONSUMED));
	assert_int_equal(store.outcomes[0].ids[0], a1); /* ascending in the record */
}

static void
consume_of_nothing_known_changes_nothing(void **state)
{
	(void)state;
	options.session_pending_max = 1;
	options.overflow = OVERFLOW_DROP_OLDEST;
	reopen();
	put_keyed(A, "k", "1"), put(A, "2"); /* the last context outlives its evicted event */
	size_t commits = store.commits;
	assert_texts(&done(consume(engine, A, (int64_t[]){ 999 }, 1))->consume.taken, "");
	assert_int_equal(store.commits, commits);
	assert_str(session(A)->last_context_key, "k");
	done(drain_prefix(engine, A, "other"));
	assert_str(session(A)->last_context_key, "k");
	done(purge(engine, A, "other"));
	assert_str(session(A)->last_context_key, "k");
}

static void
peek_pages_and_takes_nothing(void **state)
{
	(void)state;
	put(A, "1"), put(A, "2"), put(A, "3");
	struct call *call = done(peek_page(engine, A, 2, NULL));
	assert_texts(&call->peek.found, "1 2");
	assert_int_equal(call->peek.depth, 3);
	assert_true(call->peek.more);
	call = done(peek_page(engine, A, 2, "2"));
	assert_texts(&call->peek.found, "3");
	assert_false(call->peek.more);
	assert_texts(&done(peek_page(engine, A, 2, "3"))->peek.found, "");
	assert_int_equal(store.outcome_count, 0);
	fails(peek_page(engine, A, 2, "x"), ERROR_INVALID_FIELD);
}

static void
an_event_is_found_pending_or_not(void **state)
{
	(void)state;
	int64_t id = put(A, "1");
	assert_str(done(find_event(engine, id))->find.event.text, "1");
	fails(find_event(engine, id + 1), ERROR_NOT_FOUND);
	fails(find_event(engine, 0), ERROR_NOT_FOUND);
	fails(find_event(engine, -1), ERROR_NOT_FOUND);
	done(drain(engine, A, 0));
	const struct find_op *found = &done(find_event(engine, id))->find;
	assert_str(found->event.text, "1");
	assert_string_equal(event_state_name(&found->event), "drained");
	assert_int_equal(found->timeline_count, 1);
}

static void
many_finds_in_one_turn_find_each_their_own(void **state)
{
	(void)state;
	int64_t first = put(A, "1"), second = put(B, "2");
	struct call *calls[] = { find_event(engine, second), find_event(engine, 99),
				 find_event(engine, first),  find_event(engine, second),
				 withdraw(engine, first),    find_event(engine, first) };
	turn();
	assert_str(calls[0]->find.event.text, "2");
	assert_int_equal(calls[1]->op.error.code, ERROR_NOT_FOUND);
	assert_str(calls[2]->find.event.text, "1");
	assert_str(calls[3]->find.event.text, "2");
	assert_str(calls[4]->withdraw.event.text, "1");
	assert_string_equal(event_state_name(&calls[5]->find.event), "withdrawn");
}

static void
withdraw_takes_one_and_answers_with_it(void **state)
{
	(void)state;
	put_keyed(A, "k", "1");
	int64_t id = put_keyed(A, "l", "2");
	assert_str(done(withdraw(engine, id))->withdraw.event.text, "2");
	assert_queued(A, "1");
	assert_str(session(A)->last_context_key, "k");
	assert_true(memory_store_settled(&store, id, OUTCOME_WITHDRAWN));
	fails(withdraw(engine, id), ERROR_NOT_FOUND);
}

static void
purge_takes_all_or_one_context_key(void **state)
{
	(void)state;
	put_keyed(A, "k", "1"), put(A, "2"), put_keyed(A, "kk", "3"), put_keyed(A, "k", "4");
	struct call *call = done(purge(engine, A, " K "));
	assert_int_equal(call->purge.purged, 2);
	assert_int_equal(call->purge.remaining, 2);
	assert_queued(A, "2 3");
	assert_int_equal(done(purge(engine, A, NULL))->purge.purged, 2);
	assert_int_equal(done(purge(engine, A, NULL))->purge.purged, 0);
	assert_int_equal(stats().outcomes[OUTCOME_PURGED], 4);
	assert_true(memory_store_settled(&store, 1, OUTCOME_PURGED));
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

/* --- sessions --- */

/* Lists with the given input; the keys, less "agent:", joined by blanks. */
static void
assert_listed(struct sessions_op input, const char *want)
{
	struct call *call = done(list_sessions(engine, input));
	struct buf have = { 0 };

	for (size_t i = 0; i < call->sessions.count; i++) {
		struct str key = call->sessions.sessions[i].session_key;

		if (i > 0)
			buf_adds(&have, " ");
		buf_add(&have, key.s + 6, key.len - 6);
	}
	assert_str((struct str){ have.data, have.len }, want);
	assert_int_equal(call->sessions.total, call->sessions.count);
	buf_clear(&have);
}

static void
sessions_are_filtered_and_sorted(void **state)
{
	(void)state;
	put("agent:y:b", "1"), put("agent:x:a", "1"), put("agent:x:a", "2"), put("agent:xx:a", "1"),
	    put("agent:x:c", "1");
	put("agent:z:gone", "1"), done(drain(engine, "agent:z:gone", 0));
	assert_listed((struct sessions_op){ 0 }, "x:a x:c xx:a y:b");
	assert_listed((struct sessions_op){ .sort = SORT_DEPTH }, "x:a x:c xx:a y:b");
	assert_listed((struct sessions_op){ .address.agent_id = STR(" X ") }, "x:a x:c");
	assert_listed((struct sessions_op){ .prefix = STR("agent:x") }, "x:a x:c xx:a");
	assert_listed((struct sessions_op){ .address.session_key = STR("agent:x:c") }, "x:c");
	assert_listed((struct sessions_op){ .address.session_key = STR("agent:x:d") }, "");
	assert_listed((struct sessions_op){ .min_age_ms = 3600000 }, "");
	assert_listed((struct sessions_op){ .min_age_ms = INT64_MAX }, "");
}

static void
sessions_sort_by_time(void **state)
{
	(void)state;
	put("agent:x:c", "1"), put("agent:x:a", "1"), put("agent:x:b", "1");
	for (size_t i = 0; i < store.event_count; i++)
		store.events[i].event.ts_ms = 1000 + (int64_t)i;
	reopen();
	assert_listed((struct sessions_op){ .sort = SORT_OLDEST }, "x:c x:a x:b");
	assert_listed((struct sessions_op){ .sort = SORT_NEWEST }, "x:b x:a x:c");
	assert_listed((struct sessions_op){ .min_age_ms = 3600000 }, "x:a x:b x:c");
	assert_int_equal(stats().oldest_ts_ms, 1000);
}

static void
a_cursor_goes_on_where_a_page_ended(void **state)
{
	(void)state;
	static const char *const all[] = { "agent:x:a", "agent:x:b", "agent:x:c", "agent:x:d",
					   "agent:x:e" };
	for (int sort = SORT_KEY; sort <= SORT_NEWEST; sort++) {
		struct sessions_op input = { .limit = 2, .sort = (enum sort)sort };
		size_t seen = 0;

		for (size_t i = 0; i < COUNT(all); i++)
			put(all[i], "1");
		do {
			struct call *call = done(list_sessions(engine, input));

			assert_int_equal(call->sessions.total, COUNT(all));
			assert_true(call->sessions.count <= 2);
			seen += call->sessions.count;
			input.cursor = call->sessions.next_cursor;
		} while (input.cursor.s != NULL);
		assert_int_equal(seen, COUNT(all));
	}
}

/* Far more sessions than a page has, in no order: each is on one page, in its place. */
static void
pages_of_many_sessions_are_in_order(void **state)
{
	(void)state;
	char key[32], before[32] = "";
	struct sessions_op input = { .limit = 7, .sort = SORT_KEY };
	size_t seen = 0;
	for (int i = 0; i < 500; i++) {
		snprintf(key, sizeof(key), "agent:x:%03d", i * 37 % 500);
		put(key, "1");
	}
	do {
		const struct sessions_op *page = &done(list_sessions(engine, input))->sessions;

		for (size_t i = 0; i < page->count; i++) {
			snprintf(key, sizeof(key), "%.*s", (int)page->sessions[i].session_key.len,
				 page->sessions[i].session_key.s);
			assert_true(strcmp(before, key) < 0);
			strcpy(before, key);
		}
		assert_int_equal(page->total, 500);
		seen += page->count;
		input.cursor = page->next_cursor;
	} while (input.cursor.s != NULL);
	assert_int_equal(seen, 500);
}

static void
a_strange_cursor_is_refused(void **state)
{
	(void)state;
	static const char *const strange[] = {
		"", ":", "1:", ":x", "x:y", "1x:y", "123456789012345678901234567890:x"
	};
	for (size_t i = 0; i < COUNT(strange); i++) {
		struct call *call = fails(
		    list_sessions(engine, (struct sessions_op){ .cursor = str_of(strange[i]) }),
		    ERROR_INVALID_FIELD);

		assert_string_equal(call->op.error.pointer, "cursor");
	}
}

static void
a_session_shows_where_its_events_came_from(void **state)
{
	(void)state;
	put("main", "1"), put("agent:main:main", "2"), put(" main ", "3"),
	    put("agent:main:main ", "4");
	put("AGENT:main:main", "5");
	const struct session *s = session("main");
	assert_int_equal(s->depth, 5);
	assert_str(s->agent_id, "main");
	assert_int_equal(s->rekeyed_from_count, 2);
	assert_str(s->rekeyed_from[0].key, "main");
	assert_int_equal(s->rekeyed_from[0].count, 2);
	assert_str(s->rekeyed_from[1].key, "AGENT:main:main");
	assert_int_equal(s->rekeyed_from[1].count, 1);
}

static void
put_from(struct delivery delivery)
{
	struct draft from = draft(A, "x");

	from.delivery = delivery;
	done(enqueue_draft(engine, from));
}

static void
a_session_shows_the_merged_delivery_context(void **state)
{
	(void)state;
	put_from(
	    (struct delivery){ .channel = STR("telegram"), .to = STR("1"), .thread_id = STR("t") });
	put(A, "none between");
	put_from((struct delivery){ .channel = STR("telegram"), .to = STR("2") });
	assert_str(session(A)->delivery.to, "2");
	assert_str(session(A)->delivery.thread_id, "t");
	put_from((struct delivery){ .channel = STR("slack"), .to = STR("3") });
	assert_str(session(A)->delivery.channel, "slack");
	assert_str(session(A)->delivery.thread_id, NULL);
}

/* --- duplicates, replacing, the last context (ROUTING section 7) --- */

struct step {
	const char *context_key, *text, *to; /* to: of the delivery context; NULL: none */
	char how;                            /* 'r': replace; 'd': allow a duplicate */
	int outcome;
};

static void
run_steps(const struct step *steps, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		struct draft next = draft(A, steps[i].text);

		next.context_key = str_of(steps[i].context_key);
		next.delivery.to = str_of(steps[i].to);
		next.replace = steps[i].how == 'r';
		next.allow_duplicate = steps[i].how == 'd';
		struct call *call = done(enqueue_draft(engine, next));
		if (call->enqueue.results[0].outcome != (enum enqueue_outcome)steps[i].outcome)
			fail_msg("step %zu: outcome %d", i, (int)call->enqueue.results[0].outcome);
		assert_str(call->enqueue.results[0].event.text, steps[i].text);
	}
}

static void
without_a_context_key_only_the_newest_counts(void **state)
{
	(void)state;
	static const struct step steps[] = {
		{ .text = "a", .outcome = ENQUEUE_QUEUED },
		{ .text = "a", .outcome = ENQUEUE_DUPLICATE },
		{ .text = "b", .outcome = ENQUEUE_QUEUED },
		{ .text = "a", .outcome = ENQUEUE_QUEUED },
		{ .text = "a", .to = "1", .outcome = ENQUEUE_QUEUED },
		{ .text = "a", .to = "1", .outcome = ENQUEUE_DUPLICATE },
		{ .text = "a", .outcome = ENQUEUE_QUEUED },
		{ .text = "a", .how = 'd', .outcome = ENQUEUE_QUEUED },
		{ .text = "a", .context_key = "k", .outcome = ENQUEUE_QUEUED },
		{ .text = "a", .outcome = ENQUEUE_QUEUED },
	};
	run_steps(steps, COUNT(steps));
	assert_int_equal(stats().duplicates, 2);
}

static void
with_a_context_key_every_queued_event_counts(void **state)
{
	(void)state;
	static const struct step steps[] = {
		{ .context_key = "k", .text = "a", .outcome = ENQUEUE_QUEUED },
		{ .context_key = "k", .text = "b", .outcome = ENQUEUE_QUEUED },
		{ .text = "c", .outcome = ENQUEUE_QUEUED },
		{ .context_key = " K ", .text = " a ", .how = 0, .outcome = ENQUEUE_DUPLICATE },
		{ .context_key = "l", .text = "a", .outcome = ENQUEUE_QUEUED },
		{ .context_key = "k", .text = "a", .to = "1", .outcome = ENQUEUE_QUEUED },
		{ .context_key = "k", .text = "a", .how = 'd', .outcome = ENQUEUE_QUEUED },
	};
	run_steps(steps, 3);
	struct call *call = done(enqueue_keyed(engine, A, steps[3].context_key, steps[3].text));
	assert_int_equal(call->enqueue.results[0].outcome, ENQUEUE_DUPLICATE);
	assert_int_equal(call->enqueue.results[0].event.id, 1); /* the one already queued */
	run_steps(steps + 4, 3);
}

static void
a_drained_event_is_no_duplicate(void **state)
{
	(void)state;
	put_keyed(A, "k", "a");
	done(drain(engine, A, 0));
	assert_int_equal(done(enqueue_keyed(engine, A, "k", "a"))->enqueue.results[0].outcome,
			 ENQUEUE_QUEUED);
}

static void
a_duplicate_leaves_last_context_alone(void **state)
{
	(void)state;
	put_keyed(A, "k", "a"), put_keyed(A, "l", "b");
	size_t commits = store.commits;
	put_keyed(A, "k", "a");
	assert_int_equal(store.commits, commits); /* and stores nothing */
	assert_str(session(A)->last_context_key, "l");
}

static void
a_rekeyed_event_is_a_duplicate_all_the_same(void **state)
{
	(void)state;
	put("agent:main:main", "a");
	assert_int_equal(done(enqueue(engine, "main", "a"))->enqueue.results[0].outcome,
			 ENQUEUE_DUPLICATE);
}

static void
replace_takes_the_place_of_all_that_match(void **state)
{
	(void)state;
	static const struct step steps[] = {
		{ .context_key = "k", .text = "a", .how = 'r', .outcome = ENQUEUE_QUEUED },
		{ .text = "x", .outcome = ENQUEUE_QUEUED },
		{ .context_key = "k", .text = "a", .how = 'r', .outcome = ENQUEUE_DUPLICATE },
		{ .context_key = "k", .text = "b", .how = 'r', .outcome = ENQUEUE_REPLACED },
		{ .context_key = "k", .text = "c", .outcome = ENQUEUE_QUEUED },
		{ .context_key = "k", .text = "y", .to = "1", .outcome = ENQUEUE_QUEUED },
		{ .context_key = "l", .text = "z", .outcome = ENQUEUE_QUEUED },
		{ .context_key = "k", .text = "c", .how = 'r', .outcome = ENQUEUE_REPLACED },
		{ .context_key = "k", .text = "d", .outcome = ENQUEUE_QUEUED },
		/* the first of two */
		{ .context_key = "k", .text = "c", .how = 'r', .outcome = ENQUEUE_REPLACED },
	};
	run_steps(steps, COUNT(steps));
	assert_queued(A, "x y z c");
	assert_str(session(A)->last_context_key, "k");
	assert_int_equal(stats().outcomes[OUTCOME_REPLACED], 5);
	assert_true(memory_store_settled(&store, 1, OUTCOME_REPLACED));
}

static void
replace_needs_a_context_key(void **state)
{
	(void)state;
	struct draft blank = draft(A, "a");
	blank.replace = true;
	assert_string_equal(
	    fails(enqueue_draft(engine, blank), ERROR_INVALID_FIELD)->op.error.pointer, "/replace");
}

static void
replacing_needs_no_room(void **state)
{
	(void)state;
	options.session_pending_max = options.pending_max = options.sessions_max = 1;
	reopen();
	put_keyed(A, "k", "a");
	struct draft next = draft(A, "b");
	next.context_key = STR("k");
	next.replace = true;
	assert_int_equal(done(enqueue_draft(engine, next))->enqueue.results[0].outcome,
			 ENQUEUE_REPLACED);
}

static void
the_last_context_follows_the_events(void **state)
{
	(void)state;
	put_keyed(A, "k", "1"), put(A, "2"), put_keyed(A, "l", "3"), put(A, "4");
	assert_str(session(A)->last_context_key, "l");
	done(consume(engine, A, (int64_t[]){ 4 }, 1));
	assert_str(session(A)->last_context_key, "l");
	done(consume(engine, A, (int64_t[]){ 3 }, 1));
	assert_str(session(A)->last_context_key, "k");
	done(drain(engine, A, 1));
	assert_str(session(A)->last_context_key, NULL);
	done(drain(engine, A, 0));
	assert_null(session(A));
}

/* --- limits --- */

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
a_full_session_drops_its_oldest_where_told_to(void **state)
{
	(void)state;
	options.session_pending_max = 2;
	options.overflow = OVERFLOW_DROP_OLDEST;
	reopen();
	put_keyed(A, "k", "1"), put(A, "2"), put(A, "3");
	assert_queued(A, "2 3");
	assert_str(session(A)->last_context_key, "k");
	assert_true(memory_store_settled(&store, 1, OUTCOME_EVICTED));
	assert_int_equal(stats().outcomes[OUTCOME_EVICTED], 1);
	struct draft more[] = { draft(A, "4"), draft(A, "5"), draft(A, "6"), draft(A, "7") };
	done(enqueue_drafts(engine, more, COUNT(more))); /* evicts events of its own batch too */
	assert_queued(A, "6 7");
}

/*
 * Which no event that is pending says: it came after the one that is leased, and before those
 * without a key.
 */
static void
a_last_context_that_outlives_its_event_is_kept_exactly(void **state)
{
	(void)state;
	options.session_pending_max = 2;
	options.overflow = OVERFLOW_DROP_OLDEST;
	reopen();
	put_keyed(A, "held", "1"), done(lend(engine, A, 0, 60000)), put_keyed(A, "k", "2"),
	    put(A, "3"), put(A, "4");
	reopen();
	assert_str(session(A)->last_context_key, "k");
	struct draft refused[] = { draft(A, "5"), draft(A, " ") };
	refused[0].context_key = STR("other");
	fails(enqueue_drafts(engine, refused, 2), ERROR_INVALID_FIELD);
	store.commit_fails = ERROR_STORAGE_FAILED;
	fails(enqueue_keyed(engine, A, "other", "5"), ERROR_STORAGE_FAILED);
	fails(withdraw(engine, 1), ERROR_STORAGE_FAILED);
	store.commit_fails = ERROR_NONE;
	put(A, "5");
	reopen();
	assert_str(session(A)->last_context_key, "k");
	put_keyed(A, "k", "6"); /* the same, and now an event has it again */
	done(consume(engine, A, (int64_t[]){ store.events[store.event_count - 1].event.id }, 1));
	assert_str(session(A)->last_context_key, "held");
	reopen();
	assert_str(session(A)->last_context_key, "held");
	done(drain(engine, A, 0)), done(withdraw(engine, 1)), put(A, "7");
	reopen();
	assert_str(session(A)->last_context_key, NULL);
}

static void
too_many_sessions_refuse_a_new_one(void **state)
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
a_session_emptied_in_this_batch_makes_room(void **state)
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
too_many_pending_events_refuse(void **state)
{
	(void)state;
	options.pending_max = 2;
	reopen();
	put(A, "1"), put(B, "1");
	fails(enqueue(engine, A, "2"), ERROR_QUEUE_FULL);
	assert_int_equal(stats().rejected_pending_full, 1);
	assert_int_equal(stats().pending, 2);
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

/* --- batches --- */

static void
the_calls_of_a_turn_share_one_commit_and_are_answered_in_order(void **state)
{
	(void)state;
	struct call *calls[20];
	char texts[20][8];
	for (int i = 0; i < 20; i++) {
		texts[i][0] = (char)('a' + i), texts[i][1] = '\0';
		calls[i] = enqueue(engine, i % 2 == 0 ? A : B, texts[i]);
	}
	assert_int_equal(calls[0]->answered, 0);
	turn();
	assert_int_equal(store.commits, 1);
	for (int i = 0; i < 20; i++)
		assert_int_equal(calls[i]->answered_as, i + 1);
	assert_queued(A, "a c e g i k m o q s");
	assert_int_equal(stats().batch_ops_max, 20);
	assert_true(engine_idle(engine));
}

static void
a_drain_sees_the_enqueue_of_the_same_turn(void **state)
{
	(void)state;
	struct call *calls[] = { peek(engine, A), enqueue(engine, A, "1"),
				 peek(engine, A), drain(engine, A, 0),
				 peek(engine, A), enqueue(engine, A, "2") };
	turn();
	assert_texts(&calls[0]->peek.found, "");
	assert_texts(&calls[2]->peek.found, "1");
	assert_texts(&calls[3]->drain.taken, "1");
	assert_texts(&calls[4]->peek.found, "");
	assert_int_equal(store.commits, 1);
	assert_queued(A, "2");
	assert_true(memory_store_settled(&store, 1, OUTCOME_DRAINED)); /* both logs have it */
	assert_int_equal(store.event_count, 2);
}

static void
looking_costs_no_commit(void **state)
{
	(void)state;
	int64_t id = put(A, "1");
	done(peek(engine, A)), done(find_event(engine, id)), done(drain(engine, B, 0));
	session(A);
	assert_int_equal(store.commits, 1);
}

static void
a_bad_draft_in_the_middle_leaves_nothing(void **state)
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
	/* the refused ones used up no ids */
	assert_int_equal(last->enqueue.results[0].event.id, before + 2);
	assert_queued(A, "0 first last");
	assert_str(session(A)->last_context_key, "k");
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

static void
submit_another(struct op *op, void *arg)
{
	(void)op;
	*(struct call **)arg = enqueue(engine, A, "from an answer");
}

static void
a_call_made_by_an_answer_waits_for_the_next_turn(void **state)
{
	(void)state;
	struct call *first = enqueue(engine, A, "1"), *second = NULL;
	first->op.done = submit_another;
	first->op.prepare = NULL;
	first->op.arg = &second;
	turn();
	assert_int_equal(second->answered, 0);
	assert_false(engine_idle(engine));
	turn();
	assert_int_equal(second->answered, 1);
	assert_queued(A, "1 from an answer");
}

/* --- a store that answers later --- */

static void
nothing_is_answered_before_the_store_says_so(void **state)
{
	(void)state;
	put(A, "0");
	store.defer = true;
	struct call *calls[] = { peek(engine, A), find_event(engine, 1), enqueue(engine, A, "1"),
				 drain(engine, A, 0) };
	turn();
	while (store.commits == 1) { /* look up, read, commit */
		for (size_t i = 0; i < COUNT(calls); i++)
			assert_int_equal(calls[i]->answered, 0);
		assert_false(engine_idle(engine));
		assert_false(engine_chores(engine));
		turn();
		assert_true(memory_store_release(&store));
	}
	for (size_t i = 0; i < COUNT(calls); i++)
		assert_int_equal(calls[i]->answered_as, (int)i + 2);
	assert_texts(&calls[0]->peek.found, "0");
	assert_texts(&calls[3]->drain.taken, "0 1");
	assert_true(engine_idle(engine));
	assert_int_equal(store.chores, 0);
}

static void
calls_made_meanwhile_go_to_the_next_batch(void **state)
{
	(void)state;
	store.defer = true;
	struct call *first = enqueue(engine, A, "1");
	turn();
	struct call *second = enqueue(engine, A, "2"), *third = drain(engine, A, 0);
	turn();
	memory_store_release(&store);
	assert_int_equal(first->answered, 1);
	assert_int_equal(second->answered, 0);
	assert_false(memory_store_release(&store));
	assert_int_equal(store.event_count, 1);
	turn();
	while (memory_store_release(&store))
		continue;
	assert_int_equal(second->answered, 1);
	assert_texts(&third->drain.taken, "1 2");
}

static void
a_new_policy_waits_for_the_batch_under_way(void **state)
{
	(void)state;
	store.defer = true;
	struct call *before = enqueue(engine, "main", "1");
	turn();
	engine_set_policy(engine, policy("{ session: { mainKey: 'dropped' } }"));
	engine_set_policy(engine, policy("{ session: { mainKey: 'hub' } }"));
	struct call *after = enqueue(engine, "main", "2");
	turn();
	memory_store_release(&store);
	assert_str(before->enqueue.results[0].event.session_key, "agent:main:main");
	turn();
	memory_store_release(&store);
	assert_str(after->enqueue.results[0].event.session_key, "agent:main:hub");
	store.defer = false;
	assert_queued("agent:main:main", "2"); /* another name of the new main session now */
	assert_int_equal(stats().sessions, 2);
}

static void
a_second_try_is_under_the_policy_of_the_first(void **state)
{
	(void)state;
	store.defer = store.full_for_events = true;
	enqueue(engine, "main", "1");
	struct call *call = drain(engine, "main", 0);
	turn();
	engine_set_policy(engine, policy("{ session: { mainKey: 'hub' } }"));
	memory_store_release(&store);
	assert_int_equal(call->op.error.code, ERROR_NONE);
	assert_str(call->drain.session_key, "agent:main:main");
}

static void
a_new_policy_is_in_force_at_once_when_nothing_is_under_way(void **state)
{
	(void)state;
	struct address address = { .session_key = STR("main") };
	struct arena arena = { 0 };
	struct decision decision;
	struct call *waiting = enqueue(engine, "main", "1");
	engine_set_policy(engine, policy("{ session: { mainKey: 'hub' } }"));
	assert_int_equal(engine_route(engine, &address, &arena, &decision, &error), 0);
	assert_str(decision.queue_key, "agent:main:hub");
	assert_true(decision.step_count > 0);
	assert_str(done(waiting)->enqueue.results[0].event.session_key, "agent:main:hub");
	arena_clear(&arena);
}

/* --- a store that fails --- */

static void
a_full_store_refuses_enqueues_but_not_drains(void **state)
{
	(void)state;
	put(A, "0");
	store.full_for_events = true;
	struct call *refused = enqueue(engine, A, "1"), *taken = drain(engine, A, 0),
		    *late = enqueue(engine, B, "2"), *looked = peek(engine, A);
	turn();
	assert_int_equal(refused->op.error.code, ERROR_STORAGE_FULL);
	assert_int_equal(late->op.error.code, ERROR_STORAGE_FULL);
	assert_int_equal(taken->op.error.code, ERROR_NONE);
	assert_texts(&taken->drain.taken, "0"); /* not what was refused */
	assert_texts(&looked->peek.found, "");
	assert_int_equal(taken->answered_as, 3);
	assert_int_equal(store.event_count, 1);
	assert_int_equal(stats().rejected_storage_full, 2);
	store.full_for_events = false;
	put(A, "1");
	assert_queued(A, "1");
}

/* What the first try put into the answers is not in them: those events were refused. */
static void
a_second_try_starts_from_empty_answers(void **state)
{
	(void)state;
	store.full_for_events = true;
	struct call *refused = enqueue_keyed(engine, A, "k", "1"), *other = enqueue(engine, B, "2"),
		    *listed = list_sessions(engine, (struct sessions_op){ .limit = 1 }),
		    *looked = peek(engine, A), *taken = drain(engine, A, 0),
		    *none = consume(engine, B, (int64_t[]){ 2 }, 1),
		    *purged = purge(engine, A, NULL);
	turn();
	assert_int_equal(refused->op.error.code, ERROR_STORAGE_FULL);
	assert_int_equal(other->op.error.code, ERROR_STORAGE_FULL);
	assert_int_equal(listed->sessions.count, 0);
	assert_int_equal(listed->sessions.total, 0);
	assert_null(listed->sessions.next_cursor.s);
	assert_int_equal(looked->peek.found.count, 0);
	assert_int_equal(looked->peek.depth, 0);
	assert_int_equal(taken->drain.taken.count, 0);
	assert_int_equal(taken->drain.remaining, 0);
	assert_int_equal(none->consume.taken.count, 0);
	assert_int_equal(purged->purge.purged, 0);
	assert_str(taken->drain.session_key, A);
	assert_int_equal(stats().pending, 0);
}

/* What is refused for the sake of what did not come to be is looked at again. */
static void
a_second_try_asks_again_who_was_refused(void **state)
{
	(void)state;
	struct draft next = draft(A, "b");
	int64_t id = put_keyed(A, "k", "a");
	next.context_key = STR("k");
	next.replace = true;
	store.full_for_events = true;
	struct call *refused = enqueue_draft(engine, next), *gone = withdraw(engine, id),
		    *bad = drain(engine, " ", 0), *blank = enqueue(engine, A, " ");
	turn();
	assert_int_equal(refused->op.error.code, ERROR_STORAGE_FULL);
	assert_int_equal(gone->op.error.code, ERROR_NONE);
	assert_str(gone->withdraw.event.text, "a");
	assert_int_equal(bad->op.error.code, ERROR_BLANK_KEY);
	assert_int_equal(blank->op.error.code, ERROR_INVALID_FIELD);
}

static void
a_store_too_full_for_anything_fails_everything(void **state)
{
	(void)state;
	put(A, "0");
	store.commit_fails = ERROR_STORAGE_FULL;
	struct call *taken = drain(engine, A, 0), *added = enqueue(engine, A, "1");
	turn();
	assert_int_equal(taken->op.error.code, ERROR_STORAGE_FULL);
	assert_int_equal(taken->drain.taken.count, 0);
	assert_int_equal(added->op.error.code, ERROR_STORAGE_FULL);
	store.commit_fails = ERROR_NONE;
	assert_queued(A, "0");
}

static void
a_failed_commit_takes_everything_back(void **state)
{
	(void)state;
	put_keyed(A, "k", "0");
	store.commit_fails = ERROR_STORAGE_FAILED;
	struct call *calls[] = { enqueue_keyed(engine, A, "l", "1"), drain(engine, A, 1),
				 enqueue(engine, B, "2"), peek(engine, A) };
	turn();
	for (size_t i = 0; i < COUNT(calls); i++) {
		assert_int_equal(calls[i]->answered, 1);
		assert_int_equal(calls[i]->op.error.code, ERROR_STORAGE_FAILED);
	}
	assert_int_equal(calls[1]->drain.taken.count, 0); /* on failure the answer is empty */
	assert_int_equal(calls[3]->peek.found.count, 0);
	store.commit_fails = ERROR_NONE;
	assert_queued(A, "0");
	assert_str(session(A)->last_context_key, "k");
	assert_null(session(B));
	assert_int_equal(stats().pending, 1);
	assert_int_equal(stats().commit_failures, 1);
	assert_int_equal(stats().enqueued, 1);
	assert_true(put(A, "1") > 1);
	assert_queued(A, "0 1");
}

static void
a_commit_of_unknown_outcome_stops_the_engine(void **state)
{
	(void)state;
	store.commit_fails = ERROR_STORAGE_UNKNOWN;
	struct call *calls[] = { enqueue(engine, A, "1"), peek(engine, A), NULL };
	assert_int_equal(engine_turn(engine, &error), -1);
	assert_int_equal(error.code, ERROR_STORAGE_UNKNOWN);
	store.commit_fails = ERROR_NONE;
	calls[2] = enqueue(engine, A, "2");
	for (int i = 0; i < 3; i++) {
		error.code = ERROR_NONE;
		assert_int_equal(engine_turn(engine, &error), -1);
		assert_int_equal(error.code, ERROR_STORAGE_UNKNOWN);
	}
	assert_false(engine_ready(engine, &error));
	assert_false(engine_chores(engine));
	for (size_t i = 0; i < COUNT(calls); i++)
		assert_int_equal(calls[i]->answered, 0);
	assert_int_equal(store.commits, 1);
}

static void
chores_of_unknown_outcome_stop_the_engine(void **state)
{
	(void)state;
	put(A, "0");
	engine_chores(engine);
	assert_false(engine_stopped(engine, &error));
	store.not_ready = ERROR_STORAGE_FULL;
	engine_chores(engine);
	assert_false(engine_stopped(engine, &error));
	store.not_ready = ERROR_STORAGE_UNKNOWN;
	engine_chores(engine);
	store.not_ready = ERROR_NONE;
	assert_true(engine_stopped(engine, &error));
	assert_int_equal(error.code, ERROR_STORAGE_UNKNOWN);
	assert_false(engine_ready(engine, &error));
	struct call *call = peek(engine, A);
	assert_int_equal(engine_turn(engine, &error), -1);
	assert_int_equal(call->answered, 0);
}

/* What the engine has done by then is seen by nobody. */
static void
a_written_commit_of_unknown_outcome_stops_the_engine(void **state)
{
	(void)state;
	put(A, "0");
	store.commit_fails = ERROR_STORAGE_UNKNOWN;
	store.fails_late = true;
	struct call *calls[] = { enqueue(engine, A, "1"), drain(engine, A, 0),
				 enqueue(engine, B, "2"), peek(engine, B) };
	assert_int_equal(engine_turn(engine, &error), -1);
	assert_int_equal(error.code, ERROR_STORAGE_UNKNOWN);
	for (size_t i = 0; i < COUNT(calls); i++)
		assert_int_equal(calls[i]->answered, 0);
	assert_int_equal(stats().commits, 1);
	assert_int_equal(stats().commit_failures, 1);
}

static void
an_answer_is_made_ready_when_its_commit_is_written(void **state)
{
	(void)state;
	struct call *calls[] = { enqueue(engine, A, "1"), enqueue(engine, " ", "refused"),
				 peek(engine, A), wait_for(engine, B), ack(engine, 4711, NULL, 0) };
	turn();
	assert_int_equal(calls[0]->prepared, 1);
	assert_int_equal(calls[1]->prepared, 0);
	assert_int_equal(calls[2]->prepared, 1);
	assert_int_equal(calls[3]->prepared, 0); /* it waits */
	assert_int_equal(calls[4]->prepared, 0); /* it has gone round again, in vain */
	struct call *woken = calls[3], *waker = enqueue(engine, B, "2");
	turn();
	assert_int_equal(waker->prepared, 1);
	assert_int_equal(woken->answered, 1);
	assert_int_equal(woken->prepared, 0); /* nothing was written for it */
	store.commit_fails = ERROR_STORAGE_FAILED;
	struct call *failed = enqueue(engine, A, "3");
	turn();
	assert_int_equal(failed->answered, 1);
	assert_int_equal(failed->prepared, 0);
	store.commit_fails = ERROR_STORAGE_UNKNOWN;
	store.fails_late = true;
	struct call *unknown = enqueue(engine, A, "4");
	assert_int_equal(engine_turn(engine, &error), -1);
	assert_int_equal(unknown->answered, 0);
	assert_int_equal(unknown->prepared, 1);
}

static void
an_unknown_outcome_may_come_late(void **state)
{
	(void)state;
	store.defer = true;
	store.commit_fails = ERROR_STORAGE_UNKNOWN;
	struct call *call = enqueue(engine, A, "1");
	turn();
	memory_store_release(&store);
	assert_int_equal(engine_turn(engine, &error), -1);
	assert_int_equal(call->answered, 0);
}

static void
a_store_that_cannot_read_fails_the_batch(void **state)
{
	(void)state;
	put(A, "0");
	store.read_fails = ERROR_STORAGE_FAILED;
	struct call *added = enqueue(engine, B, "1"), *taken = drain(engine, A, 0);
	turn();
	assert_int_equal(added->op.error.code, ERROR_STORAGE_FAILED);
	assert_int_equal(taken->op.error.code, ERROR_STORAGE_FAILED);
	assert_int_equal(store.commits, 1);
	store.read_fails = ERROR_NONE;
	assert_queued(A, "0");
	assert_null(session(B));
}

static void
a_failed_look_up_fails_only_who_asked(void **state)
{
	(void)state;
	int64_t id = put(A, "0");
	store.read_fails = ERROR_STORAGE_FAILED;
	struct call *found = find_event(engine, id), *gone = withdraw(engine, id),
		    *added = enqueue(engine, B, "1");
	turn();
	assert_int_equal(found->op.error.code, ERROR_STORAGE_FAILED);
	assert_int_equal(gone->op.error.code, ERROR_STORAGE_FAILED);
	assert_int_equal(added->op.error.code, ERROR_NONE);
}

/* One lost row must not stop whoever shares a batch with its session. */
static void
a_missing_event_fails_only_who_needs_it(void **state)
{
	(void)state;
	put(A, "0"), put(A, "1"), put(B, "2");
	int64_t more = put(A, "x");
	store.missing_id = 2;
	struct call *taken = drain(engine, A, 0), *added = enqueue(engine, A, "3"),
		    *other = drain(engine, B, 0), *looked = peek(engine, A),
		    *first = drain(engine, A, 1), *gone = withdraw(engine, more);
	turn();
	assert_int_equal(taken->op.error.code, ERROR_STORAGE_FAILED);
	assert_int_equal(taken->drain.taken.count, 0);
	assert_int_equal(looked->op.error.code, ERROR_STORAGE_FAILED);
	assert_int_equal(added->op.error.code, ERROR_NONE);
	assert_texts(&other->drain.taken, "2");
	assert_texts(&first->drain.taken, "0");
	assert_int_equal(gone->op.error.code, ERROR_NONE);
	assert_int_equal(store.commits, 5);
	store.missing_id = 0;
	assert_queued(A, "1 3");
}

/* With room for recent events. */
static void
reopen_remembering(void)
{
	options.recent_bytes = 1 << 16;
	reopen();
}

static void
a_young_event_is_not_read_from_the_store(void **state)
{
	(void)state;
	put(A, "0");
	reopen_remembering();
	put(A, "1"), put(A, "2");
	size_t reads = store.reads;
	struct call *taken = done(consume(engine, A, (const int64_t[]){ 3, 2 }, 2));
	assert_texts(&taken->consume.taken, "2 1");
	assert_int_equal(taken->consume.taken.events[0].state, EVENT_STATE_SETTLED);
	assert_int_equal(store.reads, reads);
	assert_texts(&done(drain(engine, A, 0))->drain.taken, "0"); /* older than the engine */
	assert_int_equal(store.reads, reads + 1);
	struct engine_stats stats;
	engine_stats(engine, &stats);
	assert_int_equal(stats.recent_hits, 2);
	assert_int_equal(stats.recent_misses, 1);
}

static void
young_and_old_come_in_their_order(void **state)
{
	(void)state;
	put(A, "0"), put(A, "1");
	reopen_remembering();
	put(A, "2");
	struct call *added = enqueue(engine, A, "3"), *taken = drain(engine, A, 0);
	turn();
	assert_int_equal(added->op.error.code, ERROR_NONE);
	assert_texts(&taken->drain.taken, "0 1 2 3");
}

/* It is what its own answer said, whatever becomes of its neighbours in memory. */
static void
a_young_event_stays_in_its_answer(void **state)
{
	(void)state;
	options.recent_bytes = 1024;
	reopen();
	put(A, "first");
	struct call *looked = done(peek(engine, A));
	for (int i = 0; i < 20; i++) {
		put(B, "another");
		done(drain(engine, B, 0));
	}
	assert_texts(&looked->peek.found, "first");
}

static void
an_event_that_was_not_committed_is_not_remembered(void **state)
{
	(void)state;
	struct engine_stats stats;
	reopen_remembering();
	store.commit_fails = ERROR_STORAGE_FAILED;
	struct call *added = enqueue(engine, A, "0");
	turn();
	assert_int_equal(added->op.error.code, ERROR_STORAGE_FAILED);
	engine_stats(engine, &stats);
	assert_int_equal(stats.recent_bytes, 0);
	store.commit_fails = ERROR_NONE;
	put(A, "1");
	engine_stats(engine, &stats);
	assert_true(stats.recent_bytes > 0);
}

static void
a_store_that_is_not_ready_takes_no_events(void **state)
{
	(void)state;
	put(A, "0");
	store.not_ready = ERROR_STORAGE_FULL;
	struct call *added = enqueue(engine, A, "1"), *taken = drain(engine, A, 0);
	turn();
	assert_int_equal(added->op.error.code, ERROR_STORAGE_FULL);
	assert_texts(&taken->drain.taken, "0");
	assert_int_equal(stats().rejected_storage_full, 1);
	assert_int_equal(stats().commit_failures, 0);
	assert_false(engine_ready(engine, &error));
}

/* --- opening again --- */

static void
what_was_pending_is_pending_again(void **state)
{
	(void)state;
	put_keyed("main", "k", "1"), put(A, "2"), put("main", "3"), put_keyed(A, "l", "4");
	done(consume(engine, A, (int64_t[]){ 2 }, 1));
	size_t bytes = stats().catalog_bytes;
	reopen();
	assert_queued("main", "1 3");
	assert_queued(A, "4");
	assert_str(session("main")->last_context_key, "k");
	assert_int_equal(session("main")->rekeyed_from[0].count, 2);
	assert_int_equal(stats().pending, 3);
	assert_true(stats().catalog_bytes <= bytes);
	assert_int_equal(
	    done(enqueue_keyed(engine, "agent:main:main", "k", "1"))->enqueue.results[0].outcome,
	    ENQUEUE_DUPLICATE);
	assert_int_equal(put(A, "5"), 5);
}

static void
time_and_ids_go_on_from_what_was_stored(void **state)
{
	(void)state;
	int64_t future = INT64_C(4102444800000); /* a clock that went back a long way */
	put(A, "1");
	store.events[0].event.ts_ms = future;
	store.events[0].event.id = 1000;
	reopen();
	const struct system_event *event = &done(enqueue(engine, A, "2"))->enqueue.results[0].event;
	assert_int_equal(event->id, 1001);
	assert_int_equal(event->ts_ms, future);
}

static void
a_store_that_does_not_load_stays_the_callers(void **state)
{
	(void)state;
	struct policy *mine = policy("");
	struct engine *none = NULL;
	struct memory_store broken;
	memory_store_init(&broken);
	broken.load_fails = ERROR_STORAGE_CORRUPT;
	assert_int_equal(engine_open(&broken.base, mine, &options, &none, &error), -1);
	assert_int_equal(error.code, ERROR_STORAGE_CORRUPT);
	assert_null(none);
	assert_false(broken.closed_by_engine);
	policy_free(mine);
	memory_store_clear(&broken);
}

static void
an_event_without_a_text_is_damage(void **state)
{
	(void)state;
	put(A, "1");
	store.events[0].event.text.len = 0;
	struct policy *mine = policy("");
	struct engine *none = NULL;
	assert_int_equal(engine_open(&store.base, mine, &options, &none, &error), -1);
	assert_int_equal(error.code, ERROR_STORAGE_CORRUPT);
	policy_free(mine);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)

static const struct CMUnitTest tests[] = {
	TEST(enqueue_answers_with_the_stored_event),
	TEST(an_agent_alone_means_its_main_session),
	TEST(drain_takes_oldest_first_and_all),
	TEST(drain_takes_no_more_than_its_limit),
	TEST(drain_takes_no_more_text_than_an_answer_holds),
	TEST(drain_by_prefix_takes_only_those),
	TEST(consume_takes_these_in_the_order_asked),
	TEST(consume_of_nothing_known_changes_nothing),
	TEST(peek_pages_and_takes_nothing),
	TEST(an_event_is_found_pending_or_not),
	TEST(many_finds_in_one_turn_find_each_their_own),
	TEST(withdraw_takes_one_and_answers_with_it),
	TEST(purge_takes_all_or_one_context_key),
	TEST(a_bad_address_is_refused_by_every_call),
	TEST(sessions_are_filtered_and_sorted),
	TEST(sessions_sort_by_time),
	TEST(a_cursor_goes_on_where_a_page_ended),
	TEST(pages_of_many_sessions_are_in_order),
	TEST(a_strange_cursor_is_refused),
	TEST(a_session_shows_where_its_events_came_from),
	TEST(a_session_shows_the_merged_delivery_context),
	TEST(without_a_context_key_only_the_newest_counts),
	TEST(with_a_context_key_every_queued_event_counts),
	TEST(a_drained_event_is_no_duplicate),
	TEST(a_duplicate_leaves_last_context_alone),
	TEST(a_rekeyed_event_is_a_duplicate_all_the_same),
	TEST(replace_takes_the_place_of_all_that_match),
	TEST(replace_needs_a_context_key),
	TEST(replacing_needs_no_room),
	TEST(the_last_context_follows_the_events),
	TEST(a_full_session_refuses),
	TEST(a_full_session_drops_its_oldest_where_told_to),
	TEST(a_last_context_that_outlives_its_event_is_kept_exactly),
	TEST(too_many_sessions_refuse_a_new_one),
	TEST(a_session_emptied_in_this_batch_makes_room),
	TEST(too_many_pending_events_refuse),
	TEST(too_large_a_batch_is_refused),
	TEST(the_calls_of_a_turn_share_one_commit_and_are_answered_in_order),
	TEST(a_drain_sees_the_enqueue_of_the_same_turn),
	TEST(looking_costs_no_commit),
	TEST(a_bad_draft_in_the_middle_leaves_nothing),
	TEST(a_duplicate_within_a_refused_batch_is_not_counted),
	TEST(a_call_made_by_an_answer_waits_for_the_next_turn),
	TEST(nothing_is_answered_before_the_store_says_so),
	TEST(calls_made_meanwhile_go_to_the_next_batch),
	TEST(a_new_policy_waits_for_the_batch_under_way),
	TEST(a_second_try_is_under_the_policy_of_the_first),
	TEST(a_new_policy_is_in_force_at_once_when_nothing_is_under_way),
	TEST(a_full_store_refuses_enqueues_but_not_drains),
	TEST(a_second_try_starts_from_empty_answers),
	TEST(a_second_try_asks_again_who_was_refused),
	TEST(a_store_too_full_for_anything_fails_everything),
	TEST(a_failed_commit_takes_everything_back),
	TEST(a_commit_of_unknown_outcome_stops_the_engine),
	TEST(chores_of_unknown_outcome_stop_the_engine),
	TEST(a_written_commit_of_unknown_outcome_stops_the_engine),
	TEST(an_answer_is_made_ready_when_its_commit_is_written),
	TEST(an_unknown_outcome_may_come_late),
	TEST(a_store_that_cannot_read_fails_the_batch),
	TEST(a_young_event_is_not_read_from_the_store),
	TEST(young_and_old_come_in_their_order),
	TEST(a_young_event_stays_in_its_answer),
	TEST(an_event_that_was_not_committed_is_not_remembered),
	TEST(a_failed_look_up_fails_only_who_asked),
	TEST(a_missing_event_fails_only_who_needs_it),
	TEST(a_store_that_is_not_ready_takes_no_events),
	TEST(what_was_pending_is_pending_again),
	TEST(time_and_ids_go_on_from_what_was_stored),
	TEST(a_store_that_does_not_load_stays_the_callers),
	TEST(an_event_without_a_text_is_damage),
};

int
main(void)
{
	return cmocka_run_group_tests(tests, NULL, NULL);
}
