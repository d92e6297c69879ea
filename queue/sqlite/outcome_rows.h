/*
 * outcome_rows.h - taking events out of outcomes that are stored, and removing these.
 */
#ifndef QUEUE_SQLITE_OUTCOME_ROWS_H
#define QUEUE_SQLITE_OUTCOME_ROWS_H

#include "queue/sqlite/database.h"

/*
 * Takes the events out of the outcome's row; a row without events is removed, and counted in
 * *removed. A row that is damaged, or not there, stays as it is. Within a transaction; returns
 * SQLite's code.
 */
int outcome_rows_drop(struct sqlite_store *store, const struct store_drop *drop, size_t *removed);

/* Removes the row; *target: the session that it moved events to, 0: none. As above. */
int outcome_rows_remove(struct sqlite_store *store, int64_t outcome, int64_t *target);

#endif
