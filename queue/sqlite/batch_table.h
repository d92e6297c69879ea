/*
 * batch_table.h - the batch of the commit under way, as tables that SQLite reads from.
 *
 * Here: creating them. Their columns are those of schema/sql, in that order. Not here: the INSERT
 * statements that read them (statements.c).
 */
#ifndef QUEUE_SQLITE_BATCH_TABLE_H
#define QUEUE_SQLITE_BATCH_TABLE_H

#include "queue/sqlite/database.h"

/*
 * Creates batch_event and batch_outcome on the store's connection. They show store->batch, and are
 * empty while it is NULL. SQLITE_OK or why not.
 */
int batch_table_create(struct sqlite_store *store);

#endif
