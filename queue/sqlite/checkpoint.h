/*
 * checkpoint.h - from the WAL to the database, and the room that it gives back.
 *
 * Here: one checkpoint, whole or in steps, and what to do when SQLite finds no room. Not here: when
 * the WAL is checkpointed in the ordinary course (chores.c), how much room there is (disk.h).
 */
#ifndef QUEUE_SQLITE_CHECKPOINT_H
#define QUEUE_SQLITE_CHECKPOINT_H

#include "queue/sqlite/database.h"

/*
 * Copies the WAL's frames to the database. truncate: then also cuts the WAL to nothing, unless
 * somebody reads it. A failure is tried again by a later checkpoint; one of the database's sync
 * marks the store broken.
 */
void checkpoint_run(struct sqlite_store *store, bool truncate);

/*
 * The same without cutting the WAL, in steps that take a few milliseconds each, between which the
 * WAL may grow: store->checkpoints says whether there is more to do.
 */
void checkpoint_step(struct sqlite_store *store);

/*
 * Makes room after a write that found none, at the cost of the WAL first and of the reserve last.
 * False: there is none to make.
 */
bool checkpoint_make_room(struct sqlite_store *store);

#endif
