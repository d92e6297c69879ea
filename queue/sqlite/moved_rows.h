/*
 * moved_rows.h - which session an event belongs to after it was moved.
 *
 * An event's row names the session that it was stored in, and outcomes of kind moved say where it
 * went from there. Here: following them. Not here: which pending events were moved, which the
 * catalog knows.
 */
#ifndef QUEUE_SQLITE_MOVED_ROWS_H
#define QUEUE_SQLITE_MOVED_ROWS_H

#include "queue/sqlite/database.h"

/*
 * Sets *ret to the session that the event belonged to before this outcome, by its first session.
 * SQLITE_DONE, or why it cannot be told.
 */
int moved_rows_session(struct sqlite_store *store, int64_t event, int64_t first, int64_t before,
		       int64_t *ret);

/* Reads the key of a session into the arena. SQLITE_DONE; SQLITE_CORRUPT: there is no such key. */
int moved_rows_key(struct sqlite_store *store, int64_t session, struct arena *arena,
		   struct str *ret);

/* Sets session and target of an outcome of kind moved, in the arena; of others does nothing. */
int moved_rows_name(struct sqlite_store *store, struct arena *arena, struct store_outcome *outcome);

/* As row_read_event, with the key of the session that the event belongs to now, or was stored in.
 */
int moved_rows_read_event(struct sqlite_store *store, sqlite3_stmt *row, bool as_stored,
			  struct arena *arena, struct system_event *ret);

/* Notes an outcome of kind moved that was stored, by the highest id that it names. */
void moved_rows_note(struct sqlite_store *store, int64_t event);

void moved_rows_clear(struct sqlite_store *store);

#endif
