/*
 * moved_rows.c - walks the outcomes that moved events out of a session, which have an index.
 *
 * Many events at a time are asked for that one outcome moved, so the ids of the last one are kept.
 */
#include "queue/sqlite/moved_rows.h"

#include <stdlib.h>

#include "queue/sqlite/ids.h"
#include "queue/sqlite/row.h"

static int
by_value(const void *a, const void *b)
{
	int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

	return (x > y) - (x < y);
}

/* Whether the row names the event; -1: it cannot be read. */
static int
names(struct sqlite_store *store, sqlite3_stmt *row, int64_t event)
{
	struct moves *moves = &store->moves;
	int64_t outcome = sqlite3_column_int64(row, 0);

	if (moves->outcome != outcome) {
		arena_clear(&moves->arena);
		moves->outcome = 0;
		if (!ids_read(row_text(row, 1), OUTCOME_EVENTS_MAX, &moves->arena, &moves->ids,
			      &moves->count))
			return -1;
		moves->outcome = outcome;
	}
	return bsearch(&event, moves->ids, moves->count, sizeof(*moves->ids), by_value) != NULL;
}

/* Sets *session to where the event went from there, and *at to the outcome. SQLITE_ROW: it did. */
static int
follow(struct sqlite_store *store, int64_t event, int64_t before, int64_t *session, int64_t *at)
{
	sqlite3_stmt *row = store->statement[STATEMENT_MOVES];
	int rc, named = 0;

	sqlite3_bind_int64(row, 1, *session);
	sqlite3_bind_int64(row, 2, *at);
	sqlite3_bind_int64(row, 3, before);
	while ((rc = sqlite3_step(row)) == SQLITE_ROW && (named = names(store, row, event)) == 0)
		continue;
	if (named > 0) {
		*at = sqlite3_column_int64(row, 0);
		*session = sqlite3_column_int64(row, 2);
	}
	sqlite3_reset(row);
	return named < 0 ? SQLITE_CORRUPT : rc;
}

int
moved_rows_session(struct sqlite_store *store, int64_t event, int64_t first, int64_t before,
		   int64_t *ret)
{
	int64_t at = 0;
	int rc = event <= store->moves.newest ? SQLITE_ROW : SQLITE_DONE;

	*ret = first;
	while (rc == SQLITE_ROW)
		rc = follow(store, event, before, ret, &at);
	return rc;
}

int
moved_rows_key(struct sqlite_store *store, int64_t session, struct arena *arena, struct str *ret)
{
	sqlite3_stmt *key = store->statement[STATEMENT_SESSION_KEY];

	sqlite3_bind_int64(key, 1, session);
	int rc = sqlite3_step(key);
	if (rc == SQLITE_ROW)
		*ret = arena_dup(arena, row_text(key, 0));
	bool is_key = rc == SQLITE_ROW && row_is_queue_key(*ret);
	sqlite3_reset(key);
	if (rc == SQLITE_ROW || rc == SQLITE_DONE)
		return is_key ? SQLITE_DONE : SQLITE_CORRUPT;
	return rc;
}

int
moved_rows_name(struct sqlite_store *store, struct arena *arena, struct store_outcome *outcome)
{
	if (outcome->kind != OUTCOME_MOVED)
		return SQLITE_DONE;
	outcome->session = arena_alloc(arena, sizeof(*outcome->session));
	outcome->target = arena_alloc(arena, sizeof(*outcome->target));
	int rc = moved_rows_key(store, outcome->session_row, arena, &outcome->session->key);
	return rc == SQLITE_DONE
		   ? moved_rows_key(store, outcome->target_row, arena, &outcome->target->key)
		   : rc;
}

int
moved_rows_read_event(struct sqlite_store *store, sqlite3_stmt *row, struct arena *arena,
		      struct system_event *ret)
{
	int64_t first = sqlite3_column_int64(row, EVENT_SESSION_COLUMN), now;

	if (row_read_event(store, row, arena, ret) < 0)
		return -1;
	int rc = moved_rows_session(store, ret->id, first, INT64_MAX, &now);
	if (rc == SQLITE_DONE && now != first)
		rc = moved_rows_key(store, now, arena, &ret->session_key);
	if (rc == SQLITE_DONE)
		return 0;
	row_note_damage(store, ret->id);
	return -1;
}

void
moved_rows_note(struct sqlite_store *store, int64_t event)
{
	if (event > store->moves.newest)
		store->moves.newest = event;
}

void
moved_rows_clear(struct sqlite_store *store)
{
	arena_clear(&store->moves.arena);
}
