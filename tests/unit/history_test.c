/*
 * history_test.c - the engine on SQLite: history, dead letters, leases and keys on disk, and what
 * retention deletes.
 */
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>

#include <cmocka.h>
#include <sqlite3.h>
#include <unistd.h>

#include "queue/sqlite/store.h"
#include "tests/unit/files.h"
#include "tests/unit/fixture.h"

#define MINUTE INT64_C(60000)
#define DAY (24 * 60 * MINUTE)

static char directory[64], path[96];

static void
open_file(void)
{
	struct sqlite_options storage;
	struct store *opened;
	struct policy *policy;

	sqlite_options_init(&storage);
	storage.min_free_bytes = 0;
	storage.path = path;
	if (sqlite_open(&storage, &opened, &error) < 0)
		fail_msg("%s", error.detail);
	assert_int_equal(policy_parse("", 0, NULL, &policy, &error), 0);
	assert_int_equal(engine_open(opened, policy, &options, &engine, &error), 0);
}

static void
open_again(void)
{
	engine_close(engine);
	engine = NULL;
	open_file();
}

static int
begin(void **state)
{
	if (fixture_begin(state) != 0)
		return -1;
	engine_close(engine);
	engine = NULL;
	if (make_directory(directory, sizeof(directory), "history") < 0)
		return -1;
	snprintf(path, sizeof(path), "%s/sevq.db", directory);
	open_file();
	return 0;
}

static int
end(void **state)
{
	fixture_end(state);
	return remove_directory(directory);
}

/* Runs a query on the file, as the sqlite3 shell does; answers the first column of its only row. */
static int64_t
shell(const char *query)
{
	sqlite3 *db;
	sqlite3_stmt *row;

	assert_int_equal(sqlite3_open_v2(path, &db, SQLITE_OPEN_READONLY, NULL), SQLITE_OK);
	assert_int_equal(sqlite3_prepare_v2(db, query, -1, &row, NULL), SQLITE_OK);
	assert_int_equal(sqlite3_step(row), SQLITE_ROW);
	int64_t value = sqlite3_column_int64(row, 0);
	sqlite3_finalize(row);
	sqlite3_close(db);
	return value;
}

/* Closes the engine, changes the file as no call does, and opens it again. */
static void
change_file(const char *sql)
{
	sqlite3 *db;

	engine_close(engine);
	engine = NULL;
	assert_int_equal(sqlite3_open_v2(path, &db, SQLITE_OPEN_READWRITE, NULL), SQLITE_OK);
	if (sqlite3_exec(db, sql, NULL, NULL, NULL) != SQLITE_OK)
		fail_msg("%s", sqlite3_errmsg(db));
	sqlite3_close(db);
	open_file();
}

/* Reopens the engine and runs chores until retention has deleted everything that is old enough. */
static void
sweep(void)
{
	open_again();
	while (engine_chores(engine))
		continue;
}

/* Reads all pages of this size; want is "text:outcome text:outcome". Times must descend. */
static void
assert_history(struct history_op input, size_t limit, const char *want)
{
	struct buf have = { 0 };
	int64_t before = INT64_MAX;

	input.limit = limit;
	for (;;) {
		struct call *call = list_history(engine, input);

		while (call->answered == 0)
			turn();
		assert_int_equal(call->op.error.code, ERROR_NONE);
		for (size_t i = 0; i < call->history.count; i++) {
			const struct history_item *item = &call->history.items[i];

			assert_true(item->end.ts_ms <= before);
			before = item->end.ts_ms;
			assert_int_equal(item->event.state, EVENT_STATE_SETTLED);
			assert_int_equal(item->event.outcome, item->end.kind);
			buf_addf(&have, "%s%.*s:%s", have.len > 0 ? " " : "",
				 (int)item->event.text.len, item->event.text.s,
				 outcome_name(item->end.kind));
		}
		assert_true(call->history.count <= limit);
		if (call->history.next_cursor.s == NULL)
			break;
		input.cursor = call->history.next_cursor;
	}
	assert_str((struct str){ have.data, have.len },
		   have.len > 0 || want[0] != '\0' ? want : NULL);
	buf_clear(&have);
}

static void
settle_some(void)
{
	struct draft hook = draft(B, "b1");

	hook.source = STR("hook");
	put(A, "a1"), put(A, "a2"), put(A, "a3"), put(A, "a4"), put(A, "a5");
	done(enqueue_draft(engine, hook)), put(B, "b2");
	done(drain(engine, A, 3));
	pass(MINUTE);
	done(ack(engine, lease_events(B, 1, MINUTE), ALL));
	pass(MINUTE);
	done(consume(engine, A, IDS(5)));
	done(nack(engine, lease_events(A, 0, MINUTE), ALL));
	pass(MINUTE);
	done(purge(engine, B, NULL));
}

static void
history_comes_newest_first_in_pages_of_any_size(void **state)
{
	(void)state;
	settle_some();
	for (size_t limit = 1; limit < 9; limit++)
		assert_history((struct history_op){ 0 }, limit,
			       "b2:purged a5:consumed b1:acked a3:drained a2:drained a1:drained");
}

static void
history_can_be_filtered(void **state)
{
	(void)state;
	int64_t start = now.wall_ms;
	settle_some();
	for (size_t limit = 1; limit < 5; limit++) {
		assert_history((struct history_op){ .address.session_key = STR(A) }, limit,
			       "a5:consumed a3:drained a2:drained a1:drained");
		assert_history((struct history_op){ .address.session_key = STR("agent:main:none") },
			       limit, "");
		assert_history((struct history_op){ .source = STR("hook") }, limit, "b1:acked");
		assert_history((struct history_op){ .kind = OUTCOME_DRAINED }, limit,
			       "a3:drained a2:drained a1:drained");
		assert_history((struct history_op){ .kind = OUTCOME_DEAD }, limit, "");
		assert_history((struct history_op){ .since_ms = start + 1 }, limit,
			       "b2:purged a5:consumed b1:acked");
		assert_history((struct history_op){ .until_ms = start + 2 * MINUTE - 1 }, limit,
			       "b1:acked a3:drained a2:drained a1:drained");
		assert_history(
		    (struct history_op){ .since_ms = start + MINUTE, .until_ms = start + MINUTE },
		    limit, "b1:acked");
		assert_history((struct history_op){ .until_ms = start - 1 }, limit, "");
		assert_history((struct history_op){ .since_ms = INT64_MAX }, limit, "");
		assert_history((struct history_op){ .until_ms = INT64_MAX, .kind = OUTCOME_PURGED },
			       limit, "b2:purged");
	}
	fails(list_history(engine, (struct history_op){ .address.session_key = STR("agent:") }),
	      ERROR_MALFORMED_KEY);
}

/* The attempts in the history are those that find answers with; want is "text:attempts ". */
static void
assert_attempts_agree(struct history_op input, const char *want)
{
	struct buf have = { 0 };

	do {
		struct history_op *page = &done(list_history(engine, input))->history;

		for (size_t i = 0; i < page->count; i++) {
			const struct system_event *event = &page->items[i].event;

			assert_int_equal(event->attempts, look_at(event->id)->attempts);
			buf_addf(&have, "%.*s:%d ", (int)event->text.len, event->text.s,
				 event->attempts);
		}
		input.cursor = page->next_cursor;
	} while (input.cursor.s != NULL);
	assert_str((struct str){ have.data, have.len }, want);
	buf_clear(&have);
}

