/*
 * vfs_file.h - an open file of the VFS: the underlying VFS's file, with some methods replaced.
 *
 * Here: what the WAL (wal.c), the database (wal_index.c) and the VFS (vfs.c) have in common. Not
 * here: which methods are replaced.
 */
#ifndef QUEUE_SQLITE_VFS_FILE_H
#define QUEUE_SQLITE_VFS_FILE_H

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>

#include <sqlite3.h>

/* Begins struct wal and struct wal_index; stands behind what the underlying VFS has of the file. */
struct vfs_file {
	sqlite3_io_methods methods; /* what SQLite calls; first, see vfs_file_of */
	const sqlite3_io_methods *underlying;
};

/* SQLite's file leads to its methods, and those are the first member of ours. */
static inline struct vfs_file *
vfs_file_of(sqlite3_file *file)
{
	return (struct vfs_file *)(uintptr_t)file->pMethods;
}

/* Puts copies of the file's methods in ours, to be replaced there, and makes SQLite call them. */
static inline void
vfs_file_take_over(struct vfs_file *ours, sqlite3_file *file)
{
	ours->methods = *file->pMethods;
	ours->underlying = file->pMethods;
	file->pMethods = &ours->methods;
}

/*
 * The result of a write, with SQLITE_FULL for every kind of full: SQLite itself knows ENOSPC only,
 * not a quota or a limit on the file's size.
 */
static inline int
vfs_write_result(int rc)
{
	return rc == SQLITE_IOERR_WRITE && (errno == EFBIG || errno == EDQUOT) ? SQLITE_FULL : rc;
}

/*
 * Tells the kernel to begin writing what it has of these bytes of a file to the disk; 0 bytes: of
 * all from there. False: it has lost some of them for good, which it may report here and never
 * again. It does no harm if a file system or a sandbox does not know the call.
 */
static inline bool
vfs_begin_writing(int fd, off_t from, off_t bytes)
{
	if (sync_file_range(fd, from, bytes, SYNC_FILE_RANGE_WRITE) == 0)
		return true;
	return errno == ENOSYS || errno == EINVAL || errno == ESPIPE || errno == EBADF ||
	       errno == EPERM;
}

#endif
