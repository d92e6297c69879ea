/*
 * sqlite_load.c - opening: which of the stored events are still pending.
 *
 * The outcomes are read first and become one sorted list of settled ranges; then the events are walked in id order beside
 * it. Two scans in key order, no index, no random access.
 */
#include "queue/sqlite/sqlite_private.h"

#include <stdlib.h>

struct settled {
	struct sevq_id_range *ranges; /* ascending and disjoint once sorted */
	size_t count, cap;
};

static int
by_first(const void *a, const void *b)
{
	const struct sevq_id_range *x = a, *y = b;
	return (x->first > y->first) - (x->first < y->first);
}

static bool
add_ranges(struct settled *settled, struct sevq_str ids)
{
	const char *at = ids.s, *end = ids.s + ids.len;
	struct sevq_id_range range = { 0 };
	while (sevq_ids_next(&at, end, &range)) {
		settled->ranges = sevq_grow(settled->ranges, &settled->cap, settled->count + 1, sizeof range);
		settled->ranges[settled->count++] = range;
	}
	return at != NULL;
}

static int
load_settled(struct sqlite_store *store, struct settled *settled, struct sevq_error *err)
{
	sqlite3_stmt *row = NULL;
	int rc = sqlite3_prepare_v2(store->db, "SELECT id, ts, kind, events FROM outcome ORDER BY id", -1, &row, NULL), failed = 0;
	while (rc == SQLITE_OK && failed == 0 && (rc = sqlite3_step(row)) == SQLITE_ROW) {
		rc = SQLITE_OK;
		store->ends.outcome = sqlite3_column_int64(row, 0);
		store->ends.ts_ms = sqlite3_column_int64(row, 1);
		store->stats.outcomes++;
		if (sqlite3_column_int(row, 2) <= SEVQ_OUTCOME_LAST_SETTLING && !add_ranges(settled, sevq_sqlite_text(row, 3)))
			failed = sevq_fail(err, SEVQ_STORAGE_CORRUPT, "outcome %lld in %s is damaged",
					   (long long)store->ends.outcome, store->path);
	}
	if (failed == 0 && rc != SQLITE_DONE)
		failed = sevq_sqlite_fail(store, err, SEVQ_STORAGE_FAILED, "cannot read");
	sqlite3_finalize(row);
	if (settled->count > 1)
		qsort(settled->ranges, settled->count, sizeof *settled->ranges, by_first);
	return failed;
}

/* Leases, extensions, nacks, lapses: the few outcomes that leave events pending, in order. */
static int
load_open_outcomes(struct sqlite_store *store, sevq_load_outcome *each, void *arg, struct sevq_error *err)
{
	sqlite3_stmt *row = NULL;
	int failed = 0;
	int rc = sqlite3_prepare_v2(
	    store->db,
	    "SELECT outcome.id, ts, kind, events, lease, until, detail, key FROM outcome JOIN session ON session.id = session"
	    " WHERE kind > 9 AND kind < 15 ORDER BY outcome.id",
	    -1, &row, NULL);
	while (rc == SQLITE_OK && failed == 0 && (rc = sqlite3_step(row)) == SQLITE_ROW) {
		struct sevq_arena arena = { 0 };
		struct sevq_store_outcome outcome;
		struct sevq_store_session session = { .key = sevq_sqlite_text(row, 7) };
		rc = SQLITE_OK;
		if (sevq_sqlite_outcome(row, &arena, &outcome) < 0)
			failed = sevq_fail(err, SEVQ_STORAGE_CORRUPT, "an outcome in %s is damaged", store->path);
		outcome.session = &session;
		if (failed == 0)
			each(arg, &outcome);
		sevq_arena_clear(&arena);
	}
	if (failed == 0 && rc != SQLITE_DONE)
		failed = sevq_sqlite_fail(store, err, SEVQ_STORAGE_FAILED, "cannot read");
	sqlite3_finalize(row);
	return failed;
}