static void
history_has_the_attempts_of_each_event(void **state)
{
	(void)state;
	struct draft mortal = draft(A, "mortal");
	mortal.ttl_ms = 10 * MINUTE;
	options.attempts_max = 3;
	options.session_pending_max = 5;
	options.overflow = OVERFLOW_DROP_OLDEST;
	open_again();
	put(A, "1"), put(A, "2"), put(A, "3"), done(enqueue_draft(engine, mortal)), put(B, "b");
	done(nack(engine, lease_events(A, 0, MINUTE), ALL));
	int64_t lease = lease_events(A, 0, 11 * MINUTE);
	done(nack(engine, lease, IDS(2, 3)));
	done(nack(engine, lease_events(A, 1, MINUTE), ALL)); /* 2 becomes a dead letter */
	/* the lease of 1 has run out, and "mortal" has expired */
	pass(11 * MINUTE), turn();
	put(A, "4"), put(A, "5"), put(A, "6"), put(A, "7");
	done(drain(engine, A, 3));
	done(nack(engine, lease_events(A, 1, MINUTE), ALL));
	done(ack(engine, lease_events(A, 0, MINUTE), ALL));
	done(purge(engine, B, NULL));
	for (int round = 0; round < 2; round++) {
		for (size_t limit = 1; limit < 10; limit++) {
			assert_attempts_agree((struct history_op){ .limit = limit },
					      "b:0 7:0 6:1 5:0 4:0 3:2 1:2 mortal:1 2:3 ");
			assert_attempts_agree(
			    (struct history_op){ .limit = limit, .dead_letters = true },
			    "1:2 2:3 ");
			calls_free();
		}
		open_again();
	}
}

static void
a_cursor_continues_although_new_events_were_settled(void **state)
{
	(void)state;
	settle_some();
	struct call *first = done(list_history(engine, (struct history_op){ .limit = 4 }));
	put(A, "later"), done(drain(engine, A, 0));
	struct history_op rest = { .cursor = first->history.next_cursor };
	assert_history(rest, 1, "a2:drained a1:drained");
	assert_history(rest, 7, "a2:drained a1:drained");
}

/* Enqueues events of the largest text; together they exceed an answer. */
static void
put_long(size_t count)
{
	static char text[TEXT_BYTES_MAX];
	struct draft one = draft(A, "");

	memset(text, 'x', sizeof(text));
	one.text = (struct str){ text, sizeof(text) };
	one.allow_duplicate = true;
	for (; count > 0; count--)
		done(enqueue_draft(engine, one));
	calls_free();
}

/* Reads all pages: each event once, and no page with more text than one may have. */
static void
assert_pages_within_limit(struct history_op input, size_t count)
{
	size_t pages = 0;
	int64_t before = INT64_MAX;

	input.limit = HISTORY_PAGE_MAX;
	do {
		const struct history_op *page = &done(list_history(engine, input))->history;
		size_t bytes = 0;

		for (size_t i = 0; i < page->count; i++, count--) {
			assert_true(page->items[i].event.id < before);
			before = page->items[i].event.id;
			bytes += page->items[i].event.text.len;
		}
		assert_in_range(bytes, 1, HISTORY_TEXT_BYTES_MAX);
		input.cursor = page->next_cursor;
		pages++;
	} while (input.cursor.s != NULL);
	assert_int_equal(count, 0);
	assert_int_equal(pages, 3);
}

static void
a_page_ends_at_its_text_limit(void **state)
{
	(void)state;
	size_t fit = HISTORY_TEXT_BYTES_MAX / TEXT_BYTES_MAX;
	put_long(2 * fit + 1);
	done(purge(engine, A, NULL));
	assert_pages_within_limit((struct history_op){ 0 }, 2 * fit + 1);
	assert_pages_within_limit((struct history_op){ .address.session_key = STR(A) },
				  2 * fit + 1);
}

static void
a_page_of_dead_letters_ends_at_its_text_limit(void **state)
{
	(void)state;
	size_t fit = HISTORY_TEXT_BYTES_MAX / TEXT_BYTES_MAX;
	options.session_pending_max = 1;
	options.overflow = OVERFLOW_DROP_OLDEST;
	open_again();
	put_long(2 * fit + 2);
	assert_pages_within_limit((struct history_op){ .dead_letters = true }, 2 * fit + 1);
}

static void
malformed_cursors_are_refused(void **state)
{
	(void)state;
	static const char *const bad[] = { "",
					   ":",
					   "1",
					   "1:",
					   ":1",
					   "x:1",
					   "1:x",
					   "0:0",
					   "-1:1",
					   "1:-1",
					   "1:1:1",
					   "1:1 ",
					   "99999999999999999999999999999999999999999999999:1" };
	for (size_t i = 0; i < COUNT(bad); i++) {
		struct call *call =
		    list_history(engine, (struct history_op){ .cursor = str_of(bad[i]) });

		assert_string_equal(fails(call, ERROR_INVALID_FIELD)->op.error.pointer, "cursor");
		if (bad[i] == bad[2]) /* "1" */
			continue;
		call = find_event(engine, put(A, "x"));
		call->find.cursor = str_of(bad[i]);
		assert_string_equal(fails(call, ERROR_INVALID_FIELD)->op.error.pointer, "cursor");
	}
	assert_history(
	    (struct history_op){ .cursor = STR("9223372036854775807:9223372036854775807") }, 5, "");
}

/* Makes dead letters: each event has one attempt only. */
static void
make_dead_letters(void)
{
	options.attempts_max = 1;
	options.session_pending_max = 4;
	options.overflow = OVERFLOW_DROP_OLDEST;
	open_again();
	put(A, "1"), put(A, "2"), put(A, "3"), put(A, "4"), put(B, "x");
	pass(1);
	put(A, "5"); /* evicts 1 */
	pass(1);
	done(nack(engine, lease_events(A, 2, MINUTE), ALL));
	pass(1);
	done(nack(engine, lease_events(B, 0, MINUTE), ALL));
	done(drain(engine, A, 0));
}

static void
dead_letters_are_listed_until_they_are_requeued(void **state)
{
	(void)state;
	struct history_op dead = { .dead_letters = true };
	make_dead_letters();
	int64_t end = now.wall_ms;
	for (size_t limit = 1; limit < 5; limit++) {
		assert_history(dead, limit, "x:dead 3:dead 2:dead 1:evicted");
		assert_history(
		    (struct history_op){ .dead_letters = true, .address.session_key = STR(A) },
		    limit, "3:dead 2:dead 1:evicted");
		assert_history((struct history_op){ .dead_letters = true, .until_ms = end - 1 },
			       limit, "3:dead 2:dead 1:evicted");
		assert_history((struct history_op){ .dead_letters = true, .since_ms = end - 1 },
			       limit, "x:dead 3:dead 2:dead");
	}
	struct call *page =
	    done(list_history(engine, (struct history_op){ .dead_letters = true, .limit = 2 }));
	struct call *call = done(requeue(engine, IDS(3, 1, 3, 99, 7), 0, false));
	assert_int_equal(call->requeue.requeued, 2);
	assert_int_equal(call->requeue.passed_over, 3);
	for (size_t limit = 1; limit < 4; limit++) {
		assert_history(dead, limit, "x:dead 2:dead");
		assert_history((struct history_op){ .dead_letters = true,
						    .cursor = page->history.next_cursor },
			       limit, "2:dead");
	}
	assert_deliverable(A, "3 1");
	assert_history((struct history_op){ .kind = OUTCOME_DEAD }, 9, "x:dead 3:dead 2:dead");
	assert_int_equal(done(requeue(engine, IDS(3, 1), 0, false))->requeue.requeued, 0);
	open_again();
	assert_int_equal(done(requeue(engine, IDS(3, 1), 0, false))->requeue.requeued, 0);
	assert_deliverable(A, "3 1");
}

