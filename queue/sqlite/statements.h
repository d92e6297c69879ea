/*
 * statements.h - the prepared statements of a connection, by name.
 *
 * Here: which statements there are, and how they are prepared. Not here: binding, running.
 */
#ifndef QUEUE_SQLITE_STATEMENTS_H
#define QUEUE_SQLITE_STATEMENTS_H

#include <sqlite3.h>

/* The most rows that one step of retention removes: idempotency keys or events. */
#define REMOVE_ROWS_MAX 500

/* A number, or another macro, as SQL text. */
#define SQL_TEXT_OF(value) #value
#define SQL_TEXT(value) SQL_TEXT_OF(value)

/*
 * Kinds of outcomes, as numbers that SQL_TEXT can write; statements.c asserts that they equal those
 * of enum outcome_kind (schema/event.h).
 */
#define KIND_LAST_SETTLING 9
#define KIND_LEASED 10
#define KIND_REQUEUED 15
#define KIND_DISCARDED 17
#define KIND_MOVED 16

/* Where the columns of an event have the id of its session. */
#define EVENT_TEXT_COLUMN 10
#define EVENT_SESSION_COLUMN 15

enum statement {
	STATEMENT_BEGIN,
	STATEMENT_BEGIN_READ,
	STATEMENT_COMMIT,
	STATEMENT_ROLLBACK,
	STATEMENT_FIND_SESSION,
	STATEMENT_SESSION_KEY,
	STATEMENT_ADD_SESSION,
	STATEMENT_REMOVE_SESSION,
	STATEMENT_KEEP_CONTEXT,
	STATEMENT_CONTEXTS,
	STATEMENT_ADD_EVENTS,
	STATEMENT_READ_EVENT,
	STATEMENT_PLACE_OF_EVENT,
	STATEMENT_REMOVE_EVENT,
	STATEMENT_ADD_OUTCOMES,
	STATEMENT_ANY_EVENT,
	STATEMENT_OLDEST_OUTCOME,
	STATEMENT_REMOVE_OUTCOME,
	STATEMENT_READ_OUTCOME,
	STATEMENT_WRITE_EVENTS_OF_OUTCOME,
	STATEMENT_OUTCOME_SINCE,
	STATEMENT_SESSION_OUTCOMES,
	STATEMENT_SESSION_OF_LEASE,
	STATEMENT_MOVES,
	STATEMENT_HISTORY,
	STATEMENT_SESSION_HISTORY,
	STATEMENT_DEAD_LETTERS,
	STATEMENT_ADD_DEAD_LETTER,
	STATEMENT_MARK_DEAD_LETTER,
	STATEMENT_REMOVE_DEAD_LETTER,
	STATEMENT_ANY_DEAD_LETTER,
	STATEMENT_IS_DEAD_LETTER,
	STATEMENT_END_OF_DEAD_LETTER,
	STATEMENT_ADD_KEY,
	STATEMENT_FIND_KEY,
	STATEMENT_REMOVE_KEYS,
	STATEMENT_REMOVE_KEY,
	STATEMENT_REMOVE_KEY_OF_OWNER,
	STATEMENT_KEEP_NEWEST,
	STATEMENT_KEEP_TIME,
	STATEMENT_ADD_MARK,
	STATEMENT_OLDEST_ROWS,
	STATEMENT_REMOVE_MARKS,
	STATEMENT_PAGE_COUNT,
	STATEMENT_FREE_PAGES,
	STATEMENT_COUNT
};

/*
 * Prepares all of them into ret[STATEMENT_COUNT]; the batch tables (batch_table.h) must exist. The
 * caller finalizes them. After a failure, which it returns as SQLite's code, the rest is NULL.
 */
int statements_prepare(sqlite3 *db, sqlite3_stmt **ret);

/* The text of one of them. */
const char *statements_sql(enum statement which);

#endif
