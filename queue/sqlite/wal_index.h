/*
 * wal_index.h - the WAL-index: locks that are kept, and recovery on every start.
 *
 * Here: what the VFS replaces of the database file's methods, as far as they reach the WAL-index.
 * Not here: the WAL itself (wal.h).
 */
#ifndef QUEUE_SQLITE_WAL_INDEX_H
#define QUEUE_SQLITE_WAL_INDEX_H

#include <stdbool.h>
#include <stdint.h>

#include <sqlite3.h>

#include "queue/sqlite/vfs_file.h"

/* The WAL-index of an open database file. In the header because vfs.c makes room for it. */
struct wal_index {
	struct vfs_file file;
	unsigned held;         /* locks that SQLite has, a bit each */
	unsigned kept;         /* locks that SQLite has released, but this file has not */
	int limiting;          /* the read lock whose mark limits a checkpoint; 0: none */
	sqlite3_file *wal;     /* as SQLite opened it last */
	volatile char *header; /* in shared memory; NULL: not rebuilt by recovery yet */
};

/* Replaces the methods of a database file that the underlying VFS has just opened. */
void wal_index_take_over(struct wal_index *index, sqlite3_file *file);

/* Tells the index of a database which file its WAL is. */
void wal_index_set_wal(sqlite3_file *database, sqlite3_file *wal);

/*
 * Takes the checkpoint lock and keeps it, so that no other process checkpoints until the database
 * is closed. SQLITE_BUSY: one is checkpointing now.
 */
int wal_index_keep_checkpoint_lock(sqlite3 *db);

/*
 * Lets the next checkpoint copy only the WAL's frames up to this one, until wal_index_end_limit.
 * False: there is no limit, because other processes have all read locks.
 */
bool wal_index_limit(sqlite3 *db, uint32_t frame);
void wal_index_end_limit(sqlite3 *db);

/*
 * Erases the header, so that whoever reads or checkpoints next, here or in another process,
 * rebuilds the index from what is in the WAL.
 */
void wal_index_erase(sqlite3 *db);

#endif