static int
give_event(struct sqlite_store *store, sqlite3_stmt *row, sevq_load_event *each, void *arg, struct sevq_error *err)
{
	struct sevq_arena arena = { 0 };
	struct sevq_event event = {
		.id = sqlite3_column_int64(row, 0),
		.ts_ms = sqlite3_column_int64(row, 2),
		.available_at_ms = sqlite3_column_int64(row, 9),
		.expires_at_ms = sqlite3_column_int64(row, 10),
		.exec_completion = sqlite3_column_int(row, 11) != 0,
		.context_key = sevq_sqlite_text(row, 5),
		.original_session_key = sevq_sqlite_text(row, 7),
		.session_key = sevq_sqlite_text(row, 8),
	};
	if (event.original_session_key.s == NULL)
		event.original_session_key = event.session_key;
	int failed = 0;
	if (event.session_key.s == NULL || sevq_sqlite_column_delivery(row, 6, &store->delivery_json, &arena, &event.delivery) < 0)
		failed = sevq_fail(err, SEVQ_STORAGE_CORRUPT, "event %lld in %s is damaged", (long long)event.id, store->path);
	else
		failed = each(arg, &event, sqlite3_column_int64(row, 1), (uint64_t)sqlite3_column_int64(row, 3),
			      (size_t)sqlite3_column_int64(row, 4), err);
	sevq_arena_clear(&arena);
	return failed;
}

static int
find_newest_event(struct sqlite_store *store, struct sevq_error *err)
{
	sqlite3_stmt *row = NULL;
	int rc = sqlite3_prepare_v2(store->db, "SELECT id, ts FROM event ORDER BY id DESC LIMIT 1", -1, &row, NULL), failed = 0;
	if (rc == SQLITE_OK && (rc = sqlite3_step(row)) == SQLITE_ROW) {
		store->ends.event = sqlite3_column_int64(row, 0);
		if (sqlite3_column_int64(row, 1) > store->ends.ts_ms)
			store->ends.ts_ms = sqlite3_column_int64(row, 1);
	} else if (rc != SQLITE_DONE) {
		failed = sevq_sqlite_fail(store, err, SEVQ_STORAGE_FAILED, "cannot read");
	}
	sqlite3_finalize(row);
	return failed;
}

/* Walks the events in id order beside the settled ranges, and gives those in none of them. */
static int
load_pending(struct sqlite_store *store, const struct settled *settled, sevq_load_event *each, void *arg, struct sevq_error *err)
{
	sqlite3_stmt *row = NULL;
	int failed = 0;
	int rc = sqlite3_prepare_v2(store->db,
				    "SELECT event.id, session, ts, text_hash, text_bytes, context_key, delivery, original_key, "
				    "key, available_at, expires_at, exec"
				    " FROM event LEFT JOIN session ON session.id = event.session ORDER BY event.id",
				    -1, &row, NULL);
	size_t at = 0;
	while (failed == 0 && rc == SQLITE_OK && (rc = sqlite3_step(row)) == SQLITE_ROW) {
		int64_t id = sqlite3_column_int64(row, 0);
		rc = SQLITE_OK;
		sevq_sqlite_count_event(store, sqlite3_column_int64(row, 1));
		while (at < settled->count && settled->ranges[at].last < id)
			at++;
		if (at == settled->count || settled->ranges[at].first > id)
			failed = give_event(store, row, each, arg, err);
	}
	if (failed == 0 && rc != SQLITE_DONE)
		failed = sevq_sqlite_fail(store, err, SEVQ_STORAGE_FAILED, "cannot read");
	sqlite3_finalize(row);
	return failed;
}

int
sevq_sqlite_load(struct sevq_store *base, sevq_load_event *event, sevq_load_outcome *outcome, void *arg,
		 struct sevq_store_ends *ends, struct sevq_error *err)
{
	struct sqlite_store *store = (struct sqlite_store *)base;
	struct settled settled = { 0 };
	int failed = load_settled(store, &settled, err);
	if (failed == 0)
		failed = find_newest_event(store, err);
	*ends = store->ends;
	if (failed == 0)
		failed = load_pending(store, &settled, event, arg, err);
	if (failed == 0)
		failed = load_open_outcomes(store, outcome, arg, err);
	free(settled.ranges);
	store->broken = failed < 0; /* closing it then leaves every byte as it is */
	return failed;
}
