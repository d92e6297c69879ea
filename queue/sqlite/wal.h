/*
 * wal.h - the WAL file: gathered writes, and a sync that the caller may defer.
 *
 * Here: what the VFS replaces of the WAL's methods, and what the driver asks of the WAL. Not here:
 * the WAL-index and its locks (wal_index.h), checkpoints (chores.c).
 */
#ifndef QUEUE_SQLITE_WAL_H
#define QUEUE_SQLITE_WAL_H

#include <stdbool.h>
#include <sys/stat.h>

#include <sqlite3.h>

#include "queue/sqlite/vfs_file.h"
#include "schema/mem.h"

/* An open WAL. In the header because vfs.c makes room for it. */
struct wal {
	struct vfs_file file;
	struct buf gathered;       /* written by SQLite, but not to the file yet */
	sqlite3_int64 gathered_at; /* where in the file it belongs */
	size_t unsynced_bytes;     /* written since the last sync, gathered ones included */
	bool lost;                 /* the kernel failed to write some of them, for good */
	bool defers_sync;          /* SQLite's syncs wait for wal_sync */
	int sync_flags;            /* of the last sync that was deferred */
	/* for what SQLite does not do; the WAL has no locks that closing it could lose */
	int fd;
	const char *name;     /* SQLite's, for as long as the file is open */
	struct statx at_open; /* which file had that name when it was opened */
};

/* Replaces the methods of a WAL that the underlying VFS has just opened. */
void wal_take_over(struct wal *wal, sqlite3_file *file, const char *name);

/* The WAL of a database in WAL mode that was opened with our VFS. */
sqlite3_file *wal_of(sqlite3 *db);

/*
 * While it is on, a commit only begins to write the WAL to the disk, and leaves its sync to the
 * next wal_sync.
 */
void wal_defer_sync(sqlite3_file *file, bool on);

/* Syncs, if anything was written since the last sync. SQLITE_OK or why not. */
int wal_sync(sqlite3_file *file);

/* Whether the WAL still has its name, by which the next start looks for it. */
bool wal_is_in_place(sqlite3_file *file);

/*
 * Writes the WAL once more as it is, and syncs it, so that what can be read from it is on the disk.
 * Nobody else may write to it meanwhile. SQLITE_OK or why not.
 */
int wal_rewrite(sqlite3_file *file);

#endif