static void
the_timeline_of_a_requeued_dead_letter_has_its_new_id(void **state)
{
	(void)state;
	make_dead_letters();
	done(requeue(engine, IDS(2), 0, false));
	int64_t anew = done(peek(engine, A))->peek.found.events[0].id;
	const struct find_op *old = &done(find_event(engine, 2))->find;
	char id[24];
	snprintf(id, sizeof(id), "%" PRId64, anew);
	assert_string_equal(event_state_name(&old->event), "dead");
	assert_int_equal(old->timeline[old->timeline_count - 1].kind, OUTCOME_REQUEUED);
	assert_str(old->timeline[old->timeline_count - 1].detail, id);
	assert_int_equal(look_at(anew)->attempts, 0);
}

/* A lease for a prompt skips the event after the requeue too (ROUTING section 8). */
static void
a_requeued_exec_completion_is_still_one(void **state)
{
	(void)state;
	options.attempts_max = 1;
	open_again();
	int64_t id = put(A, "Exec completed (build, code 0)");
	done(nack(engine, lease_events(A, 0, MINUTE), ALL));
	done(requeue(engine, IDS(id), 0, false));
	for (int round = 0; round < 2; round++) {
		struct lease_take_op prompt = { .address.session_key = STR(A), .prompt = true };

		assert_int_equal(done(take_lease_as(engine, prompt))->lease_take.lease_id, 0);
		open_again();
	}
}

static void
a_requeued_dead_letter_keeps_its_fields(void **state)
{
	(void)state;
	struct draft rich = draft(" main ", "Zwei\nZeilen");
	rich.context_key = STR("k");
	rich.source = STR("hook");
	rich.traceparent = STR("00-1-2-01");
	rich.wake = WAKE_NOW;
	rich.ttl_ms = DAY;
	rich.delivery = (struct delivery){ .channel = STR("telegram"), .to = STR("1") };
	options.attempts_max = 1;
	open_again();
	int64_t id = done(enqueue_draft(engine, rich))->enqueue.results[0].id;
	done(nack(engine, lease_events("main", 0, MINUTE), ALL));
	done(requeue(engine, IDS(id), 0, false));
	const struct system_event *anew = &done(peek(engine, "main"))->peek.found.events[0];
	assert_true(anew->id > id);
	assert_str(anew->text, "Zwei\nZeilen");
	assert_str(anew->original_session_key, " main ");
	assert_int_equal(anew->rule, RULE_MAIN_ALIAS);
	assert_str(anew->context_key, "k");
	assert_str(anew->source, "hook");
	assert_str(anew->traceparent, "00-1-2-01");
	assert_int_equal(anew->wake, WAKE_NOW);
	assert_int_equal(anew->expires_at_ms, 0);
	assert_delivery(&anew->delivery, &rich.delivery);
	struct call *list = done(list_sessions(engine, (struct sessions_op){ 0 }));
	assert_str(list->sessions.sessions[0].last_context_key, "k");
	assert_str(list->sessions.sessions[0].rekeyed_from[0].key, "main");
}

/* --- leases and keys on disk --- */

static void
leases_survive_a_restart(void **state)
{
	(void)state;
	int64_t one = put(A, "1"), two = put(A, "2"), three = put(A, "3");
	struct lease_take_op exclusive = { .address.session_key = STR(A),
					   .limit = 2,
					   .exclusive = true,
					   .consumer = STR("c"),
					   .lease_ms = MINUTE };
	int64_t lease = done(take_lease_as(engine, exclusive))->lease_take.lease_id;
	done(ack(engine, lease, IDS(one)));
	done(extend(engine, lease, ALL, 2 * MINUTE));
	for (int round = 0; round < 2; round++) {
		open_again();
		/* although the third event is not leased */
		assert_int_equal(engine_deliverable(engine, STR(A)), 0);
		assert_int_equal(stats().leases, 1);
		assert_int_equal(engine_due_ms(engine), 2 * MINUTE);
		assert_int_equal(done(ack(engine, lease, IDS(one)))->lease.changed, 0);
		fails(ack(engine, lease, IDS(three)), ERROR_INVALID_FIELD);
		fails(nack(engine, lease, IDS(one)), ERROR_CONFLICT);
	}
	assert_int_equal(done(ack(engine, lease, IDS(one, two)))->lease.changed, 1);
	open_again();
	assert_deliverable(A, "3");
	assert_int_equal(done(ack(engine, lease, ALL))->lease.changed, 0);
	const struct find_op *found = &done(find_event(engine, two))->find;
	assert_int_equal(found->timeline_count, 3);
	assert_int_equal(found->timeline[0].lease, lease);
	assert_str(found->timeline[0].detail, "c");
	assert_int_equal(found->timeline[1].kind, OUTCOME_EXTENDED);
	assert_int_equal(found->timeline[2].kind, OUTCOME_ACKED);
}

static void
assert_gone(struct call *call, int64_t id)
{
	done(call);
	assert_int_equal(call->lease.changed, 0);
	assert_int_equal(call->lease.gone_count, 1);
	assert_int_equal(call->lease.gone[0], id);
}

/* The driver looks up which calls removed events from the lease while the lease held them. */
static void
removals_from_a_lease_survive_a_restart(void **state)
{
	(void)state;
	int64_t one = put(A, "1"), two = put(A, "2"), three = put(A, "3");
	int64_t taken = lease_events(A, 2, MINUTE), finished = lease_events(A, 1, MINUTE);
	done(ack(engine, taken, IDS(one)));
	done(consume(engine, A, IDS(two)));
	assert_gone(ack(engine, taken, ALL), two);
	done(ack(engine, finished, IDS(three)));
	assert_int_equal(done(ack(engine, finished, ALL))->lease.changed, 0);
	int64_t four = put(A, "4"), five = put(A, "5");
	int64_t lease = lease_events(A, 0, MINUTE);
	done(nack(engine, lease, IDS(four)));
	done(ack(engine, lease, IDS(five)));
	int64_t other = lease_events(A, 0, MINUTE);
	done(purge(engine, A, NULL));
	for (int round = 0; round < 2; round++) {
		assert_int_equal(done(ack(engine, lease, ALL))->lease.changed, 0);
		assert_gone(ack(engine, other, ALL), four);
		assert_gone(ack(engine, taken, ALL), two);
		assert_gone(nack(engine, taken, IDS(two)), two);
		fails(ack(engine, lease, IDS(four)), ERROR_CONFLICT);
		open_again();
	}
}

static void
assert_last(const char *key, const char *want)
{
	struct sessions_op one = { .address.session_key = str_of(key) };
	struct call *call = done(list_sessions(engine, one));

	assert_int_equal(call->sessions.count, 1);
	assert_str(call->sessions.sessions[0].last_context_key, want);
}

/*
 * Eviction does not recompute the last context (ROUTING section 7). So it may be that of an event
 * deleted long ago; or that of an evicted event newer than all pending events with a key, since
 * leased events are not evicted.
 */
