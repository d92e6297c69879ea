/*
 * statements.c - the SQL of every prepared statement.
 *
 * Not here: the statements that run only once, while the database is opened (open.c, load.c).
 */
#include "queue/sqlite/statements.h"

#include <assert.h>
#include <stddef.h>

#include "schema/event.h"

#define ASSERT_KIND(name)                                                                          \
	static_assert(KIND_##name == (int)OUTCOME_##name, "the number of OUTCOME_" #name)

ASSERT_KIND(LAST_SETTLING);
ASSERT_KIND(LEASED);
ASSERT_KIND(REQUEUED);
ASSERT_KIND(MOVED);
ASSERT_KIND(DISCARDED);

/* The columns of an event, in the order in which row_read_event (row.c) reads them. */
#define EVENT_COLUMNS                                                                              \
	"event.id, event.ts, session.key, rule, wake, context_key, delivery, original_key, "       \
	"source, traceparent, text, available_at, expires_at, exec, text_hash, event.session"

/* The columns of an outcome, in the order in which row_read_outcome (row.c) reads them. */
#define OUTCOME_COLUMNS                                                                            \
	"outcome.id, outcome.ts, outcome.kind, events, lease, until, detail, outcome.attempts, "   \
	"outcome.session, target"

/*
 * INSERT OR FAIL: SQLite need not be able to undo one statement, because after any failure the
 * whole transaction is rolled back.
 */
static const char *const sql[STATEMENT_COUNT] = {
	[STATEMENT_BEGIN] = "BEGIN IMMEDIATE",
	[STATEMENT_BEGIN_READ] = "BEGIN",
	[STATEMENT_COMMIT] = "COMMIT",
	[STATEMENT_ROLLBACK] = "ROLLBACK",

	[STATEMENT_FIND_SESSION] = "SELECT id FROM session WHERE key = ?",
	[STATEMENT_SESSION_KEY] = "SELECT key FROM session WHERE id = ?",
	[STATEMENT_ADD_SESSION] = "INSERT INTO session(key) VALUES (?)",
	[STATEMENT_REMOVE_SESSION] = "DELETE FROM session WHERE id = ?",
	[STATEMENT_KEEP_CONTEXT] = "UPDATE session SET last_context = ?2 WHERE key = ?1",
	[STATEMENT_CONTEXTS] =
	    "SELECT key, last_context FROM session WHERE last_context IS NOT NULL",

	[STATEMENT_ADD_EVENTS] = "INSERT OR FAIL INTO event SELECT * FROM batch_event",
	[STATEMENT_READ_EVENT] =
	    "SELECT " EVENT_COLUMNS " FROM event JOIN session ON session.id = event.session"
	    " WHERE event.id = ?",
	[STATEMENT_PLACE_OF_EVENT] = "SELECT session, ts FROM event WHERE id = ?",
	[STATEMENT_REMOVE_EVENT] = "DELETE FROM event WHERE id = ? RETURNING session, text_bytes",
	[STATEMENT_ANY_EVENT] = "SELECT 1 FROM event WHERE id BETWEEN ? AND ? LIMIT 1",

	[STATEMENT_ADD_OUTCOMES] = "INSERT OR FAIL INTO outcome SELECT * FROM batch_outcome",
	[STATEMENT_OLDEST_OUTCOME] =
	    "SELECT " OUTCOME_COLUMNS " FROM outcome WHERE id > ? ORDER BY id LIMIT 1",
	[STATEMENT_REMOVE_OUTCOME] = "DELETE FROM outcome WHERE id = ? RETURNING target",
	[STATEMENT_READ_OUTCOME] = "SELECT " OUTCOME_COLUMNS " FROM outcome WHERE id = ?",
	[STATEMENT_WRITE_EVENTS_OF_OUTCOME] =
	    "UPDATE outcome SET events = ?2, attempts = ?3 WHERE id = ?1",
	[STATEMENT_OUTCOME_SINCE] = "SELECT id, ts FROM outcome WHERE id >= ? ORDER BY id LIMIT 1",
	[STATEMENT_SESSION_OUTCOMES] =
	    "SELECT " OUTCOME_COLUMNS " FROM outcome WHERE session = ? AND id >= ? ORDER BY id",
	[STATEMENT_SESSION_OF_LEASE] =
	    "SELECT session FROM outcome WHERE id = ? AND kind = " SQL_TEXT(KIND_LEASED),
	[STATEMENT_MOVES] = "SELECT id, events, target FROM outcome INDEXED BY outcome_moved"
			    " WHERE kind = " SQL_TEXT(
				KIND_MOVED) " AND session = ? AND id > ? AND id < ? ORDER BY id",
	[STATEMENT_HISTORY] = "SELECT " OUTCOME_COLUMNS " FROM outcome"
			      " WHERE id <= ?1 ORDER BY id DESC",
	[STATEMENT_SESSION_HISTORY] = "SELECT " OUTCOME_COLUMNS " FROM outcome"
				      " WHERE session = ?2 AND id <= ?1 ORDER BY id DESC",

	/* the columns of STATEMENT_HISTORY, but one row an event */
	[STATEMENT_DEAD_LETTERS] =
	    "SELECT outcome.id, outcome.ts, outcome.kind, '[' || event || ']', lease, until,"
	    " detail, '[' || dead_letter.attempts || ']', session, target"
	    " FROM dead_letter INDEXED BY dead_letter_order"
	    " CROSS JOIN outcome ON outcome.id = dead_letter.outcome"
	    " WHERE requeued IS NULL AND dead_letter.outcome <= ?1"
	    " ORDER BY dead_letter.outcome DESC, event DESC",
	[STATEMENT_ADD_DEAD_LETTER] =
	    "INSERT INTO dead_letter(event, outcome, attempts) VALUES (?, ?, ?)",
	[STATEMENT_MARK_DEAD_LETTER] = "UPDATE dead_letter SET requeued = ?2 WHERE event = ?1",
	[STATEMENT_REMOVE_DEAD_LETTER] = "DELETE FROM dead_letter WHERE event = ?"
					 " RETURNING requeued IS NULL",
	[STATEMENT_ANY_DEAD_LETTER] =
	    "SELECT 1 FROM dead_letter WHERE outcome = ? AND requeued IS NULL LIMIT 1",
	[STATEMENT_IS_DEAD_LETTER] =
	    "SELECT 1 FROM dead_letter WHERE event = ? AND requeued IS NULL",
	[STATEMENT_END_OF_DEAD_LETTER] =
	    "SELECT " OUTCOME_COLUMNS " FROM dead_letter"
	    " CROSS JOIN outcome ON outcome.id = requeued WHERE event = ?",

	[STATEMENT_ADD_KEY] =
	    "INSERT INTO idempotency(ts, key, request, answer, owner) VALUES (?, ?, ?, ?, ?)",
	[STATEMENT_FIND_KEY] = "SELECT request, answer FROM idempotency WHERE key = ?",
	/* times ascend with ids, so only the rows with the lowest ids can be old enough */
	[STATEMENT_REMOVE_KEYS] =
	    "DELETE FROM idempotency WHERE id IN"
	    " (SELECT id FROM (SELECT id, ts FROM idempotency ORDER BY id"
	    " LIMIT " SQL_TEXT(REMOVE_ROWS_MAX) ") WHERE ts < ?) RETURNING owner",
	[STATEMENT_REMOVE_KEY] = "DELETE FROM idempotency WHERE id ="
				 " (SELECT min(id) FROM idempotency) RETURNING owner",
	[STATEMENT_REMOVE_KEY_OF_OWNER] =
	    "DELETE FROM idempotency WHERE id ="
	    " (SELECT min(id) FROM idempotency WHERE owner = ?) RETURNING owner",

	[STATEMENT_KEEP_NEWEST] = "UPDATE newest SET event = ?, outcome = ?, ts = ?",
	[STATEMENT_KEEP_TIME] = "UPDATE newest SET steady = ?",
	[STATEMENT_ADD_MARK] = "INSERT OR REPLACE INTO clock VALUES (?, ?, ?, ?, ?, ?)",
	[STATEMENT_OLDEST_ROWS] =
	    "SELECT (SELECT min(id) FROM event), (SELECT min(id) FROM outcome)",
	[STATEMENT_REMOVE_MARKS] = "DELETE FROM clock WHERE (event, outcome) < (?, ?)",

	[STATEMENT_PAGE_COUNT] = "PRAGMA page_count",
	[STATEMENT_FREE_PAGES] = "PRAGMA freelist_count",
};

int
statements_prepare(sqlite3 *db, sqlite3_stmt **ret)
{
	int rc = SQLITE_OK;

	for (size_t i = 0; rc == SQLITE_OK && i < STATEMENT_COUNT; i++)
		rc = sqlite3_prepare_v3(db, sql[i], -1, SQLITE_PREPARE_PERSISTENT, &ret[i], NULL);
	return rc;
}

const char *
statements_sql(enum statement which)
{
	return sql[which];
}
