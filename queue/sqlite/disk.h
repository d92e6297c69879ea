/*
 * disk.h - room on the disk: who may use it, and what is kept back.
 *
 * Here: the free-space watermark, the cap on the database's size, the reserve file. Not here: who
 * asks, and when (open.c, chores.c, store.c).
 */
#ifndef QUEUE_SQLITE_DISK_H
#define QUEUE_SQLITE_DISK_H

#include "queue/sqlite/database.h"

/*
 * Removes the reserve file when the disk has too little room left to open the database. Call with
 * the lock taken.
 */
void disk_prepare_open(struct sqlite_store *store);

/*
 * Measures the free space, decides whether events are refused, and makes the reserve file again
 * where there is plenty. Called now and then.
 */
void disk_measure(struct sqlite_store *store);

/*
 * Holds the database below max_bytes (for a batch with events), or lets it grow for what takes
 * events out and for what retention removes.
 */
void disk_set_cap(struct sqlite_store *store, bool events);

/*
 * Whether there is room for the batch. Sets the cap for it; from here on its rows count as written.
 * False only for a batch with events.
 */
bool disk_admit_batch(struct sqlite_store *store, const struct store_batch *batch);

/* Removes the reserve file, so that its room can be used. False: there was none. */
bool disk_remove_reserve(struct sqlite_store *store);

#endif
