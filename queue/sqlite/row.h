/*
 * row.h - columns to structs, and structs to parameters.
 *
 * Text that is read is borrowed from the row until its statement steps or is reset, or lives in the
 * arena.
 */
#ifndef QUEUE_SQLITE_ROW_H
#define QUEUE_SQLITE_ROW_H

#include "queue/sqlite/bounds.h"
#include "queue/sqlite/database.h"

/* The time in a column; 0 where it is damaged. */
int64_t row_time(sqlite3_stmt *statement, int column);

/* NULL stays NULL. */
struct str row_text(sqlite3_stmt *statement, int column);
struct str row_value_text(sqlite3_value *value);
void row_bind_text(sqlite3_stmt *statement, int index, struct str text);

/*
 * The row under the cursor as an event or an outcome, its columns in the order of EVENT_COLUMNS or
 * OUTCOME_COLUMNS (statements.c). -1: it is damaged. Of an event that is noted; its text must be
 * the one that was stored, by its hash, and everything else must be what an enqueue could have
 * stored.
 */
int row_read_event(struct sqlite_store *store, sqlite3_stmt *row, struct arena *arena,
		   struct system_event *ret);
int row_read_outcome(sqlite3_stmt *row, struct arena *arena, struct store_outcome *ret);

/*
 * The same with this event alone. 1: the outcome names the event; 0: it does not, and *ret is as it
 * was; -1: it is damaged.
 */
int row_read_outcome_of(sqlite3_stmt *row, int64_t event, struct arena *arena,
			struct store_outcome *ret);

#define OUTCOME_EVENTS_MAX 10000000 /* no outcome has more; a longer list is damage */

/* Notes that the row of this event, or with 0 another row, was found damaged. */
void row_note_damage(struct sqlite_store *store, int64_t event);

/* Whether the text, which may be NULL, is valid UTF-8. */
bool row_is_text(struct str text);

/* Whether the text is the key of a queue; whether the numbers are such as the table newest has. */
bool row_is_queue_key(struct str key);
bool row_is_newest(const struct store_newest *newest);

/* The delivery column; json is scratch. -1: it is damaged. */
int row_read_delivery(struct str text, struct json *json, struct arena *arena,
		      struct delivery *ret);

#endif
