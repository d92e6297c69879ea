/*
 * leap.c - the row of newest, which the next ids follow, is set forward.
 *
 * Whoever holds a lease or knows an event from the time that is lost must not meet another of the
 * same id. The ids given since are known if the database that is replaced can be read; the distance
 * covers those of one that cannot. It grows by a thousand a second, so that another restore of the
 * same backup goes further.
 */
#include "queue/sqlite/leap.h"

#include <stddef.h>

#include "queue/clock.h"
#include "queue/sqlite/bounds.h"

#define LEAP_IDS INT64_C(10000000000) /* the distance when the wall clock says 0 */
#define KNOWN_MAX (BOUNDS_ID_MAX / 2) /* beyond that an id is damage, and would leave no room */

static void
keep_known(int64_t *highest, int64_t id)
{
	if (id > *highest && id <= KNOWN_MAX)
		*highest = id;
}

void
leap_look_at(const char *path, struct leap *leap)
{
	static const char *const queries[] = { "SELECT max(id), 0 FROM event",
					       "SELECT 0, max(id) FROM outcome",
					       "SELECT event, outcome FROM newest" };
	sqlite3 *db = NULL;
	int rc = sqlite3_open_v2(path, &db, SQLITE_OPEN_READONLY, "unix");

	if (rc == SQLITE_OK)
		rc = sqlite3_db_config(db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL);
	for (size_t i = 0; rc == SQLITE_OK && i < sizeof(queries) / sizeof(queries[0]); i++) {
		sqlite3_stmt *row = NULL;

		if (sqlite3_prepare_v2(db, queries[i], -1, &row, NULL) == SQLITE_OK &&
		    sqlite3_step(row) == SQLITE_ROW) {
			keep_known(&leap->event, sqlite3_column_int64(row, 0));
			keep_known(&leap->outcome, sqlite3_column_int64(row, 1));
		}
		sqlite3_finalize(row);
	}
	sqlite3_close(db);
}

/* The time in newest goes with its outcome: it is stated as the clock of the new id would. */
int
leap_apply(sqlite3 *db, const struct leap *leap)
{
	static const char update[] =
	    "UPDATE newest SET ts = CASE outcome WHEN 0 THEN 0 ELSE ts + ifnull((SELECT ahead"
	    " FROM clock ORDER BY event DESC, outcome DESC LIMIT 1), 0) - ifnull((SELECT ahead"
	    " FROM clock WHERE clock.outcome <= newest.outcome"
	    " ORDER BY event DESC, outcome DESC LIMIT 1), 0) END,"
	    " event = min(?3, ?4 + max(event, ?1, (SELECT ifnull(max(id), 0) FROM event))),"
	    " outcome = min(?3, ?4 + max(outcome, ?2, (SELECT ifnull(max(id), 0) FROM outcome)))";
	sqlite3_stmt *row = NULL;
	int rc = sqlite3_prepare_v2(db, update, -1, &row, NULL);

	if (rc == SQLITE_OK) {
		sqlite3_bind_int64(row, 1, leap->event);
		sqlite3_bind_int64(row, 2, leap->outcome);
		sqlite3_bind_int64(row, 3, BOUNDS_ID_MAX);
		sqlite3_bind_int64(row, 4, LEAP_IDS + clock_now().wall_ms);
		sqlite3_step(row);
	}
	int finalized = sqlite3_finalize(row);
	return rc != SQLITE_OK ? rc : finalized;
}
