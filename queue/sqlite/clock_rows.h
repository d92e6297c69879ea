/*
 * clock_rows.h - the table clock: the marks that say how the wall clock stood
 * (queue/clock_marks.h).
 *
 * Here: reading them all, adding one, storing the time, removing what no row needs any more. The
 * connection keeps a copy of the table in memory, store->marks.
 */
#ifndef QUEUE_SQLITE_CLOCK_ROWS_H
#define QUEUE_SQLITE_CLOCK_ROWS_H

#include "queue/sqlite/database.h"

/* Reads the table into store->marks. */
int clock_rows_load(struct sqlite_store *store, struct error *err);

/*
 * Adds a row in the transaction under way, or replaces the newest if it begins with the same ids;
 * returns SQLite's code. The copy in memory follows with the second function, once it is committed.
 */
int clock_rows_add(struct sqlite_store *store, const struct clock_mark *mark);
void clock_rows_added(struct sqlite_store *store, const struct clock_mark *mark);

/* Stores the time, and removes marks that no row needs, in a transaction. False: it failed. */
bool clock_rows_keep_time(struct sqlite_store *store, const struct store_time *time);

#endif