static void
the_last_context_of_a_deleted_event_survives_a_restart(void **state)
{
	(void)state;
	options.session_pending_max = 2;
	options.overflow = OVERFLOW_DROP_OLDEST;
	open_again();
	done(enqueue_keyed(engine, A, "evicted", "1")), put(A, "2"), put(A, "3"), put(A, "4");
	int64_t held = done(enqueue_keyed(engine, B, "held", "x"))->enqueue.results[0].id;
	lease_events(B, 0, MINUTE);
	done(enqueue_keyed(engine, B, "evicted", "y")), put(B, "z");
	for (int round = 0; round < 3; round++) {
		assert_last(A, "evicted");
		assert_last(B, "evicted");
		if (round == 1) {
			pass(8 * DAY), turn();
			sweep();
			assert_int_equal(
			    shell("SELECT count(*) FROM event WHERE context_key = 'evicted'"), 0);
		}
		open_again();
	}
	done(consume(engine, A, IDS(3))); /* a removal recomputes the last context */
	assert_last(A, NULL);
	done(consume(engine, B, IDS(7)));
	assert_last(B, "held");
	done(enqueue_keyed(engine, B, "new", "w"));
	open_again();
	assert_last(A, NULL);
	assert_last(B, "new");
	done(consume(engine, B, IDS(held)));
	assert_int_equal(shell("SELECT count(last_context) FROM session"), 0);
}

static void
attempts_and_delays_survive_a_restart(void **state)
{
	(void)state;
	int64_t id = put(A, "1");
	struct lease_change_op later;
	lease_change_op_init(&later, LEASE_NACK);
	later.delay_ms = MINUTE;
	done(nack(engine, lease_events(A, 0, MINUTE), ALL));
	lease_events(A, 0, MINUTE), pass(MINUTE), turn();
	done(change_lease(engine, later, lease_events(A, 0, MINUTE), ALL));
	open_again();
	assert_deliverable(A, "");
	assert_int_equal(look_at(id)->attempts, 3);
	assert_int_equal(look_at(id)->available_at_ms, now.wall_ms + MINUTE);
	pass(MINUTE);
	assert_deliverable(A, "1");
}

static void
idempotency_keys_are_kept_for_a_day(void **state)
{
	(void)state;
	struct draft one = draft(A, "1");
	one.idempotency = (struct idempotency){ .key = STR("k"), .request = UINT64_MAX };
	int64_t id = done(enqueue_draft(engine, one))->enqueue.results[0].id;
	pass(DAY);
	sweep();
	struct call *call = done(enqueue_draft(engine, one));
	assert_true(call->drafts[0].idempotency.replayed);
	assert_int_equal(call->enqueue.results[0].event.id, id);
	assert_str(call->enqueue.results[0].event.text, "1");
	pass(1);
	sweep();
	assert_int_equal(shell("SELECT count(*) FROM idempotency"), 0);
	call = done(enqueue_draft(engine, one)); /* the key alone would tell it from the first */
	assert_int_equal(call->enqueue.results[0].outcome, ENQUEUE_QUEUED);
	assert_false(call->drafts[0].idempotency.replayed);
}

static void
many_keys_are_deleted_in_steps(void **state)
{
	(void)state;
	char names[CALL_DRAFTS_MAX][32];
	struct draft drafts[CALL_DRAFTS_MAX];
	for (int i = 0; i < 20; i++) {
		for (int j = 0; j < CALL_DRAFTS_MAX; j++) {
			snprintf(names[j], sizeof(names[j]), "%d-%d", i, j);
			drafts[j] = draft(A, names[j]);
			drafts[j].idempotency =
			    (struct idempotency){ .key = str_of(names[j]), .request = 1 };
		}
		done(enqueue_drafts(engine, drafts, CALL_DRAFTS_MAX));
		calls_free();
		pass(MINUTE);
	}
	pass(DAY - 10 * MINUTE);
	sweep();
	assert_int_equal(shell("SELECT count(*) FROM idempotency"), 10 * CALL_DRAFTS_MAX);
	pass(10 * MINUTE);
	sweep();
	assert_int_equal(shell("SELECT count(*) FROM idempotency"), 0);
}

/* --- walks --- */

/* Adds as many outcomes as that to the session of a settled event, as if it went on for long. */
static void
add_traffic(int64_t settled, int outcomes)
{
	char sql[512];

	snprintf(sql, sizeof(sql),
		 "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < %d)"
		 " INSERT INTO outcome(id, ts, kind, session, events)"
		 " SELECT (SELECT max(id) FROM outcome) + i, (SELECT max(ts) FROM outcome), 1,"
		 " (SELECT session FROM event WHERE id = %" PRId64 "), '[%" PRId64 "]' FROM n",
		 outcomes, settled, settled);
	change_file(sql);
}

/*
 * Runs turns until the call is answered; a small one in each turn must not wait for it. Answers how
 * many turns it took.
 */
static int
turns_of(struct call *call)
{
	int turns = 0;

	for (; call->answered == 0; turns++)
		put(B, "small");
	return turns;
}

/* An event may outlast any number of outcomes of its session; no turn walks through all of them. */
static void
an_old_event_is_found_in_turns_that_are_bounded(void **state)
{
	(void)state;
	enum { OUTCOMES = 20000, ROWS_A_TURN = 5000 };
	int64_t old = put(A, "old"), settled = put(A, "settled"), held = put(A, "held");
	done(consume(engine, A, IDS(settled)));
	done(nack(engine, lease_events(A, 1, MINUTE), ALL));
	int64_t lease = lease_events(A, 0, MINUTE);
	for (int round = 0; round < 3; round++) {
		add_traffic(settled, OUTCOMES);
		struct call *call = find_event(engine, old);
		int turns = turns_of(call);
		assert_in_range(turns, OUTCOMES / ROWS_A_TURN, OUTCOMES);
		assert_int_equal(call->op.error.code, ERROR_NONE);
		assert_int_equal(call->find.event.attempts, 1);
		assert_int_equal(call->find.timeline_count, round == 0 ? 3 : 4);
		assert_string_equal(event_state_name(&call->find.event),
				    round == 0 ? "leased" : "acked");
		if (round == 0) {
			done(ack(engine, lease, IDS(old)));
			continue;
		}
		assert_history((struct history_op){ .kind = OUTCOME_ACKED }, 9,
			       round == 1 ? "old:acked" : "held:acked old:acked");
		call = ack(engine, lease, IDS(old, held)); /* not all of them are in the lease */
		turns = turns_of(call);
		assert_true(turns >= OUTCOMES / ROWS_A_TURN);
		assert_int_equal(call->op.error.code, ERROR_NONE);
		assert_int_equal(call->lease.changed, round == 1);
	}
}

/* What matches nothing is looked for among so many, whoever asks; no turn looks at all of them. */
static void
history_is_searched_in_turns_that_are_bounded(void **state)
{
	(void)state;
	enum { OUTCOMES = 25000, LOOKS_MAX = 21000, LOOKS_A_TURN = 3000, CALLS = 3 };
	static const struct history_op wants[] = { { .source = STR_INIT("nobody") },
						   { .kind = OUTCOME_PURGED },
						   { .address.session_key = STR_INIT(A),
						     .source = STR_INIT("nobody") } };
	put(A, "old");
	done(purge(engine, A, NULL));
	int64_t settled = put(A, "settled");
	done(consume(engine, A, IDS(settled)));
	add_traffic(settled, OUTCOMES);
	for (size_t i = 0; i < COUNT(wants); i++) {
		struct history_op input = wants[i];
		struct call *calls[CALLS];

		input.limit = 10;
		for (size_t c = 0; c < CALLS; c++)
			calls[c] = list_history(engine, input);
		int turns = turns_of(calls[0]);
		for (size_t c = 1; c < CALLS; c++)
			turns += turns_of(calls[c]);
		assert_true(turns >= CALLS * (LOOKS_MAX - 1000) / LOOKS_A_TURN);
		for (size_t c = 0; c < CALLS; c++) {
			assert_int_equal(calls[c]->op.error.code, ERROR_NONE);
			assert_int_equal(calls[c]->history.count, 0);
			assert_non_null(calls[c]->history.next_cursor.s);
		}
	}
	assert_history(wants[1], 10, "old:purged");
}

