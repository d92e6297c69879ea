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
load_settled(struct sqlite_store *store, struct settled *settled, int64_t *last_ts_ms, struct sevq_error *err)
{
	sqlite3_stmt *row = NULL;
	int rc = sqlite3_prepare_v2(store->db, "SELECT id, ts, events FROM outcome ORDER BY id", -1, &row, NULL), failed = 0;
	while (rc == SQLITE_OK && failed == 0 && (rc = sqlite3_step(row)) == SQLITE_ROW) {
		rc = SQLITE_OK;
		*last_ts_ms = sqlite3_column_int64(row, 1);
		store->stats.outcomes++;
		if (!add_ranges(settled, sevq_sqlite_text(row, 2)))
			failed = sevq_fail(err, SEVQ_STORAGE_CORRUPT, "outcome %lld in %s is damaged", sqlite3_column_int64(row, 0),
					   store->path);
	}
	if (failed == 0 && rc != SQLITE_DONE)
		failed = sevq_sqlite_fail(store, err, SEVQ_STORAGE_FAILED, "cannot read");
	sqlite3_finalize(row);
	if (settled->count > 1)
		qsort(settled->ranges, settled->count, sizeof *settled->ranges, by_first);
	return failed;
}

static int
give_event(struct sqlite_store *store, sqlite3_stmt *row, sevq_load_event *each, void *arg, struct sevq_error *err)
{
	struct sevq_arena arena = { 0 };
	struct sevq_event event = {
		.id = sqlite3_column_int64(row, 0),
		.ts_ms = sqlite3_column_int64(row, 2),
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

int
sevq_sqlite_load(struct sevq_store *base, sevq_load_event *each, void *arg, int64_t *last_id, int64_t *last_ts_ms,
		 struct sevq_error *err)
{
	struct sqlite_store *store = (struct sqlite_store *)base;
	struct settled settled = { 0 };
	sqlite3_stmt *row = NULL;
	int failed = load_settled(store, &settled, last_ts_ms, err);
	int rc = sqlite3_prepare_v2(store->db,
				    "SELECT event.id, session, ts, text_hash, text_bytes, context_key, delivery, original_key, key"
				    " FROM event LEFT JOIN session ON session.id = event.session ORDER BY event.id",
				    -1, &row, NULL);
	size_t at = 0;
	while (failed == 0 && rc == SQLITE_OK && (rc = sqlite3_step(row)) == SQLITE_ROW) {
		rc = SQLITE_OK;
		store->last_id = sqlite3_column_int64(row, 0);
		if (sqlite3_column_int64(row, 2) > *last_ts_ms)
			*last_ts_ms = sqlite3_column_int64(row, 2);
		sevq_sqlite_count_event(store, sqlite3_column_int64(row, 1));
		while (at < settled.count && settled.ranges[at].last < store->last_id)
			at++;
		if (at == settled.count || settled.ranges[at].first > store->last_id)
			failed = give_event(store, row, each, arg, err);
	}
	if (failed == 0 && rc != SQLITE_DONE)
		failed = sevq_sqlite_fail(store, err, SEVQ_STORAGE_FAILED, "cannot read");
	sqlite3_finalize(row);
	free(settled.ranges);
	*last_id = store->last_id;
	store->broken = failed < 0; /* closing it then leaves every byte as it is */
	return failed;
}
