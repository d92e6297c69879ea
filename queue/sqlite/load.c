/*
 * load.c - loading: which of the stored events are still pending.
 *
 * The outcomes are read first, and become one sorted list of ranges of settled ids. Then the events
 * are read in id order and merged with that list: an event in no range is pending. That takes two
 * scans in key order, and no index or random access.
 */
#include "queue/sqlite/load.h"

#include <stdlib.h>

#include "queue/sqlite/clock_rows.h"
#include "queue/sqlite/ids.h"
#include "queue/sqlite/key_rows.h"
#include "queue/sqlite/moved_rows.h"
#include "queue/sqlite/row.h"
#include "queue/sqlite/session_rows.h"
#include "queue/sqlite/transaction.h"
#include "schema/session_key.h"

struct settled {
	struct id_range *ranges; /* ascending and disjoint after sorting */
	size_t count, cap;
};

static int
by_first(const void *a, const void *b)
{
	const struct id_range *x = a, *y = b;

	return (x->first > y->first) - (x->first < y->first);
}

static bool
add_ranges(struct settled *settled, struct str ids)
{
	const char *at = ids.s, *end = ids.s + ids.len;
	struct id_range range = { 0 };

	while (ids_next(&at, end, &range)) {
		settled->ranges =
		    mem_grow(settled->ranges, &settled->cap, settled->count + 1, sizeof(range));
		settled->ranges[settled->count++] = range;
	}
	return at != NULL;
}

/* Begins with what was removed; the rows that are there may be newer. */
static int
load_newest(struct sqlite_store *store, struct error *err)
{
	sqlite3_stmt *row = NULL;
	int failed = 0;

	if (sqlite3_prepare_v2(store->db, "SELECT event, outcome, ts, steady FROM newest", -1, &row,
			       NULL) == SQLITE_OK &&
	    sqlite3_step(row) == SQLITE_ROW)
		store->kept = (struct store_newest){ sqlite3_column_int64(row, 0),
						     sqlite3_column_int64(row, 1),
						     sqlite3_column_int64(row, 2),
						     sqlite3_column_int64(row, 3) };
	else
		failed = transaction_fail(store, err, ERROR_STORAGE_CORRUPT, "cannot read");
	if (failed == 0 && !row_is_newest(&store->kept))
		failed = error_set(err, ERROR_STORAGE_CORRUPT, "the newest ids in %s are damaged",
				   store->path);
	sqlite3_finalize(row);
	store->newest = store->kept;
	return failed;
}

static void
keep_highest(int64_t *highest, int64_t value)
{
	if (value > *highest)
		*highest = value;
}

/* The newest row of a log, or the newest row that was removed. */
struct newest_row {
	int64_t id, ts_ms;
};

/*
 * Finds the stamp of the newest row and its steady time, among the newest event, the newest
 * outcome, and the newest row that was removed. Times may go back, so the latest is not the newest.
 */
static void
find_newest_time(struct sqlite_store *store, const struct newest_row *event,
		 const struct newest_row *outcome)
{
	const struct store_newest *kept = &store->kept;
	struct newest_row rows[] = { *event,
				     *outcome,
				     { kept->outcome, kept->outcome > 0 ? kept->ts_ms : 0 } };
	int64_t newest_ms = 0;

	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		struct clock_mark mark = i == 0 ? clock_marks_of_event(&store->marks, rows[i].id)
						: clock_marks_of_outcome(&store->marks, rows[i].id);
		int64_t steady_ms = rows[i].ts_ms - mark.ahead_ms;

		if (rows[i].ts_ms == 0 || steady_ms < newest_ms)
			continue;
		newest_ms = steady_ms;
		store->newest.ts_ms = rows[i].ts_ms;
	}
	keep_highest(&store->newest.steady_ms, newest_ms);
}

static int
load_settled(struct sqlite_store *store, struct settled *settled, struct newest_row *newest,
	     struct error *err)
{
	sqlite3_stmt *row = NULL;
	int rc = sqlite3_prepare_v2(store->db,
				    "SELECT id, ts, kind, events, target FROM outcome ORDER BY id",
				    -1, &row, NULL),
	    failed = 0;

	while (rc == SQLITE_OK && failed == 0 && (rc = sqlite3_step(row)) == SQLITE_ROW) {
		rc = SQLITE_OK;
		keep_highest(&store->newest.outcome, sqlite3_column_int64(row, 0));
		*newest = (struct newest_row){ sqlite3_column_int64(row, 0), row_time(row, 1) };
		store->stats.outcomes++;
		if (sqlite3_column_int(row, 2) == OUTCOME_MOVED)
			session_rows_hold(store, sqlite3_column_int64(row, 4));
		if (!bounds_hold_id(newest->id) ||
		    (sqlite3_column_int(row, 2) <= OUTCOME_LAST_SETTLING &&
		     !add_ranges(settled, row_text(row, 3))))
			failed =
			    error_set(err, ERROR_STORAGE_CORRUPT, "outcome %lld in %s is damaged",
				      (long long)sqlite3_column_int64(row, 0), store->path);
	}
	if (failed == 0 && rc != SQLITE_DONE)
		failed = transaction_fail(store, err, ERROR_STORAGE_FAILED, "cannot read");
	sqlite3_finalize(row);
	if (settled->count > 1)
		qsort(settled->ranges, settled->count, sizeof(*settled->ranges), by_first);
	return failed;
}