/* Events that do not match are read, too: no turn reads much more text than a page may have. */
static void
long_events_are_searched_in_turns_that_are_bounded(void **state)
{
	enum { LONG = 100, CALLS = 3 };
	struct call *calls[CALLS];
	int turns = 0;

	(void)state;
	put_long(LONG);
	done(purge(engine, A, NULL));
	for (size_t c = 0; c < CALLS; c++)
		calls[c] = list_history(
		    engine, (struct history_op){ .source = STR("nobody"), .limit = LONG });
	for (size_t c = 0; c < CALLS; c++)
		turns += turns_of(calls[c]);
	assert_true(turns >= CALLS * LONG * TEXT_BYTES_MAX / HISTORY_TEXT_BYTES_MAX);
	for (size_t c = 0; c < CALLS; c++) {
		assert_int_equal(calls[c]->op.error.code, ERROR_NONE);
		assert_int_equal(calls[c]->history.count, 0);
		assert_null(calls[c]->history.next_cursor.s);
	}
}

/* --- retention --- */

static void
retention_keeps_live_leases_and_attempts(void **state)
{
	(void)state;
	put(A, "1"), put(A, "2");
	done(nack(engine, lease_events(A, 0, MINUTE), ALL)); /* the record names both events */
	done(consume(engine, A, IDS(1)));
	put(A, "3"), done(ack(engine, lease_events(A, 0, MINUTE), IDS(3)));
	pass(MINUTE);
	turn();
	pass(8 * DAY);
	int64_t lease = lease_events(A, 0, MINUTE);
	put(B, "x");
	for (int round = 0; round < 2; round++) {
		sweep();
		assert_int_equal(shell("SELECT group_concat(id) = '2,4' FROM event"), 1);
		assert_int_equal(look_at(2)->attempts, 2);
		assert_string_equal(event_state_name(look_at(2)), "leased");
		assert_int_equal(shell("SELECT count(*) FROM outcome WHERE kind <= 9"), 0);
		assert_true(shell("SELECT count(*) FROM outcome") >= 4);
	}
	done(ack(engine, lease, ALL));
	assert_queued(A, "");
	pass(8 * DAY);
	put(B, "y"), done(drain(engine, B, 0)), put(B, "z");
	sweep();
	assert_int_equal(shell("SELECT group_concat(id) = '4,5,6' FROM event"), 1);
	assert_int_equal(shell("SELECT count(*) FROM outcome"), 1);
	assert_queued(B, "z");
}

/*
 * One event of a lease was settled and is forgotten, another is lost, a third is held, and a fourth
 * never was in the lease. What each call answers depends on which it names, and on no order.
 */
enum { SEVERAL = 100, HOUR_MS = 3600000 };

static size_t
any(size_t below)
{
	return (size_t)random() % below;
}

/* One call of a random kind on one of two sessions; leases last for less than an hour. */
static void
do_something(int64_t leases[8])
{
	const char *key = any(2) ? A : B;
	int64_t *lease = &leases[any(8)], id = 1 + (int64_t)any(SEVERAL);
	struct call *call;

	switch (any(8)) {
	case 0:
	case 1:
	case 2:
		*lease = lease_events(key, 1 + any(5), HOUR_MS / 2);
		return;
	case 3:
		call = *lease != 0 ? ack(engine, *lease, ALL) : drain(engine, key, 1 + any(2));
		break;
	case 4:
	case 5:
		call = *lease != 0 ? nack(engine, *lease, ALL) : withdraw(engine, id);
		if (*lease != 0)
			call->lease.count_attempt = any(3) > 0;
		break;
	case 6:
		call = *lease != 0 ? extend(engine, *lease, ALL, HOUR_MS / 2)
				   : consume(engine, key, IDS(id, id + 1));
		break;
	default:
		call = any(2) ? requeue(engine, IDS(id), 0, false) : purge(engine, key, "k");
	}
	turn();
	assert_int_equal(call->answered, 1); /* it may have been refused */
}

/* What the calls say of an event. */
struct told {
	struct buf timeline; /* what find says; empty: 404 */
	enum outcome_kind settled;
	int attempts;
	bool dead;
};

/* Returns one page of what find says; NULL: 404. */
static struct call *
ask_page(int64_t id, size_t limit, struct str cursor)
{
	struct call *call = find_event(engine, id);

	call->find.limit = limit;
	call->find.cursor = cursor;
	turn();
	if (call->op.error.code == ERROR_NOT_FOUND)
		return NULL;
	assert_int_equal(call->op.error.code, ERROR_NONE);
	assert_true(call->find.timeline_count + (cursor.s == NULL) <= limit);
	return call;
}

/* Reads all pages, of any size; each tells the same of the event. */
static void
ask_find(int64_t id, struct told *ret)
{
	struct str cursor = STR_NULL;
	struct call *call;

	ret->timeline.len = 0;
	do {
		call = ask_page(id, 1 + any(4), cursor);
		if (call == NULL)
			return;
		if (cursor.s == NULL) {
			buf_addf(&ret->timeline, "%s", event_state_name(&call->find.event));
			ret->settled = call->find.event.outcome;
			ret->attempts = call->find.event.attempts;
			ret->dead = false;
		}
		assert_int_equal(call->find.event.outcome, ret->settled);
		assert_int_equal(call->find.event.attempts, ret->attempts);
		for (size_t i = 0; i < call->find.timeline_count; i++) {
			const struct timeline_entry *entry = &call->find.timeline[i];

			buf_addf(&ret->timeline, " %s:%" PRId64 ":%" PRId64,
				 outcome_name(entry->kind), entry->ts_ms, entry->lease);
			ret->dead = entry->kind == OUTCOME_DEAD ||
				    (ret->dead && entry->kind != OUTCOME_REQUEUED);
		}
		cursor = call->find.next_cursor;
	} while (cursor.s != NULL);
}

/* Asks both lists, and notes in seen which events they have. They must say what find says. */
static void
ask_lists(const struct told *told, bool dead_letters, bool seen[SEVERAL * 2])
{
	struct history_op input = { .dead_letters = dead_letters, .limit = 300 };

	memset(seen, 0, SEVERAL * 2 * sizeof(*seen));
	do {
		struct call *call = done(list_history(engine, input));

		for (size_t i = 0; i < call->history.count; i++) {
			const struct system_event *event = &call->history.items[i].event;

			assert_false(seen[event->id]);
			seen[event->id] = true;
			assert_int_equal(event->outcome, told[event->id].settled);
			assert_int_equal(event->attempts, told[event->id].attempts);
		}
		input.cursor = call->history.next_cursor;
	} while (input.cursor.s != NULL);
}

/* Every call tells of an event what it told before it was forgotten, or that it is forgotten. */
static void
assert_told_the_same(const struct told before[SEVERAL * 2], int64_t ids)
{
	static struct told now_told[SEVERAL * 2];
	bool settled[SEVERAL * 2], dead[SEVERAL * 2];

	for (int64_t id = 1; id < ids; id++) {
		ask_find(id, &now_told[id]);
		if (now_told[id].timeline.len > 0)
			assert_str(
			    (struct str){ now_told[id].timeline.data, now_told[id].timeline.len },
			    before[id].timeline.data);
	}
	ask_lists(now_told, false, settled);
	ask_lists(now_told, true, dead);
	for (int64_t id = 1; id < ids; id++) {
		bool there = now_told[id].timeline.len > 0;

		assert_int_equal(settled[id], there && before[id].settled != 0);
		assert_int_equal(dead[id], there && before[id].dead);
		assert_int_equal(done(requeue(engine, IDS(id), 0, true))->requeue.requeued,
				 there && before[id].dead);
		if (there)
			assert_int_equal(now_told[id].attempts, before[id].attempts);
		else
			assert_true(before[id].settled != 0);
		buf_clear(&now_told[id].timeline);
	}
	calls_free();
}

