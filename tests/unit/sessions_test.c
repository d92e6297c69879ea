/* sessions_test.c - the list of sessions: filters, order, pages, and the fields of a session. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/unit/fixture.h"

/* Lists with this input; want holds the session keys without "agent:", joined by blanks. */
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
	assert_listed((struct sessions_op){ .contains = STR("x:a") }, "x:a xx:a");
	assert_listed((struct sessions_op){ .contains = STR("x:a"), .prefix = STR("agent:xx") },
		      "xx:a");
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
	assert_int_equal(census().oldest.ts_ms, 1000);
}

static void
a_cursor_continues_where_a_page_ended(void **state)
{
	(void)state;
	static const char *const all[] = { "agent:x:a", "agent:x:b", "agent:x:c", "agent:x:d",
					   "agent:x:e" };
	for (int sort = SORT_KEY; sort <= SORT_UNATTENDED; sort++) {
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

/* Far more sessions than a page holds, enqueued in no order: each is on one page, in order. */
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

enum { MANY = 24000, STAYING = 4000, LOOKS_A_TURN = 10000 };

static const char *
nth_key(char key[32], int n)
{
	snprintf(key, 32, "agent:x:%05d", n);
	return key;
}

/* Puts an event into each of these sessions, some of a call's drafts at a time. */
static void
put_into(int first, int count, const char *text)
{
	static char keys[CALL_DRAFTS_MAX][32];
	struct draft drafts[CALL_DRAFTS_MAX];
	size_t n = 0;

	for (int i = first; i < first + count; i++) {
		drafts[n] = draft(nth_key(keys[n], i), text);
		if (++n == CALL_DRAFTS_MAX || i == first + count - 1) {
			done(enqueue_drafts(engine, drafts, n));
			n = 0;
		}
	}
}

static void
put_into_many(void)
{
	options.sessions_max = options.pending_max = 10 * MANY;
	reopen();
	put_into(0, STAYING + MANY, "1");
}

/* Runs turns, of which none looks at all sessions, until each of the calls has a page. */
static void
await_listed(struct call *const *calls, size_t count, size_t page)
{
	while (calls[count - 1]->answered == 0) {
		uint64_t walked = stats().walked;

		turn();
		if (!store.defer) /* else these are several turns */
			assert_in_range(stats().walked - walked, 0, LOOKS_A_TURN);
	}
	for (size_t i = 0; i < count; i++) {
		assert_int_equal(calls[i]->answered, 1);
		assert_int_equal(calls[i]->sessions.count, page);
		assert_int_equal(calls[i]->sessions.total, STAYING + MANY);
	}
}

/* No turn looks at all sessions, however many calls there are. */
static void
many_sessions_are_listed_in_turns_that_are_bounded(void **state)
{
	(void)state;
	struct sessions_op input = { .limit = 1000 },
			   worst = { .limit = 1000, .sort = SORT_PROBLEM, .contains = STR("x:") };
	put_into_many();
	struct call *calls[] = { list_sessions(engine, input), list_sessions(engine, worst),
				 list_sessions(engine, input) };
	await_listed(calls, COUNT(calls), 1000);
}

/* A turn has room for several shorter pages, but not for the search of each. */
static void
short_pages_of_many_sessions_are_made_in_turns_that_are_bounded(void **state)
{
	(void)state;
	struct call *calls[13];

	put_into_many();
	for (size_t i = 0; i < COUNT(calls); i++)
		calls[i] = list_sessions(engine, (struct sessions_op){ .limit = 100 });
	await_listed(calls, COUNT(calls), 100);
}

/* A producer for whose events there is no room may go on for long. */
static void
many_sessions_are_listed_although_every_batch_is_undone(void **state)
{
	(void)state;
	put_into_many();
	struct call *list = list_sessions(engine, (struct sessions_op){ .limit = 1000 });
	store.full_for_events = true;
	for (size_t turns = 0; !list->answered; turns++) {
		assert_true(turns < 100);
		fails(enqueue(engine, A, "never stored"), ERROR_STORAGE_FULL);
	}
	assert_int_equal(list->sessions.count, 1000);
	assert_int_equal(list->sessions.total, STAYING + MANY);
}

/* Answers a call, while in each turn sessions come and go. */
static const struct sessions_op *
listed_meanwhile(struct sessions_op input, int *going)
{
	struct call *call = list_sessions(engine, input);
	char key[32];

	while (call->answered == 0) {
		done(drain(engine, nth_key(key, STAYING + *going % MANY), 0));
		put(nth_key(key, STAYING + MANY + *going % MANY), "1");
		++*going;
	}
	return &call->sessions;
}

static void
sessions_that_stay_are_listed_once_while_others_come_and_go(void **state)
{
	(void)state;
	for (int sort = SORT_KEY; sort <= SORT_DEPTH; sort++) {
		struct sessions_op input = { .limit = 1000, .sort = (enum sort)sort };
		static char seen[STAYING];
		int going = 0;

		fixture_end(state), fixture_begin(state);
		memset(seen, 0, sizeof(seen));
		put_into_many();
		do {
			const struct sessions_op *page = listed_meanwhile(input, &going);

			for (size_t i = 0; i < page->count; i++) {
				int n = atoi(page->sessions[i].session_key.s + 8);

				if (n < STAYING)
					seen[n]++;
			}
			assert_in_range(page->total, MANY, 2 * MANY);
			input.cursor = page->next_cursor;
		} while (input.cursor.s != NULL);
		assert_true(going >= 10);
		for (int n = 0; n < STAYING; n++)
			assert_int_equal(seen[n], 1);
	}
}

static void
a_malformed_cursor_is_refused(void **state)
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
a_session_counts_the_keys_its_events_were_rekeyed_from(void **state)
{
	(void)state;
	put("main", "1"), put("agent:main:main", "2"), put(" main ", "3"),
	    put("agent:main:main ", "4");
	put("AGENT:main:main", "5");
	const struct session *s = session_of("main");
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
	assert_str(session_of(A)->delivery.to, "2");
	assert_str(session_of(A)->delivery.thread_id, "t");
	put_from((struct delivery){ .channel = STR("slack"), .to = STR("3") });
	assert_str(session_of(A)->delivery.channel, "slack");
	assert_str(session_of(A)->delivery.thread_id, NULL);
}

/* --- since when a session is ready --- */

static int64_t
ready_since(const char *key)
{
	const struct session *session = session_of(key);

	assert_true((session->ready > 0) == (session->ready_since_ts_ms > 0));
	return session->ready_since_ts_ms;
}

static void
put_later(const char *key, const char *text, int64_t delay_ms)
{
	struct draft later = draft(key, text);

	later.delay_ms = delay_ms;
	done(enqueue_draft(engine, later));
}

static void
a_session_is_ready_since_its_first_event_that_can_be_taken(void **state)
{
	(void)state;
	put_later(A, "delayed", 1000);
	assert_int_equal(ready_since(A), 0);
	pass(1000), turn();
	assert_int_equal(ready_since(A), now.wall_ms);
	int64_t first = now.wall_ms;
	pass(50), put(A, "2"), put_later(A, "3", 9000);
	assert_int_equal(ready_since(A), first);
	assert_int_equal(session_of(A)->ready, 2);
	put_later(B, "delayed", 100000);
	pass(50);
	assert_listed((struct sessions_op){ .min_age_ms = 50 }, "main:a");
	assert_listed((struct sessions_op){ .min_age_ms = 150 }, "");
}

static void
what_is_taken_makes_a_session_ready_anew(void **state)
{
	(void)state;
	char text[32];
	for (int i = 0; i < 9; i++)
		put_keyed(A, i == 8 ? "c" : NULL, nth_key(text, i));
	int64_t first = now.wall_ms;
	pass(10), fails(consume(engine, "", IDS(1)), ERROR_BLANK_KEY);
	assert_int_equal(ready_since(A), first);
	pass(10), done(drain(engine, A, 1));
	assert_int_equal(ready_since(A), now.wall_ms);
	pass(10), done(consume(engine, A, IDS(2)));
	assert_int_equal(ready_since(A), now.wall_ms);
	pass(10);
	int64_t lease = lease_events(A, 2, 1000), taken = now.wall_ms;
	assert_int_equal(ready_since(A), taken);
	pass(10), done(ack(engine, lease, IDS(3)));
	pass(10), done(withdraw(engine, 5)), done(purge(engine, A, "c"));
	pass(2000), turn();
	assert_int_equal(ready_since(A), taken);
	assert_true(lease_events(A, 0, 1000) > 0);
	assert_int_equal(ready_since(A), 0);
	pass(3000), turn();
	assert_int_equal(ready_since(A), now.wall_ms);
}

static void
after_a_restart_a_session_is_ready_since_its_oldest_event_came(void **state)
{
	(void)state;
	put_later(A, "delayed", 100000), pass(10);
	int64_t first = now.wall_ms;
	put(A, "1"), pass(10), put(A, "2");
	reopen();
	assert_int_equal(ready_since(A), first);
	put_later(B, "delayed", 100000);
	reopen();
	assert_int_equal(ready_since(B), 0);
}

/* The keys of 5,000 events in turns: only those of the newest are counted, and few are looked at.
 */
static void
a_session_of_many_events_is_described_by_the_newest(void **state)
{
	(void)state;
	static const char *const keys[] = { "main", "AGENT:main:main" };
	struct draft drafts[50];
	char texts[50][8];

	put("agent:main:main  ", "first");
	for (int n = 0; n < 5000; n += 50) {
		for (int i = 0; i < 50; i++) {
			snprintf(texts[i], sizeof(texts[i]), "%d", n + i);
			drafts[i] = draft(keys[(n + i) % 2], texts[i]);
		}
		done(enqueue_drafts(engine, drafts, 50));
	}
	const struct session *s = session_of("main");
	assert_int_equal(s->depth, 5001);
	assert_true(s->rekeyed_from_more);
	assert_int_equal(s->rekeyed_from_count, 2);
	size_t counted = s->rekeyed_from[0].count + s->rekeyed_from[1].count;
	assert_in_range(counted, 2400, 2600);
	done(drain(engine, "main", 3000));
	s = session_of("main");
	assert_false(s->rekeyed_from_more);
	assert_int_equal(s->rekeyed_from[0].count + s->rekeyed_from[1].count, 2001);
}

/* --- problems --- */

static void
assert_problems(const char *key, unsigned problems)
{
	assert_int_equal(session_of(key)->problems, problems);
}

static void
a_session_is_unattended_once_nobody_took_anything_for_long_enough(void **state)
{
	(void)state;
	options.unattended_ms = 1000;
	reopen();
	put(A, "1"), put(A, "2"), put_later(B, "delayed", 1500);
	pass(999);
	assert_problems(A, 0);
	pass(1);
	assert_problems(A, SESSION_PROBLEM(PROBLEM_UNATTENDED));
	done(drain(engine, A, 1));
	assert_problems(A, 0);
	pass(1000), turn();
	assert_problems(A, SESSION_PROBLEM(PROBLEM_UNATTENDED));
	assert_problems(B, 0);
	assert_listed((struct sessions_op){ .problems = SESSION_PROBLEMS_ANY }, "main:a");
	pass(1000);
	assert_listed((struct sessions_op){ .sort = SORT_UNATTENDED }, "main:a main:b");
	assert_problems(B, SESSION_PROBLEM(PROBLEM_UNATTENDED));
	reopen(); /* what was taken before is not known */
	assert_problems(A, 0);
	pass(1000), turn();
	assert_problems(A, SESSION_PROBLEM(PROBLEM_UNATTENDED));
}

/* An exclusive wait goes on while a lease holds events of the session: somebody is there. */
static void
a_session_that_somebody_waits_for_is_attended(void **state)
{
	(void)state;
	options.unattended_ms = 1000;
	reopen();
	put(A, "1"), put(A, "2");
	lease_events(A, 1, 100000);
	struct call *waiting = wait_for(engine, A);
	waiting->wait.exclusive = true;
	turn(), pass(2000), turn();
	assert_problems(A, 0);
	assert_int_equal(session_of(A)->waiters, 1);
	assert_listed((struct sessions_op){ .sort = SORT_UNATTENDED }, "main:a");
	assert_true(engine_cancel_wait(engine, &waiting->op));
	assert_problems(A, SESSION_PROBLEM(PROBLEM_UNATTENDED));
}

static void
a_session_is_full_from_nine_tenths_on(void **state)
{
	(void)state;
	options.session_pending_max = 10;
	reopen();
	char text[32];
	for (int i = 0; i < 8; i++)
		put(A, nth_key(text, i)), put(B, text);
	assert_problems(A, 0);
	put_later(A, "x", 100000);
	assert_problems(A, SESSION_PROBLEM(PROBLEM_FULL));
	assert_listed((struct sessions_op){ .problems = SESSION_PROBLEM(PROBLEM_FULL) }, "main:a");
	assert_listed((struct sessions_op){ .problems = SESSION_PROBLEM(PROBLEM_STRANDED) }, "");
}

static void
the_worst_problem_comes_first(void **state)
{
	(void)state;
	options.session_pending_max = 2;
	options.unattended_ms = 1000;
	reopen();
	put_later("agent:x:delayed", "1", 10000), put("agent:x:unattended", "1");
	put_later("agent:x:full", "1", 10000), put_later("agent:x:full", "2", 10000);
	put("agent:main:telegram:default:direct:1", "1");
	engine_set_policy(engine, parse_policy("{channels:{telegram:{allowFrom:['1']}},"
					       "session:{dmScope:'main'}}"));
	while (stats().unjudged > 0)
		engine_chores(engine), memory_store_release(&store);
	pass(1000), turn();
	assert_listed((struct sessions_op){ .sort = SORT_PROBLEM },
		      "main:telegram:default:direct:1 x:full x:unattended x:delayed");
	const struct session *first =
	    &done(list_sessions(engine, (struct sessions_op){ .problems = 1 }))
		 ->sessions.sessions[0];
	assert_int_equal(first->problems,
			 SESSION_PROBLEM(PROBLEM_STRANDED) | SESSION_PROBLEM(PROBLEM_UNATTENDED));
	assert_str(first->routes_to, "agent:main:main");
	assert_str(session_of("agent:x:full")->routes_to, NULL);
}

/* --- dead letters --- */

/* Each of these sessions gets a dead letter, A two. */
static void
let_some_die(void)
{
	static const char *const keys[] = { A, A, B, "agent:x:c" };

	options.attempts_max = 1;
	reopen();
	for (size_t i = 0; i < COUNT(keys); i++)
		put(keys[i], "1"), done(nack(engine, lease_events(keys[i], 0, 60000), ALL));
	put(A, "2"), put("agent:x:d", "1");
}

static void
a_session_has_its_dead_letters_after_a_restart_too(void **state)
{
	(void)state;
	let_some_die();
	for (int round = 0; round < 2; round++) {
		assert_int_equal(session_of(A)->dead_letters, 2);
		assert_problems(A, SESSION_PROBLEM(PROBLEM_DEAD));
		assert_int_equal(session_of("agent:x:d")->dead_letters, 0);
		assert_problems("agent:x:d", 0);
		reopen();
	}
	done(discard(engine, IDS(1), false));
	assert_int_equal(session_of(A)->dead_letters, 1);
	done(discard(engine, IDS(2), true)); /* dry run */
	assert_int_equal(session_of(A)->dead_letters, 1);
	done(requeue(engine, IDS(2), 0, false));
	assert_problems(A, 0);
	reopen();
	assert_problems(A, 0);
}

static void
a_dead_letter_that_is_requeued_elsewhere_leaves_the_session_where_it_died(void **state)
{
	(void)state;
	const char *direct = "agent:main:telegram:default:direct:1";

	options.attempts_max = 1;
	reopen();
	put(direct, "1"), done(nack(engine, lease_events(direct, 0, 60000), ALL));
	engine_set_policy(engine, parse_policy("{channels:{telegram:{allowFrom:['1']}},"
					       "session:{dmScope:'main'}}"));
	assert_listed((struct sessions_op){ .problems = SESSION_PROBLEMS_ANY },
		      "main:telegram:default:direct:1");
	done(requeue(engine, IDS(1), 0, false));
	assert_listed((struct sessions_op){ .problems = SESSION_PROBLEMS_ANY }, "");
	assert_listed((struct sessions_op){ 0 }, "main:main");
}

static void
a_batch_that_fails_leaves_dead_letters_alone(void **state)
{
	(void)state;
	let_some_die();
	store.commit_fails = ERROR_STORAGE_FULL;
	fails(discard(engine, IDS(1), false), ERROR_STORAGE_FULL);
	store.commit_fails = ERROR_NONE;
	assert_int_equal(session_of(A)->dead_letters, 2);
}

/* Who asks for them gets them; the list of all has only sessions with events. */
static void
sessions_that_have_nothing_but_dead_letters_are_listed_where_asked_for(void **state)
{
	(void)state;
	const unsigned dead = SESSION_PROBLEM(PROBLEM_DEAD);

	let_some_die();
	assert_listed((struct sessions_op){ 0 }, "main:a x:d");
	assert_listed((struct sessions_op){ .problems = dead }, "main:a main:b x:c");
	assert_listed((struct sessions_op){ .problems = SESSION_PROBLEMS_ANY },
		      "main:a main:b x:c");
	assert_listed((struct sessions_op){ .problems = SESSION_PROBLEM(PROBLEM_FULL) }, "");
	for (int sort = SORT_KEY; sort <= SORT_UNATTENDED; sort++)
		assert_listed((struct sessions_op){ .problems = dead, .sort = (enum sort)sort },
			      "main:a main:b x:c");
	assert_listed((struct sessions_op){ .problems = dead, .prefix = STR("agent:x") }, "x:c");
	assert_listed((struct sessions_op){ .problems = dead, .contains = STR(":b") }, "main:b");
	assert_listed((struct sessions_op){ .problems = dead, .address.agent_id = STR("x") },
		      "x:c");
	assert_listed((struct sessions_op){ .problems = dead, .min_age_ms = INT64_MAX }, "");
	assert_listed((struct sessions_op){ .problems = dead, .address.session_key = STR(B) },
		      "main:b");
	assert_listed((struct sessions_op){ .problems = dead, .address.session_key = STR(A) },
		      "main:a");
	assert_listed((struct sessions_op){ .address.session_key = STR(B) }, "");
	const struct session *session =
	    &done(list_sessions(engine, (struct sessions_op){ .problems = dead,
							      .address.queue_key = STR(B) }))
		 ->sessions.sessions[0];
	assert_str(session->agent_id, "main");
	assert_int_equal(session->dead_letters, 1);
	assert_int_equal(session->problems, dead);
	assert_int_equal(session->depth + (size_t)session->oldest_ts_ms, 0);
}

static void
pages_of_sessions_with_dead_letters_are_in_order(void **state)
{
	(void)state;
	for (int sort = SORT_KEY; sort <= SORT_UNATTENDED; sort++) {
		struct sessions_op input = { .limit = 1,
					     .sort = (enum sort)sort,
					     .problems = SESSION_PROBLEM(PROBLEM_DEAD) };
		const char *const keys[] = { A, B, "agent:x:c" };

		if (sort == SORT_KEY)
			let_some_die();
		for (size_t i = 0; i < COUNT(keys); i++) {
			struct call *call = done(list_sessions(engine, input));

			assert_int_equal(call->sessions.total, COUNT(keys));
			assert_str(call->sessions.sessions[0].session_key, keys[i]);
			input.cursor = call->sessions.next_cursor;
		}
		assert_true(input.cursor.s == NULL);
	}
}

/* In the batch of the list, as busy sessions do all the time. */
static void
sessions_with_dead_letters_that_empty_or_fill_meanwhile_are_listed(void **state)
{
	(void)state;
	const unsigned sets[] = { SESSION_PROBLEM(PROBLEM_DEAD), SESSION_PROBLEMS_ANY };

	let_some_die();
	for (size_t i = 0; i < COUNT(sets); i++) {
		drain(engine, A, 0), enqueue(engine, B, "2");
		assert_listed((struct sessions_op){ .problems = sets[i] }, "main:a main:b x:c");
		enqueue(engine, A, "3"), drain(engine, B, 0);
		assert_listed((struct sessions_op){ .problems = sets[i] }, "main:a main:b x:c");
	}
}

/* Between the look at its queue and that at its dead letters. */
static void
a_session_that_empties_during_the_search_is_on_the_page_once(void **state)
{
	(void)state;
	static char keys[10][32];
	struct sessions_op input = { .limit = 1000,
				     .problems = SESSION_PROBLEMS_ANY,
				     .prefix = STR("agent:x:0000") };
	call_back_at_once();
	options.session_pending_max = 1;
	options.overflow = OVERFLOW_DROP_OLDEST;
	put_into_many(), put_into(0, STAYING + MANY, "2");
	struct call *call = list_sessions(engine, input);
	turn(), turn(), turn(), turn();
	for (int i = 0; i < 10; i++)
		drain(engine, nth_key(keys[i], i), 0);
	for (turn(); call->answered == 0;)
		turn();
	assert_int_equal(call->sessions.count, 10);
	for (size_t i = 1; i < call->sessions.count; i++)
		assert_true(str_cmp(call->sessions.sessions[i - 1].session_key,
				    call->sessions.sessions[i].session_key) < 0);
}

static const struct CMUnitTest tests[] = {
	TEST(sessions_are_filtered_and_sorted),
	TEST(sessions_sort_by_time),
	TEST(a_cursor_continues_where_a_page_ended),
	TEST(pages_of_many_sessions_are_in_order),
	TEST(many_sessions_are_listed_in_turns_that_are_bounded),
	TEST(short_pages_of_many_sessions_are_made_in_turns_that_are_bounded),
	TEST(many_sessions_are_listed_although_every_batch_is_undone),
	TEST(sessions_that_stay_are_listed_once_while_others_come_and_go),
	TEST(a_malformed_cursor_is_refused),
	TEST(a_session_counts_the_keys_its_events_were_rekeyed_from),
	TEST(a_session_shows_the_merged_delivery_context),
	TEST(a_session_of_many_events_is_described_by_the_newest),
	TEST(a_session_is_ready_since_its_first_event_that_can_be_taken),
	TEST(what_is_taken_makes_a_session_ready_anew),
	TEST(after_a_restart_a_session_is_ready_since_its_oldest_event_came),
	TEST(a_session_is_unattended_once_nobody_took_anything_for_long_enough),
	TEST(a_session_that_somebody_waits_for_is_attended),
	TEST(a_session_is_full_from_nine_tenths_on),
	TEST(the_worst_problem_comes_first),
	TEST(a_session_has_its_dead_letters_after_a_restart_too),
	TEST(a_dead_letter_that_is_requeued_elsewhere_leaves_the_session_where_it_died),
	TEST(a_batch_that_fails_leaves_dead_letters_alone),
	TEST(sessions_that_have_nothing_but_dead_letters_are_listed_where_asked_for),
	TEST(pages_of_sessions_with_dead_letters_are_in_order),
	TEST(sessions_with_dead_letters_that_empty_or_fill_meanwhile_are_listed),
	TEST(a_session_that_empties_during_the_search_is_on_the_page_once),
};

int
main(void)
{
	return cmocka_run_group_tests(tests, NULL, NULL);
}
