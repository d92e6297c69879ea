/*
 * vfs.h - the VFS that the database is opened with.
 *
 * Here: its name. Not here: what the driver asks of the WAL (wal.h) and of the WAL-index
 * (wal_index.h).
 */
#ifndef QUEUE_SQLITE_VFS_H
#define QUEUE_SQLITE_VFS_H

/* Registers the VFS, once for the process, and returns its name. */
const char *vfs_register(void);

#endif