/*
 * Leases, nacks and lapses of an event are older than its end, and lie among those of others. Still
 * it is forgotten whole, between any two steps of the sweep.
 */
static void
an_event_is_forgotten_whole(void **state)
{
	(void)state;
	static struct told told[SEVERAL * 2];
	int64_t leases[8] = { 0 };
	size_t forgotten = 0;
	srandom(11);
	options.attempts_max = 3;
	options.retention_ms = 40 * HOUR_MS;
	open_again();
	for (int i = 0; i < 4 * SEVERAL; i++) {
		char text[16];
		snprintf(text, sizeof(text), "%d", i); /* no duplicates */
		if (i % 4 == 0)
			put_keyed(any(2) ? A : B, any(2) ? "k" : NULL, text);
		do_something(leases);
		if (any(40) == 0)
			pass(HOUR_MS), turn(), memset(leases, 0, sizeof(leases));
		calls_free();
	}
	pass(HOUR_MS), turn();
	int64_t ids = shell("SELECT max(id) + 1 FROM event");
	assert_in_range(ids, SEVERAL / 2, 2 * SEVERAL);
	for (int64_t id = 1; id < ids; id++) {
		ask_find(id, &told[id]);
		buf_add(&told[id].timeline, "", 1);
	}
	for (int hour = 0; hour < 80; hour++) {
		size_t swept = 0;
		bool more;

		pass(HOUR_MS);
		open_again(); /* or the sweep begins only once a second */
		do {
			more = engine_chores(engine);
			if (stats().store.swept == swept && hour % 20 > 0)
				continue;
			swept = stats().store.swept;
			assert_told_the_same(told, ids);
		} while (more);
		forgotten += swept;
	}
	assert_true(forgotten > SEVERAL / 2);
	for (int64_t id = 1; id < ids; id++)
		buf_clear(&told[id].timeline);
}

static void
a_forgotten_event_of_a_lease_is_gone(void **state)
{
	(void)state;
	options.retention_ms = -1000;
	for (int how = 0; how < 3; how++) {
		open_again();
		int64_t one = put(A, "1"), lost = put(A, "2"), held = put(A, "3");
		int64_t lease = lease_events(A, 0, MINUTE), never = put(A, "4");
		done(nack(engine, lease, IDS(lost)));
		if (how == 0)
			done(ack(engine, lease, IDS(one)));
		else if (how == 1)
			done(withdraw(engine, one));
		else /* it was given back, and settled later */
			done(nack(engine, lease, IDS(one))), done(consume(engine, A, IDS(one)));
		sweep();
		fails(find_event(engine, one), ERROR_NOT_FOUND);
		fails(ack(engine, lease, IDS(one, never)), ERROR_INVALID_FIELD);
		fails(ack(engine, lease, IDS(never, one, held)), ERROR_INVALID_FIELD);
		fails(nack(engine, lease, IDS(one, never)), ERROR_INVALID_FIELD);
		fails(extend(engine, lease, IDS(never, one), MINUTE), ERROR_INVALID_FIELD);
		fails(ack(engine, lease, IDS(one, lost)), ERROR_CONFLICT);
		fails(nack(engine, lease, IDS(lost, one)), ERROR_CONFLICT);
		assert_gone(ack(engine, lease, IDS(one)), one);
		assert_gone(nack(engine, lease, IDS(one)), one);
		struct call *call = done(extend(engine, lease, IDS(one, held), MINUTE));
		assert_int_equal(call->lease.changed, 1);
		assert_int_equal(call->lease.gone[0], one);
		assert_int_equal(done(ack(engine, lease, ALL))->lease.changed, 1);
		done(purge(engine, A, NULL));
		sweep();
		fails(ack(engine, lease, IDS(one)), ERROR_NOT_FOUND); /* so is the lease */
		calls_free();
	}
}

/* --- what a pending event keeps --- */

enum { PENDING = 12, RETURNS_KEPT_HERE = 2 };

/* What the test knows of an event. */
struct kept_event {
	int64_t id;
	uint32_t given_back, extensions; /* in its newest lease */
};

static struct kept_event *
known(struct kept_event *events, int64_t id)
{
	for (size_t i = 0; i < PENDING; i++)
		if (events[i].id == id)
			return &events[i];
	fail();
	return NULL;
}

/* A restart changes nothing, whatever was dropped. */
static void
restart_and_compare(const struct kept_event *events)
{
	struct system_event before[PENDING];

	for (size_t i = 0; i < PENDING; i++)
		before[i] = *look_at(events[i].id);
	open_again();
	for (size_t i = 0; i < PENDING; i++) {
		const struct system_event *after = look_at(events[i].id);

		assert_string_equal(event_state_name(after), event_state_name(&before[i]));
		assert_int_equal(after->available_at_ms, before[i].available_at_ms);
		assert_int_equal(after->attempts, before[i].attempts);
	}
}

/* Extends some events of the lease, or all, a few times; then gives back some, or all. */
static void
hold_and_give_back(struct kept_event *events, const struct lease_take_op *take)
{
	struct lease_change_op back;
	struct system_event_list list = take->taken;
	size_t some = 1 + any(list.count);

	for (size_t i = 0; i < list.count; i++)
		known(events, list.events[i].id)->extensions = 0;
	for (size_t times = any(4); times > 0; times--) {
		int64_t ids[PENDING];
		size_t count = 0;

		for (size_t i = 0; i < list.count; i++)
			if (any(3) > 0) {
				ids[count++] = list.events[i].id;
				known(events, ids[count - 1])->extensions++;
			}
		if (count > 0)
			done(extend(engine, take->lease_id, ids, count, HOUR_MS));
	}
	lease_change_op_init(&back, LEASE_NACK);
	back.count_attempt = false;
	back.delay_ms = any(4) == 0 ? MINUTE : 0;
	for (size_t part = 0; part < 2; part++) {
		int64_t ids[PENDING];
		size_t count = 0;

		for (size_t i = part == 0 ? 0 : some; i < (part == 0 ? some : list.count); i++) {
			ids[count++] = list.events[i].id;
			known(events, list.events[i].id)->given_back++;
		}
		if (count > 0)
			done(change_lease(engine, back, take->lease_id, ids, count));
		if (any(3) == 0)
			restart_and_compare(events);
	}
}

/* The newest entries of each kind say how often it was. */
static void
assert_times(const struct kept_event *event)
{
	const struct find_op *find = &done(find_event(engine, event->id))->find;
	uint32_t returned = 0, extended = 0;

	for (size_t i = 0; i < find->timeline_count; i++) {
		uint32_t times = find->timeline[i].times;

		if (find->timeline[i].kind == OUTCOME_RETURNED)
			assert_true((returned = times > 0 ? times : 1) <= event->given_back);
		else if (find->timeline[i].kind == OUTCOME_EXTENDED)
			extended = times > 0 ? times : 1;
		else
			extended = 0;
	}
	assert_int_equal(returned, event->given_back);
	assert_int_equal(extended, event->extensions);
	assert_int_equal(find->event.attempts, 0);
	assert_true(find->timeline_count <= 3 * (RETURNS_KEPT_HERE + 1));
}

