/*
 * backup.h - a copy of the database while it is in use.
 *
 * Here: one step at a time, by the connection that writes, so that a commit between two steps goes
 * to the copy too and nothing has to begin anew. The copy has what was committed before its last
 * step, which includes all that was acknowledged before its first.
 * Not here: when (chores.c), going back to a copy (restore.h).
 */
#ifndef QUEUE_SQLITE_BACKUP_H
#define QUEUE_SQLITE_BACKUP_H

#include "queue/sqlite/database.h"

/* As store_driver.backup. */
int backup_begin(struct sqlite_store *store, const char *path, struct error *err);

/* Copies some pages of the copy under way; its state is in store->base.backup. */
void backup_step(struct sqlite_store *store);

/* Gives up a copy that is not complete, and removes it. */
void backup_stop(struct sqlite_store *store);

#endif
