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
void sqlite_make_room_to_open(struct sqlite_store *store);

/*
 * Measures the free space, decides whether events are refused, and makes the reserve file again
 * where there is plenty. Called now and then.
 */
void sqlite_look_at_disk(struct sqlite_store *store);

/*
 * Holds the database below max_bytes (for a batch with events), or lets it grow for what takes
 * events out and for what is forgotten.
 */
void sqlite_cap(struct sqlite_store *store, bool events);

/*
 * Whether there is room for the batch. Sets the cap for it; from here on its rows count as written.
 * False only for a batch with events.
 */
bool sqlite_has_room(struct sqlite_store *store, const struct store_batch *batch);

/* Removes the reserve file, so that its room can be used. False: there was none. */
bool sqlite_give_up_reserve(struct sqlite_store *store);

#endif