/*
 * Leases, extensions and nacks that count nothing come without end; what is kept of them does not
 * grow, whichever events are leased, extended and given back together.
 */
static void
what_a_pending_event_keeps_is_bounded(void **state)
{
	(void)state;
	struct kept_event events[PENDING];
	srandom(5);
	options.returns_kept = RETURNS_KEPT_HERE;
	options.retention_ms = -1000;
	open_again();
	for (size_t i = 0; i < PENDING; i++) {
		char text[8];
		snprintf(text, sizeof(text), "%zu", i);
		events[i] = (struct kept_event){ .id = put(i % 2 ? A : B, text) };
	}
	for (int round = 0; round < 300; round++) {
		const char *key = any(2) ? A : B;
		struct call *call = done(take_lease(engine, key, 1 + any(PENDING), HOUR_MS));
		if (call->lease_take.lease_id != 0)
			hold_and_give_back(events, &call->lease_take);
		if (any(3) == 0)
			pass(MINUTE), turn();
		if (any(10) == 0) { /* one is done, and forgotten; another takes its place */
			struct kept_event *event = &events[any(PENDING)];
			done(withdraw(engine, event->id));
			sweep();
			char text[16];
			snprintf(text, sizeof(text), "again %d", round);
			*event = (struct kept_event){ .id = put(any(2) ? A : B, text) };
		}
		for (size_t i = 0; i < PENDING; i++)
			assert_times(&events[i]);
		assert_in_range(shell("SELECT count(*) FROM outcome"), 0,
				PENDING * 3 * (RETURNS_KEPT_HERE + 1) + 1);
		assert_int_equal(stats().store.outcomes, shell("SELECT count(*) FROM outcome"));
		calls_free();
	}
}

static void
delays_end_although_the_answer_budget_is_used_up(void **state)
{
	(void)state;
	static char text[] =
	    "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
	    "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
	    "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx";
	struct draft later = draft(A, text);
	later.delay_ms = MINUTE;
	put(B, "gone"), done(drain(engine, B, 0));
	done(enqueue_draft(engine, later)), put(A, "1"), put(A, "2");
	engine_set_answer_budget(engine, 1, true);
	pass(MINUTE);
	struct call *first = list_history(engine, (struct history_op){ .limit = 10 }),
		    *second = drain(engine, A, 0);
	turn();
	assert_int_equal(first->history.count, 1);
	assert_int_equal(second->op.error.code, ERROR_QUEUE_FULL);
	first = drain(engine, A, 0), second = drain(engine, A, 0);
	turn();
	assert_int_equal(first->drain.taken.count, 3);
	assert_int_equal(second->op.error.code, ERROR_NONE);
}

static void
a_clock_that_jumps_ahead_deletes_nothing(void **state)
{
	(void)state;
	struct draft one = draft(A, "1");
	one.idempotency = (struct idempotency){ .key = STR("k"), .request = 1 };
	done(enqueue_draft(engine, one));
	done(drain(engine, A, 0));
	put(B, "newer"), done(drain(engine, B, 0)), put(B, "newest");
	open_again();
	now.wall_ms += 30 * DAY;
	while (engine_chores(engine))
		continue;
	now.wall_ms -= 30 * DAY;
	assert_history((struct history_op){ 0 }, 10, "newer:drained 1:drained");
	assert_true(done(enqueue_draft(engine, one))->drafts[0].idempotency.replayed);
	pass(30 * DAY);
	sweep();
	assert_history((struct history_op){ 0 }, 10, "");
}

/* The machine may have been off for that long, or its clock may be wrong. */
static void
a_start_with_the_clock_ahead_deletes_nothing(void **state)
{
	(void)state;
	struct draft one = draft(A, "1");
	one.idempotency = (struct idempotency){ .key = STR("k"), .request = 1 };
	done(enqueue_draft(engine, one));
	done(drain(engine, A, 0));
	for (int machine_restarts = 0; machine_restarts < 2; machine_restarts++) {
		now.wall_ms += 400 * DAY;
		if (machine_restarts) {
			now.boot_id++;
			now.boot_ms = 1;
		}
		sweep(), sweep();
		assert_history((struct history_op){ 0 }, 10, "1:drained");
		now.wall_ms -= 400 * DAY;
		sweep(), sweep();
		assert_history((struct history_op){ 0 }, 10, "1:drained");
		assert_true(done(enqueue_draft(engine, one))->drafts[0].idempotency.replayed);
	}
	pass(DAY + MINUTE), sweep();
	assert_int_equal(shell("SELECT count(*) FROM idempotency"), 0);
	assert_history((struct history_op){ 0 }, 10, "1:drained");
	pass(7 * DAY), sweep();
	assert_history((struct history_op){ 0 }, 10, "");
}

static void
rows_stamped_ahead_are_deleted_in_due_time(void **state)
{
	(void)state;
	struct draft one = draft(A, "1");
	one.idempotency = (struct idempotency){ .key = STR("k"), .request = 1 };
	put(B, "before"), done(drain(engine, B, 0));
	now.wall_ms += 365 * DAY;
	done(enqueue_draft(engine, one));
	done(drain(engine, A, 0));
	open_again();
	now.wall_ms -= 365 * DAY;
	pass(DAY - MINUTE), sweep();
	assert_int_equal(shell("SELECT count(*) FROM idempotency"), 1);
	put(B, "after"), done(drain(engine, B, 0));
	pass(2 * MINUTE), sweep();
	assert_int_equal(shell("SELECT count(*) FROM idempotency"), 0);
	pass(6 * DAY - 2 * MINUTE), sweep();
	assert_history((struct history_op){ .address.session_key = STR(A) }, 10, "1:drained");
	pass(2 * MINUTE), sweep();
	assert_history((struct history_op){ 0 }, 10, "after:drained");
	pass(DAY), sweep();
	assert_history((struct history_op){ 0 }, 10, "");
	/* marks that no row needs go too */
	pass(60 * MINUTE), engine_chores(engine);
	assert_int_equal(shell("SELECT count(*) FROM clock"), 1);
}

enum { JUMPED = 120 };

/* Which of the events are in all pages of the answer, as one letter each, newest first. */
static void
read_pages(struct history_op input, char ret[JUMPED + 1])
{
	size_t count = 0;

	for (;;) {
		struct call *call = done(list_history(engine, input));

		for (size_t i = 0; i < call->history.count; i++)
			ret[count++] = call->history.items[i].event.text.s[0];
		if (call->history.next_cursor.s == NULL)
			break;
		input.cursor = call->history.next_cursor;
	}
	ret[count] = '\0';
	calls_free();
}

