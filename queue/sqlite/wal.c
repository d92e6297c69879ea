/*
 * wal.c - the WAL file: gathered writes, and a sync that the caller may defer.
 *
 * Gathered writes. SQLite writes each frame of the WAL in two calls, its header and its page.
 * Writes that follow each other gather in memory and go to the file as one, when SQLite syncs the
 * WAL or reads from it. That breaks no promise: what is written between two syncs may reach the
 * disk in any order, or not at all, so SQLite relies on none of it before the sync; and with
 * synchronous=FULL readers learn of a commit only after SQLite has asked for its sync, by which
 * everything gathered is written. The failure of a write may be reported as late as at the sync;
 * COMMIT treats the two alike.
 *
 * No sync without need. A WAL that was not written since its last sync is not synced again: a
 * checkpoint begins by syncing the WAL, and the commits before it have done that already.
 *
 * Deferred sync. A sync is mostly waiting, and a caller that has other work to do meanwhile may
 * defer it. When SQLite asks for the sync, the gathered writes go to the file, and the kernel is
 * told to begin writing to the disk if there is enough; the sync itself happens when the caller
 * asks for it. One sync is never deferred: that of the header with which the WAL starts over.
 * Without it a crash could leave the old header, with old frames that new ones have not yet
 * overwritten, and recovery would replay those over a database that is newer.
 */
#include "queue/sqlite/wal.h"

#include <assert.h>
#include <fcntl.h>
#include <stdlib.h>

#include <unistd.h>

/* of the largest page: SQLite asks no VFS to write more at once */
#define GATHERED_BYTES_MAX (64 << 10)
#define BEGUN_BYTES_MIN (16 << 10) /* less is not worth the system call */
#define HEADER_BYTES 32

static struct wal *
of(sqlite3_file *file)
{
	return (struct wal *)vfs_file_of(file);
}

/* A failure loses what was gathered: SQLite is told, and rolls back its transaction. */
static int
write_gathered(sqlite3_file *file)
{
	struct wal *wal = of(file);
	int len = (int)wal->gathered.len, rc = SQLITE_OK;

	wal->gathered.len = 0;
	if (len > 0)
		rc = vfs_write_result(
		    wal->file.underlying->xWrite(file, wal->gathered.data, len, wal->gathered_at));
	if (rc == SQLITE_OK && wal->defers_sync && wal->unsynced_bytes >= BEGUN_BYTES_MIN)
		wal->lost |= !vfs_begin_writing(wal->fd, wal->gathered_at, len);
	return rc;
}

/* --- the methods that SQLite calls --- */

static int
file_write(sqlite3_file *file, const void *bytes, int len, sqlite3_int64 at)
{
	struct wal *wal = of(file);
	size_t gathered = wal->gathered.len;
	int rc = SQLITE_OK;

	wal->unsynced_bytes += (size_t)len;
	if (gathered > 0 && (at != wal->gathered_at + (sqlite3_int64)gathered ||
			     gathered + (size_t)len > GATHERED_BYTES_MAX))
		rc = write_gathered(file);
	if (rc != SQLITE_OK)
		return rc;
	if (wal->gathered.len == 0)
		wal->gathered_at = at;
	buf_add(&wal->gathered, bytes, (size_t)len);
	return SQLITE_OK;
}

static int
file_read(sqlite3_file *file, void *into, int len, sqlite3_int64 at)
{
	int rc = write_gathered(file);

	return rc == SQLITE_OK ? of(file)->file.underlying->xRead(file, into, len, at) : rc;
}

static int
file_truncate(sqlite3_file *file, sqlite3_int64 size)
{
	int rc = write_gathered(file);

	of(file)->unsynced_bytes++; /* the size itself */
	return rc == SQLITE_OK ? of(file)->file.underlying->xTruncate(file, size) : rc;
}

static int
file_size(sqlite3_file *file, sqlite3_int64 *size)
{
	int rc = write_gathered(file);

	return rc == SQLITE_OK ? of(file)->file.underlying->xFileSize(file, size) : rc;
}