#define IS_OPEN                                                                                    \
	"kind > " SQL_TEXT(KIND_LAST_SETTLING) " AND kind NOT IN"                                  \
					       " (" SQL_TEXT(KIND_REQUEUED) ", " SQL_TEXT(         \
						   KIND_DISCARDED) ")"

/* The few outcomes that leave their events pending: leases, extensions, nacks, lapses, moves. */
static const char open_outcomes[] =
    "SELECT outcome.id, ts, kind, events, lease, until, detail, attempts, session, target,"
    " source.key, to_session.key"
    " FROM outcome JOIN session AS source ON source.id = session"
    " LEFT JOIN session AS to_session ON to_session.id = target"
    " WHERE " IS_OPEN " ORDER BY outcome.id";

static int
load_open_outcomes(struct sqlite_store *store, const struct store_loading *loading,
		   struct error *err)
{
	sqlite3_stmt *row = NULL;
	int failed = 0;
	int rc = sqlite3_prepare_v2(store->db, open_outcomes, -1, &row, NULL);

	while (rc == SQLITE_OK && failed == 0 && (rc = sqlite3_step(row)) == SQLITE_ROW) {
		struct arena arena = { 0 };
		struct store_outcome outcome;
		struct store_session session = { .key = row_text(row, 10) },
				     target = { .key = row_text(row, 11) };

		rc = SQLITE_OK;
		if (row_read_outcome(row, &arena, &outcome) < 0 ||
		    (outcome.kind == OUTCOME_MOVED && !row_is_queue_key(target.key)))
			failed = error_set(err, ERROR_STORAGE_CORRUPT,
					   "an outcome in %s is damaged", store->path);
		outcome.session = &session;
		outcome.target = outcome.kind == OUTCOME_MOVED ? &target : NULL;
		if (failed == 0 && outcome.kind == OUTCOME_MOVED)
			moved_rows_note(store, outcome.ids[outcome.count - 1]);
		if (failed == 0)
			loading->outcome(loading->arg, &outcome);
		arena_clear(&arena);
	}
	if (failed == 0 && rc != SQLITE_DONE)
		failed = transaction_fail(store, err, ERROR_STORAGE_FAILED, "cannot read");
	sqlite3_finalize(row);
	return failed;
}

/* --- the events --- */

#define REPORT_MAX 64

/* The scan of the events. */
struct walk {
	struct sqlite_store *store;
	const struct settled *settled;
	const struct store_loading *loading;
	struct error *err;
	int failed;
	/* the first settled range that ends at or behind the last event */
	size_t at;
	int64_t last;                          /* the id of the last event read */
	struct store_event events[REPORT_MAX]; /* pending, not reported yet */
	size_t count;
	struct arena arena; /* their texts */
};

static int
damaged(struct walk *walk, int64_t id)
{
	return error_set(walk->err, ERROR_STORAGE_CORRUPT, "event %lld in %s is damaged",
			 (long long)id, walk->store->path);
}

/* Reports a session, and reads its key, once. NULL: there is none, or its key is damaged. */
static struct store_session *
find_session(struct walk *walk, struct session_rows *rows)
{
	sqlite3_stmt *key = walk->store->statement[STATEMENT_SESSION_KEY];

	if (rows->loading != NULL)
		return rows->loading;
	sqlite3_bind_int64(key, 1, rows->session);
	if (sqlite3_step(key) == SQLITE_ROW && row_is_queue_key(row_text(key, 0))) {
		rows->loading = walk->loading->session(walk->loading->arg, row_text(key, 0));
		rows->loading->row = rows->session;
	}
	sqlite3_reset(key);
	return rows->loading;
}

/*
 * Counts the gathered events, finds their sessions, and reports them. The sessions are seldom in
 * the processor's cache. Many events at a time let it fetch several at once; one by one, each fetch
 * would be waited for.
 */