/* Times of history go back and forth with the wall clock; since and until mean those times. */
static void
history_is_filtered_by_time_although_the_clock_jumped(void **state)
{
	(void)state;
	int64_t ts[JUMPED];
	char texts[JUMPED][2], want[JUMPED + 1], have[JUMPED + 1];

	srandom(7);
	for (int i = 0; i < JUMPED; i++) {
		pass(random() % MINUTE);
		if (random() % 3 == 0)
			now.wall_ms += random() % (40 * MINUTE) - 20 * MINUTE;
		if (random() % 10 == 0)
			open_again();
		texts[i][0] = (char)('!' + i % 90), texts[i][1] = '\0';
		put(A, texts[i]), done(drain(engine, A, 0));
		ts[i] = done(list_history(engine, (struct history_op){ .limit = 1 }))
			    ->history.items[0]
			    .end.ts_ms;
		assert_int_equal(ts[i], look_at(i + 1)->ts_ms);
		assert_string_equal(event_state_name(look_at(i + 1)), "drained");
	}
	for (int round = 0; round < 300; round++) {
		struct history_op input = { .since_ms = ts[random() % JUMPED],
					    .until_ms = ts[random() % JUMPED],
					    .limit = 1 + (size_t)random() % 20 };
		size_t count = 0;

		if (round % 3 == 0)
			input.since_ms = 0;
		if (round % 3 == 1)
			input.until_ms = 0;
		for (int i = JUMPED - 1; i >= 0; i--)
			if (ts[i] >= input.since_ms &&
			    (input.until_ms == 0 || ts[i] <= input.until_ms))
				want[count++] = texts[i][0];
		want[count] = '\0';
		read_pages(input, have);
		assert_string_equal(have, want);
		input.address.session_key = STR(A);
		read_pages(input, have);
		assert_string_equal(have, want);
	}
}

static void
lease_ids_are_never_reused(void **state)
{
	(void)state;
	options.retention_ms = -1000;
	open_again();
	put(A, "1");
	int64_t lease = lease_events(A, 0, MINUTE);
	done(ack(engine, lease, ALL));
	put(B, "x");
	sweep();
	assert_int_equal(shell("SELECT count(*) FROM outcome"), 0);
	fails(ack(engine, lease, ALL), ERROR_NOT_FOUND);
	open_again();
	assert_true(lease_events(B, 0, MINUTE) > lease + 1);
}

static void
dead_letters_are_deleted_with_their_events(void **state)
{
	(void)state;
	make_dead_letters();
	done(requeue(engine, IDS(1), 0, false));
	pass(8 * DAY);
	put(B, "y"), done(drain(engine, B, 0)), put(B, "z");
	sweep();
	assert_int_equal(shell("SELECT count(*) FROM dead_letter"), 0);
	assert_history((struct history_op){ .dead_letters = true }, 2, "");
	assert_history((struct history_op){ 0 }, 2, "y:drained");
	assert_int_equal(done(requeue(engine, IDS(2), 0, false))->requeue.passed_over, 1);
	fails(find_event(engine, 2), ERROR_NOT_FOUND);
	assert_deliverable(A, "1");
}

static void
a_repeated_answer_marks_deleted_events(void **state)
{
	(void)state;
	struct lease_take_op keyed = { .address.session_key = STR(A), .lease_ms = MINUTE };
	keyed.op.idempotency = (struct idempotency){ .key = STR("l:k"), .request = 1 };
	options.retention_ms = -1000;
	open_again();
	put(A, "1"), put(A, "2");
	int64_t lease = done(take_lease_as(engine, keyed))->lease_take.lease_id;
	done(ack(engine, lease, IDS(1)));
	put(B, "x"), done(drain(engine, B, 0)), put(B, "y");
	sweep();
	struct call *again = done(take_lease_as(engine, keyed));
	assert_true(again->op.idempotency.replayed);
	assert_int_equal(again->lease_take.lease_id, lease);
	assert_int_equal(again->lease_take.taken.count, 2);
	assert_int_equal(again->lease_take.taken.events[0].id, 0);
	assert_str(again->lease_take.taken.events[1].text, "2");
}

/* Thousands of rows of leases lie between the dead letters of one session. */
static void
requeueing_many_dead_letters_is_fast(void **state)
{
	(void)state;
	enum { EVENTS = 1000 };
	options.attempts_max = 4;
	open_again();
	char text[16];
	int64_t *ids = mem_alloc(EVENTS * sizeof(*ids));
	for (int i = 0; i < EVENTS; i++) {
		snprintf(text, sizeof(text), "%d", i);
		ids[i] = put(A, text);
		calls_free();
	}
	for (int i = 0; i < 4 * EVENTS; i++) {
		done(nack(engine, lease_events(A, 1, MINUTE), ALL));
		calls_free();
	}
	assert_int_equal(stats().pending, 0);
	clock_t before = clock();
	for (int i = 0; i < EVENTS; i += CALL_DRAFTS_MAX) {
		size_t n = EVENTS - i < CALL_DRAFTS_MAX ? (size_t)(EVENTS - i) : CALL_DRAFTS_MAX;

		assert_int_equal(done(requeue(engine, ids + i, n, 0, false))->requeue.requeued, n);
		calls_free();
	}
	assert_true(clock() - before < 5 * CLOCKS_PER_SEC);
	assert_int_equal(stats().pending, EVENTS);
	free(ids);
}

#undef TEST
#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)

/* Pages of history are known only once they are read: those of a turn have so much text. */
static void
pages_of_long_texts_are_read_over_turns(void **state)
{
	enum { PAGES = 8, LONG = 64 };
	static char text[TEXT_BYTES_MAX];
	struct call *pages[PAGES];

	(void)state;
	memset(text, 'x', sizeof(text) - 1);
	for (int i = 0; i < LONG; i++) {
		text[0] = (char)('A' + i);
		done(enqueue(engine, A, text));
	}
	while (done(drain(engine, A, 0))->drain.taken.count > 0)
		;
	for (int i = 0; i < PAGES; i++)
		pages[i] = list_history(engine, (struct history_op){ .limit = 10 });
	for (int i = 0; i < PAGES; i++) {
		turn();
		assert_int_equal(pages[i]->answered, 1);
		assert_int_equal(pages[i]->history.count, 10);
		assert_int_equal(i + 1 < PAGES && pages[i + 1]->answered, 0);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(history_comes_newest_first_in_pages_of_any_size),
		TEST(history_can_be_filtered),
		TEST(history_has_the_attempts_of_each_event),
		TEST(a_cursor_continues_although_new_events_were_settled),
		TEST(a_page_ends_at_its_text_limit),
		TEST(a_page_of_dead_letters_ends_at_its_text_limit),
		TEST(malformed_cursors_are_refused),
		TEST(dead_letters_are_listed_until_they_are_requeued),
		TEST(the_timeline_of_a_requeued_dead_letter_has_its_new_id),
		TEST(a_requeued_exec_completion_is_still_one),
		TEST(a_requeued_dead_letter_keeps_its_fields),
		TEST(leases_survive_a_restart),
		TEST(removals_from_a_lease_survive_a_restart),
		TEST(the_last_context_of_a_deleted_event_survives_a_restart),
		TEST(attempts_and_delays_survive_a_restart),
		TEST(idempotency_keys_are_kept_for_a_day),
		TEST(many_keys_are_deleted_in_steps),
		TEST(an_old_event_is_found_in_turns_that_are_bounded),
		TEST(history_is_searched_in_turns_that_are_bounded),
		TEST(long_events_are_searched_in_turns_that_are_bounded),
		TEST(retention_keeps_live_leases_and_attempts),
		TEST(an_event_is_forgotten_whole),
		TEST(a_forgotten_event_of_a_lease_is_gone),
		TEST(what_a_pending_event_keeps_is_bounded),
		TEST(delays_end_although_the_answer_budget_is_used_up),
		TEST(a_clock_that_jumps_ahead_deletes_nothing),
		TEST(a_start_with_the_clock_ahead_deletes_nothing),
		TEST(rows_stamped_ahead_are_deleted_in_due_time),
		TEST(history_is_filtered_by_time_although_the_clock_jumped),
		TEST(lease_ids_are_never_reused),
		TEST(dead_letters_are_deleted_with_their_events),
		TEST(a_repeated_answer_marks_deleted_events),
		TEST(requeueing_many_dead_letters_is_fast),
		TEST(pages_of_long_texts_are_read_over_turns),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