static int
file_sync(sqlite3_file *file, int flags)
{
	struct wal *wal = of(file);
	bool starts_over = wal->gathered_at == 0 && wal->gathered.len == HEADER_BYTES;
	int rc = write_gathered(file);

	if (rc != SQLITE_OK || wal->unsynced_bytes == 0)
		return rc;
	if (wal->lost)
		return SQLITE_IOERR_FSYNC;
	if (wal->defers_sync && !starts_over) {
		wal->sync_flags = flags;
		return SQLITE_OK;
	}
	rc = wal->file.underlying->xSync(file, flags);
	if (rc == SQLITE_OK)
		wal->unsynced_bytes = 0;
	return rc;
}

/*
 * What is still gathered belongs to no commit, and is dropped: the locks are gone, and somebody
 * else may be writing there.
 */
static int
file_close(sqlite3_file *file)
{
	struct wal *wal = of(file);

	buf_clear(&wal->gathered);
	if (wal->fd >= 0)
		close(wal->fd);
	return wal->file.underlying->xClose(file);
}

/* --- what the driver asks --- */

sqlite3_file *
wal_of(sqlite3 *db)
{
	sqlite3_file *file = NULL;

	sqlite3_file_control(db, "main", SQLITE_FCNTL_JOURNAL_POINTER, &file);
	assert(file->pMethods->xSync == file_sync);
	return file;
}

void
wal_defer_sync(sqlite3_file *file, bool on)
{
	of(file)->defers_sync = on;
}

int
wal_sync(sqlite3_file *file)
{
	return file_sync(file, of(file)->sync_flags);
}

/* A process that reads the WAL meanwhile reads the same bytes. */
int
wal_rewrite(sqlite3_file *file)
{
	const sqlite3_io_methods *underlying = of(file)->file.underlying;
	char *bytes = mem_alloc(GATHERED_BYTES_MAX);
	sqlite3_int64 size;
	int rc = underlying->xFileSize(file, &size);

	for (sqlite3_int64 at = 0; rc == SQLITE_OK && at < size; at += GATHERED_BYTES_MAX) {
		int len = size - at < GATHERED_BYTES_MAX ? (int)(size - at) : GATHERED_BYTES_MAX;

		rc = underlying->xRead(file, bytes, len, at);
		if (rc == SQLITE_OK)
			rc = underlying->xWrite(file, bytes, len, at);
	}
	if (rc == SQLITE_OK && size > 0)
		rc = underlying->xSync(file, SQLITE_SYNC_NORMAL);
	if (rc == SQLITE_OK)
		of(file)->unsynced_bytes = 0;
	free(bytes);
	return rc;
}

/*
 * Asks for the file's number only. A caller that asks for its times as well makes the kernel write
 * their next change with the next sync, which then takes a quarter longer.
 */
static int
find_inode(const char *name, struct statx *ret)
{
	return statx(AT_FDCWD, name, AT_STATX_SYNC_AS_STAT, STATX_INO, ret);
}

bool
wal_is_in_place(sqlite3_file *file)
{
	const struct statx *then = &of(file)->at_open;
	struct statx now;

	if (find_inode(of(file)->name, &now) != 0)
		return errno != ENOENT;
	return now.stx_ino == then->stx_ino && now.stx_dev_major == then->stx_dev_major &&
	       now.stx_dev_minor == then->stx_dev_minor;
}

void
wal_take_over(struct wal *wal, sqlite3_file *file, const char *name)
{
	sqlite3_io_methods *methods = &wal->file.methods;

	*wal = (struct wal){ .fd = open(name, O_RDONLY | O_CLOEXEC), .name = name };
	vfs_file_take_over(&wal->file, file);
	find_inode(name, &wal->at_open);
	wal->unsynced_bytes = 1; /* nobody knows whether what was written before was synced */
	methods->xClose = file_close;
	methods->xRead = file_read;
	methods->xWrite = file_write;
	methods->xTruncate = file_truncate;
	methods->xSync = file_sync;
	methods->xFileSize = file_size;
}
