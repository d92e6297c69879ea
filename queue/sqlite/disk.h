/*
 * disk.h - room on the disk: who may use it, and what is kept back.
 *
 * Here: the free-space watermark, the cap on the database's size, the reserve file. Not here: who
 * asks, and when (open.c, chores.c, store.c); making room (checkpoint.h, sweep.h).
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
 * Measures what room there is (store->room), and decides whether events are refused and whether
 * settled events have to give way. Costs a few system calls.
 */
void disk_measure(struct sqlite_store *store);

/*
 * The same, once a second: also sees to the reserve file, and forgets that SQLite found no room for
 * a reason that nobody knows.
 */
void disk_measure_again(struct sqlite_store *store);

/* What is free on the disk of the database; INT64_MAX: not known. */
uint64_t disk_free_bytes(const struct sqlite_store *store);

/*
 * How much has to stay free on the disk of the database when something else is written there, so
 * that events need not give way.
 */
uint64_t disk_kept_bytes(struct sqlite_store *store);

/* The size of the database with what is still in its WAL. */
uint64_t disk_database_bytes(struct sqlite_store *store);

/* The size of a file that SQLite has open; 0: it is not open, or not known. */
uint64_t disk_file_bytes(sqlite3_file *file);

/* Notes in store->base.makes_room what the last step of the sweep left to remove. */
void disk_note_sweep(struct sqlite_store *store);

/*
 * Holds the database below max_bytes (for a batch with events), or lets it grow for what takes
 * events out and for what retention removes.
 */
void disk_set_cap(struct sqlite_store *store, bool events);

/*
 * Whether there is room for the batch. Sets the cap for it; from here on its rows count as written.
 * False only for a batch with events; then settled events give way until there is room for one like
 * it.
 */
bool disk_admit_batch(struct sqlite_store *store, const struct store_batch *batch);

/* SQLite found no room for the batch, which has events: the same as when it is not admitted. */
void disk_refuse_batch(struct sqlite_store *store, const struct store_batch *batch);

/* Removes the reserve file, so that its room can be used. False: there was none. */
bool disk_remove_reserve(struct sqlite_store *store);

#endif