static int
report_events(struct walk *walk)
{
	struct session_rows *rows[REPORT_MAX];
	size_t count = walk->count;
	int failed = 0;

	for (size_t i = 0; i < count; i++)
		rows[i] = session_rows_add_event(walk->store, walk->events[i].session_row);
	for (size_t i = 0; i < count && failed == 0; i++) {
		struct store_event *record = &walk->events[i];

		record->session = find_session(walk, rows[i]);
		if (record->session == NULL)
			failed = damaged(walk, record->event.id);
		else
			record->event.session_key = record->session->key;
	}
	if (failed == 0)
		failed = walk->loading->events(walk->loading->arg, walk->events, count, walk->err);
	walk->count = 0;
	arena_clear(&walk->arena);
	return failed;
}

/* The columns that the scan reads, in the order of read_event_row. */
#define WALK_COLUMNS                                                                               \
	"id, session, ts, text_hash, text_bytes, exec, available_at, expires_at, context_key, "    \
	"delivery, original_key, wake"
#define WALK_COLUMN_COUNT 12

static bool
are_numbers_sound(const struct system_event *event)
{
	return bounds_hold_time(event->ts_ms) && bounds_hold_time(event->available_at_ms) &&
	       bounds_hold_time(event->expires_at_ms) && event->text.len > 0 &&
	       event->text.len <= TEXT_BYTES_MAX;
}

/* Of a damaged event only the id is left, by which it can be purged. */
static void
read_event_row(struct walk *walk, sqlite3_value **column, struct store_event *ret)
{
	struct arena *arena = &walk->arena;
	/* a copy, because the delivery points into it */
	struct str delivery = arena_dup(arena, row_value_text(column[9]));

	*ret = (struct store_event){
		.event = { .id = sqlite3_value_int64(column[0]),
			   .ts_ms = sqlite3_value_int64(column[2]),
			   .text.len = (size_t)sqlite3_value_int64(column[4]),
			   .prompt = (enum prompt_kind)sqlite3_value_int(column[5]),
			   .wake = (enum wake)sqlite3_value_int(column[11]),
			   .available_at_ms = sqlite3_value_int64(column[6]),
			   .expires_at_ms = sqlite3_value_int64(column[7]),
			   .context_key = arena_dup(arena, row_value_text(column[8])),
			   .original_session_key = arena_dup(arena, row_value_text(column[10])) },
		.session_row = sqlite3_value_int64(column[1]),
		.text_hash = (uint64_t)sqlite3_value_int64(column[3]),
	};
	ret->damaged = !are_numbers_sound(&ret->event) || !row_is_text(ret->event.context_key) ||
		       !row_is_text(ret->event.original_session_key) ||
		       row_read_delivery(delivery, &walk->store->delivery_json, arena,
					 &ret->event.delivery) < 0;
	if (ret->damaged) {
		row_note_damage(walk->store, ret->event.id);
		ret->event = (struct system_event){ .id = ret->event.id, .text.len = 1 };
	}
}

/* Merges the next event with the settled ranges: an event in none of them is pending. */
static int
visit_event(struct walk *walk, sqlite3_value **column)
{
	const struct settled *settled = walk->settled;
	int64_t id = sqlite3_value_int64(column[0]);

	if (id <= walk->last || !bounds_hold_id(id))
		return damaged(walk, id);
	walk->last = id;
	while (walk->at < settled->count && settled->ranges[walk->at].last < id)
		walk->at++;
	if (walk->at < settled->count && settled->ranges[walk->at].first <= id) {
		session_rows_add_event(walk->store, sqlite3_value_int64(column[1]));
		return 0;
	}
	read_event_row(walk, column, &walk->events[walk->count++]);
	return walk->count == REPORT_MAX ? report_events(walk) : 0;
}

/* visit_event as an SQL function. Its result is false, so the scan goes on; an error ends it. */
static void
visit_row(sqlite3_context *context, int count, sqlite3_value **column)
{
	struct walk *walk = sqlite3_user_data(context);

	(void)count;
	walk->failed = visit_event(walk, column);
	if (walk->failed < 0)
		sqlite3_result_error_code(context, SQLITE_ABORT);
	else
		sqlite3_result_int(context, 0);
}

static int
find_newest_event(struct sqlite_store *store, struct newest_row *newest, struct error *err)
{
	sqlite3_stmt *row = NULL;
	int rc = sqlite3_prepare_v2(store->db, "SELECT id, ts FROM event ORDER BY id DESC LIMIT 1",
				    -1, &row, NULL),
	    failed = 0;

	if (rc == SQLITE_OK && (rc = sqlite3_step(row)) == SQLITE_ROW) {
		*newest = (struct newest_row){ sqlite3_column_int64(row, 0), row_time(row, 1) };
		keep_highest(&store->newest.event, newest->id);
		if (!bounds_hold_id(newest->id))
			failed =
			    error_set(err, ERROR_STORAGE_CORRUPT, "event %lld in %s is damaged",
				      (long long)newest->id, store->path);
	} else if (rc != SQLITE_DONE) {
		failed = transaction_fail(store, err, ERROR_STORAGE_FAILED, "cannot read");
	}
	sqlite3_finalize(row);
	return failed;
}

