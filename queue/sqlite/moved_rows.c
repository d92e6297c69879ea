/*
 * moved_rows.c - walks the outcomes that moved events out of a session, which have an index.
 *
 * Many events at a time are asked for that one outcome moved, so the last one is kept and tried
 * first: only the first of them costs a walk. An id list is read only if the event is within it.
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

static bool
kept_names(const struct moves *moves, int64_t event)
{
	return bsearch(&event, moves->ids, moves->count, sizeof(*moves->ids), by_value) != NULL;
}

/* Whether the row names the event, and is kept then; -1: it cannot be read. */
static int
names(struct moves *moves, sqlite3_stmt *row, int64_t session, int64_t event)
{
	struct str text = row_text(row, 1);
	struct id_range whole;

	if (ids_ends(text, &whole) && (event < whole.first || event > whole.last))
		return 0;
	arena_clear(&moves->arena);
	moves->outcome = 0;
	if (!ids_read(text, OUTCOME_EVENTS_MAX, &moves->arena, &moves->ids, &moves->count))
		return -1;
	moves->outcome = sqlite3_column_int64(row, 0);
	moves->session = session;
	moves->target = sqlite3_column_int64(row, 2);
	return kept_names(moves, event);
}

/* Whether the event went from the session with the kept outcome, which is between the two. */
static bool
went_with_kept(const struct moves *moves, int64_t event, int64_t session, int64_t after,
	       int64_t before)
{
	return moves->outcome > after && moves->outcome < before && moves->session == session &&
	       kept_names(moves, event);
}

/* Sets *session to where the event went from there, and *at to the outcome. SQLITE_ROW: it did. */
static int
follow(struct sqlite_store *store, int64_t event, int64_t before, int64_t *session, int64_t *at)
{
	sqlite3_stmt *row = store->statement[STATEMENT_MOVES];
	struct moves *moves = &store->moves;
	int rc = SQLITE_ROW, named = went_with_kept(moves, event, *session, *at, before);

	sqlite3_bind_int64(row, 1, *session);
	sqlite3_bind_int64(row, 2, *at);
	sqlite3_bind_int64(row, 3, before);
	while (named == 0 && (rc = sqlite3_step(row)) == SQLITE_ROW)
		named = names(moves, row, *session, event);
	if (named > 0) {
		*at = moves->outcome;
		*session = moves->target;
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
moved_rows_read_event(struct sqlite_store *store, sqlite3_stmt *row, bool as_stored,
		      struct arena *arena, struct system_event *ret)
{
	int64_t first = sqlite3_column_int64(row, EVENT_SESSION_COLUMN), now;

	if (row_read_event(store, row, arena, ret) < 0)
		return -1;
	if (as_stored)
		return 0;
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
