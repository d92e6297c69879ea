/*
 * rows.h - columns to structs, and structs to parameters.
 *
 * Text that is read is borrowed from the row until its statement steps or is reset, or lives in the
 * arena.
 */
#ifndef QUEUE_SQLITE_ROWS_H
#define QUEUE_SQLITE_ROWS_H

#include "queue/sqlite/database.h"

/* NULL stays NULL. */
struct str sqlite_text(sqlite3_stmt *statement, int column);
struct str sqlite_value_text(sqlite3_value *value);
void sqlite_bind_text(sqlite3_stmt *statement, int index, struct str text);

/*
 * The row under the cursor as an event or an outcome, its columns in the order of EVENT_COLUMNS or
 * OUTCOME_COLUMNS (statements.c). -1: it is damaged.
 */
int sqlite_event(struct sqlite_store *store, sqlite3_stmt *row, struct arena *arena,
		 struct system_event *ret);
int sqlite_outcome(sqlite3_stmt *row, struct arena *arena, struct store_outcome *ret);

/* The delivery column; json is scratch. -1: it is damaged. */
int sqlite_read_delivery(struct str text, struct json *json, struct arena *arena,
			 struct delivery *ret);

#endif