/*
 * Reads the events in id order and reports the pending ones. A function in the WHERE clause sees
 * every row, and no row is a result: so one sqlite3_step reads all events, in three quarters of the
 * time that a step for each would take.
 */
static int
walk_events(struct walk *walk)
{
	sqlite3 *db = walk->store->db;
	int rc =
	    sqlite3_create_function(db, "sevq_pass", WALK_COLUMN_COUNT,
				    SQLITE_UTF8 | SQLITE_DIRECTONLY, walk, visit_row, NULL, NULL);

	if (rc == SQLITE_OK)
		rc = sqlite3_exec(
		    db, "SELECT 1 FROM event WHERE sevq_pass(" WALK_COLUMNS ") ORDER BY id", NULL,
		    NULL, NULL);
	if (walk->failed == 0 && rc != SQLITE_OK)
		walk->failed =
		    transaction_fail(walk->store, walk->err, ERROR_STORAGE_FAILED, "cannot read");
	if (walk->failed == 0)
		walk->failed = report_events(walk);
	sqlite3_create_function(db, "sevq_pass", WALK_COLUMN_COUNT, SQLITE_UTF8, NULL, NULL, NULL,
				NULL);
	return walk->failed;
}

static int
load_pending(struct sqlite_store *store, const struct settled *settled,
	     const struct store_loading *loading, struct error *err)
{
	struct walk *walk = mem_alloc(sizeof(*walk));

	walk->store = store;
	walk->settled = settled;
	walk->loading = loading;
	walk->err = err;
	int failed = walk_events(walk);
	arena_clear(&walk->arena);
	free(walk);
	return failed;
}

static int
load_contexts(struct sqlite_store *store, const struct store_loading *loading, struct error *err)
{
	sqlite3_stmt *row = store->statement[STATEMENT_CONTEXTS];
	int rc;

	while ((rc = sqlite3_step(row)) == SQLITE_ROW)
		loading->context(loading->arg, row_text(row, 0), row_text(row, 1));
	int failed = rc != SQLITE_DONE
			 ? transaction_fail(store, err, ERROR_STORAGE_FAILED, "cannot read")
			 : 0;
	sqlite3_reset(row);
	return failed;
}

/* Those of one outcome are of one session. Of a damaged store the outcome may be missing. */
static int
load_dead_letters(struct sqlite_store *store, const struct store_loading *loading,
		  struct error *err)
{
	sqlite3_stmt *row = NULL;
	int failed = 0;
	int rc = sqlite3_prepare_v2(
	    store->db,
	    "SELECT key, n FROM (SELECT outcome, count(*) AS n FROM dead_letter"
	    "  INDEXED BY dead_letter_order WHERE requeued IS NULL GROUP BY outcome) AS dead"
	    " LEFT JOIN outcome ON outcome.id = dead.outcome"
	    " LEFT JOIN session ON session.id = outcome.session",
	    -1, &row, NULL);

	while (rc == SQLITE_OK && (rc = sqlite3_step(row)) == SQLITE_ROW) {
		struct str key = row_text(row, 0);
		size_t count = (size_t)sqlite3_column_int64(row, 1);

		store->stats.dead_letters += count;
		if (row_is_queue_key(key))
			loading->dead(loading->arg, key, count);
		rc = SQLITE_OK;
	}
	if (rc != SQLITE_DONE)
		failed = transaction_fail(store, err, ERROR_STORAGE_FAILED, "cannot read");
	sqlite3_finalize(row);
	return failed;
}

int
sqlite_load(struct store *base, const struct store_loading *loading, struct store_newest *newest,
	    struct error *err)
{
	struct sqlite_store *store = (struct sqlite_store *)base;
	struct settled settled = { 0 };
	struct newest_row event = { 0 }, outcome = { 0 };
	int failed = load_newest(store, err);

	if (failed == 0)
		failed = clock_rows_load(store, err);
	if (failed == 0)
		failed = load_settled(store, &settled, &outcome, err);
	if (failed == 0)
		failed = find_newest_event(store, &event, err);
	find_newest_time(store, &event, &outcome);
	*newest = store->newest;
	if (failed == 0)
		loading->marks(loading->arg, &store->marks);
	if (failed == 0)
		failed = load_pending(store, &settled, loading, err);
	if (failed == 0)
		failed = load_open_outcomes(store, loading, err);
	if (failed == 0)
		failed = load_contexts(store, loading, err);
	if (failed == 0)
		failed = load_dead_letters(store, loading, err);
	if (failed == 0)
		failed = key_rows_load(store, err);
	free(settled.ranges);
	store->broken = failed < 0; /* closing then leaves every byte as it is */
	return failed;
}
