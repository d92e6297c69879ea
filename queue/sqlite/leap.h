/*
 * leap.h - ids that nobody has had, for a database that may have forgotten the last ones it gave.
 *
 * Here: what the next ids of a copy are. Not here: why a copy is older than its ids (restore.h,
 * salvage.h).
 */
#ifndef QUEUE_SQLITE_LEAP_H
#define QUEUE_SQLITE_LEAP_H

#include <stdint.h>

#include <sqlite3.h>

struct leap {
	int64_t event, outcome; /* the highest that are known */
};

/*
 * Raises *leap to the ids of the database at path, as far as they can be read. Changes neither it
 * nor its WAL.
 */
void leap_look_at(const char *path, struct leap *leap);

/*
 * Has the database, which is of our version, go on far behind its own ids and those of the leap. An
 * SQLite code.
 */
int leap_apply(sqlite3 *db, const struct leap *leap);

#endif
