/*
 * vfs.c - the VFS: how SQLite reaches its files, with fewer system calls.
 *
 * Around the one sync of a small commit SQLite makes a dozen system calls: six for locks, and two
 * writes for each page that goes to the WAL. One write is needed. So this VFS stands in front of
 * SQLite's own: it lets that open every file, and replaces some methods of two of them. Those of
 * the WAL gather writes and may defer the sync (wal.c); those of the database keep locks on the
 * WAL-index, and distrust an index that a start finds (wal_index.c).
 *
 * Writes to the database are not gathered. A checkpoint that stops at a reader records in the
 * WAL-index how many frames it has copied, without a sync; the pages must be in the file by then.
 */
#include "queue/sqlite/vfs.h"

#include <assert.h>
#include <stdalign.h>

#include <sqlite3.h>

#include "queue/sqlite/wal.h"
#include "queue/sqlite/wal_index.h"

/* Our part of an open file, behind that of the underlying VFS. */
union ours {
	struct wal wal;
	struct wal_index index;
};

static sqlite3_vfs *underlying;

static union ours *
behind(sqlite3_file *file)
{
	return (union ours *)((char *)file + underlying->szOsFile);
}

static int
database_write(sqlite3_file *file, const void *bytes, int len, sqlite3_int64 at)
{
	return vfs_write_result(vfs_file_of(file)->underlying->xWrite(file, bytes, len, at));
}

/* Other files, such as the rollback journal while the database is created, stay as they are. */
static int
open_file(sqlite3_vfs *vfs, const char *name, sqlite3_file *file, int flags, int *out_flags)
{
	(void)vfs;
	int rc = underlying->xOpen(underlying, name, file, flags, out_flags);
	if (rc == SQLITE_OK && (flags & SQLITE_OPEN_WAL) != 0) {
		wal_take_over(&behind(file)->wal, file, name);
		wal_index_set_wal(sqlite3_database_file_object(name), file);
	}
	if (rc == SQLITE_OK && (flags & SQLITE_OPEN_MAIN_DB) != 0) {
		wal_index_take_over(&behind(file)->index, file);
		vfs_file_of(file)->methods.xWrite = database_write;
	}
	return rc;
}

const char *
vfs_register(void)
{
	static sqlite3_vfs vfs;

	if (underlying != NULL)
		return vfs.zName;
	underlying = sqlite3_vfs_find(NULL);
	assert(underlying->szOsFile % (int)alignof(union ours) == 0);
	vfs = *underlying; /* its other methods do not look at our part of a file */
	vfs.zName = "sevq";
	vfs.szOsFile = underlying->szOsFile + (int)sizeof(union ours);
	vfs.xOpen = open_file;
	sqlite3_vfs_register(&vfs, 0);
	return vfs.zName;
}
