/*
 * vfs.c - how SQLite reaches its files: as it does by itself, with less asked of the kernel.
 *
 * Around the one sync of a small commit SQLite makes a dozen system calls: six for locks, and two
 * writes for each page that goes to the log. One is needed. So our VFS stands in front of the one
 * there is, opens what that opens, and puts methods of its own in the place of some.
 *
 * Writes to the log that follow each other gather in memory, and go out as one when SQLite syncs,
 * or wants to read the log. What was written between two syncs may reach the disk in any order, or
 * not at all, so nothing is promised about it before; and readers hear of a commit only when SQLite
 * has asked for its sync (synchronous=FULL), with which everything has gone out. That a write has
 * failed may be heard at the sync; a COMMIT makes no difference between the two. Writes to the
 * database do not gather: a checkpoint that stops at a reader tells of them without a sync.
 *
 * Locks on the log's index that SQLite gives back are kept until it asks for others. Those to write
 * and to checkpoint are of use to nobody else: one process has the database, and SQLite before
 * 3.51.3 may lose a log to two that checkpoint. A slot for readers is shared with whoever reads.
 * For each transaction SQLite would also like to move its slot's mark to the newest frame, with an
 * exclusive lock; it is told that the slots are taken, as if by readers, and stays with the mark
 * that is there. A mark says how far a checkpoint may go, and checkpoints do move it.
 *
 * A log that was not written since its last sync is not synced again: checkpoints begin with that,
 * and commits have done it.
 *
 * A sync is mostly waiting, and whoever has something to do meanwhile may have it put off. The
 * kernel is then told to begin writing as soon as there is enough, and the sync itself is asked for
 * later, by the same caller. What is not put off is the sync of the header with which a log starts
 * over: the old header, and the old frames that new ones behind them have not yet overwritten,
 * would be played back over a database that is newer.
 *
 * The log's index is memory that processes share, and lives as long as one of them has the database
 * open: with an idle shell beside it, longer than a server. It says how many frames the log has,
 * and how many of them are in the database. After a sync that failed neither may be so, because the
 * kernel forgets what it could not write; SQLite would believe it, and write behind frames that are
 * not there. So no server believes an index that it finds. When SQLite first asks for it, we take
 * the lock to write, which from then on nobody else gets, and erase the index's header. SQLite then
 * makes it anew from the log (recovery), and takes what has the right checksums, from the first
 * frame on.
 *
 * Before that, the log is written once more as it is, and synced: what can be read there may not be
 * on the disk, and a sync that failed once succeeds the next time. That makes durable what recovery
 * looks at, and nothing else: written later, a frame could be forgotten between being taken and
 * being written. What recovery does not take stays as unacceptable as it was: the checksum of a
 * frame covers all frames before it.
 *
 * A server that cannot trust its disk any more erases the header before it ends. An idle shell that
 * goes last checkpoints, and would copy into the database what the index calls frames. Whoever is
 * reading meanwhile has the header as it was and a slot with its mark, which recovery leaves alone:
 * it goes on to see what it saw, as far as the log still has it.
 */
#include "queue/sqlite/vfs.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdalign.h>
#include <stdlib.h>
#include <sys/stat.h>

#include <unistd.h>

#include "schema/mem.h"

/* of the largest page: no VFS is asked to write more at once */
#define GATHERED_BYTES_MAX (64 << 10)
#define BEGUN_BYTES_MIN (16 << 10) /* less is not worth the system call */
#define LOG_HEADER_BYTES 32
#define INDEX_HEADER_BYTES 96 /* two copies, which SQLite believes when they agree */

/*
 * Locks on the log's index, by their numbers in its format ("WAL-mode File Format", section 2.3).
 */
enum { WRITER = 0, CHECKPOINTER = 1, READERS = 3 };

/* Of an open file. It stands behind what the other VFS has of it. */
struct ours {
	sqlite3_io_methods methods;
	const sqlite3_io_methods *theirs;
	/* Of the log: */
	struct buf gathered; /* written by SQLite, and not to the file yet */
	sqlite3_int64 at;    /* where it belongs */
	size_t unsynced;     /* bytes written since the last sync, gathered ones too */
	bool lost;           /* some of them, for good */
	bool put_off;        /* syncs, to the caller's own */
	int sync_flags;      /* of the last that was */
	/* for what SQLite does not do; the log has no locks that closing it could lose */
	int fd;
	const char *name;   /* SQLite's, for as long as the file is open */
	struct statx place; /* what stood under that name */
	/* Of the database: */
	unsigned kept, held;  /* locks, a bit each: given back by SQLite but not by us; had by it */
	sqlite3_file *log;    /* as SQLite opened it last */
	volatile char *index; /* its first region; NULL: not made anew yet */
};

static sqlite3_vfs *theirs;

static struct ours *
of(sqlite3_file *file)
{
	return (struct ours *)((char *)file + theirs->szOsFile);
}

/*
 * A write that failed because the disk is full, whatever it is that is full. SQLite knows of ENOSPC
 * only.
 */
static int
why_not_written(int rc)
{
	return rc == SQLITE_IOERR_WRITE && (errno == EFBIG || errno == EDQUOT) ? SQLITE_FULL : rc;
}

/* --- the log --- */

/*
 * What cannot be written is forgotten by the kernel, which may tell of it here and never again:
 * then no sync succeeds any more. That a file system, or a sandbox, knows no such call is no harm.
 */
static void
begin_writing(struct ours *ours, int len)
{
	if (sync_file_range(ours->fd, ours->at, len, SYNC_FILE_RANGE_WRITE) == 0)
		return;
	ours->lost |= errno != ENOSYS && errno != EINVAL && errno != ESPIPE && errno != EBADF &&
		      errno != EPERM;
}

/* A failure loses what was gathered: SQLite is told, and takes back its transaction. */
static int
put_out(sqlite3_file *file)
{
	struct ours *ours = of(file);
	int len = (int)ours->gathered.len;

	ours->gathered.len = 0;
	int rc =
	    len == 0
		? SQLITE_OK
		: why_not_written(ours->theirs->xWrite(file, ours->gathered.data, len, ours->at));
	if (rc == SQLITE_OK && ours->put_off && ours->unsynced >= BEGUN_BYTES_MIN)
		begin_writing(ours, len);
	return rc;
}

static int
wal_file_write(sqlite3_file *file, const void *bytes, int len, sqlite3_int64 at)
{
	struct ours *ours = of(file);
	size_t gathered = ours->gathered.len;
	int rc = SQLITE_OK;

	ours->unsynced += (size_t)len;
	if (gathered > 0 && (at != ours->at + (sqlite3_int64)gathered ||
			     gathered + (size_t)len > GATHERED_BYTES_MAX))
		rc = put_out(file);
	if (rc != SQLITE_OK)
		return rc;
	if (ours->gathered.len == 0)
		ours->at = at;
	buf_add(&ours->gathered, bytes, (size_t)len);
	return SQLITE_OK;
}

static int
log_read(sqlite3_file *file, void *into, int len, sqlite3_int64 at)
{
	int rc = put_out(file);

	return rc == SQLITE_OK ? of(file)->theirs->xRead(file, into, len, at) : rc;
}

static int
log_truncate(sqlite3_file *file, sqlite3_int64 size)
{
	int rc = put_out(file);

	of(file)->unsynced++; /* the size itself */
	return rc == SQLITE_OK ? of(file)->theirs->xTruncate(file, size) : rc;
}

static int
log_size(sqlite3_file *file, sqlite3_int64 *size)
{
	int rc = put_out(file);

	return rc == SQLITE_OK ? of(file)->theirs->xFileSize(file, size) : rc;
}

static int
log_sync(sqlite3_file *file, int flags)
{
	struct ours *ours = of(file);
	bool starts_over = ours->at == 0 && ours->gathered.len == LOG_HEADER_BYTES;
	int rc = put_out(file);

	if (rc != SQLITE_OK || ours->unsynced == 0)
		return rc;
	if (ours->lost)
		return SQLITE_IOERR_FSYNC;
	if (ours->put_off && !starts_over) {
		ours->sync_flags = flags;
		return SQLITE_OK;
	}
	rc = ours->theirs->xSync(file, flags);
	if (rc == SQLITE_OK)
		ours->unsynced = 0;
	return rc;
}

/* Whoever reads it meanwhile reads the same. Nobody may write to it. */
static int
write_again(sqlite3_file *log)
{
	const sqlite3_io_methods *methods = of(log)->theirs;
	char *bytes = mem_alloc(GATHERED_BYTES_MAX);
	sqlite3_int64 size;
	int rc = methods->xFileSize(log, &size);

	for (sqlite3_int64 at = 0; rc == SQLITE_OK && at < size; at += GATHERED_BYTES_MAX) {
		int len = size - at < GATHERED_BYTES_MAX ? (int)(size - at) : GATHERED_BYTES_MAX;

		rc = methods->xRead(log, bytes, len, at);
		if (rc == SQLITE_OK)
			rc = methods->xWrite(log, bytes, len, at);
	}
	if (rc == SQLITE_OK && size > 0)
		rc = methods->xSync(log, SQLITE_SYNC_NORMAL);
	if (rc == SQLITE_OK)
		of(log)->unsynced = 0;
	free(bytes);
	return rc;
}

/*
 * What is gathered still is of no commit, and who may write there now is somebody else: the locks
 * have gone.
 */
static int
log_close(sqlite3_file *file)
{
	struct ours *ours = of(file);

	buf_clear(&ours->gathered);
	if (ours->fd >= 0)
		close(ours->fd);
	return ours->theirs->xClose(file);
}

sqlite3_file *
sqlite_log(sqlite3 *db)
{
	sqlite3_file *log = NULL;

	sqlite3_file_control(db, "main", SQLITE_FCNTL_JOURNAL_POINTER, &log);
	assert(log->pMethods->xSync == log_sync);
	return log;
}

void
sqlite_defer_sync(sqlite3_file *log, bool put_off)
{
	of(log)->put_off = put_off;
}

int
sqlite_sync(sqlite3_file *log)
{
	return log_sync(log, of(log)->sync_flags);
}

/*
 * The number of a file alone: whoever asks for its times as well makes the kernel write the next
 * change of them with the next sync, which then takes a quarter longer.
 */
static int
look_up(const char *name, struct statx *ret)
{
	return statx(AT_FDCWD, name, AT_STATX_SYNC_AS_STAT, STATX_INO, ret);
}

bool
sqlite_log_is_there(sqlite3_file *log)
{
	const struct statx *then = &of(log)->place;
	struct statx now;

	if (look_up(of(log)->name, &now) != 0)
		return errno != ENOENT;
	return now.stx_ino == then->stx_ino && now.stx_dev_major == then->stx_dev_major &&
	       now.stx_dev_minor == then->stx_dev_minor;
}

/* --- locks --- */

static int
give_back(sqlite3_file *file, unsigned locks)
{
	struct ours *ours = of(file);
	int rc = SQLITE_OK;

	for (int lock = 0; lock < SQLITE_SHM_NLOCK && rc == SQLITE_OK; lock++) {
		if ((ours->kept & locks & 1u << lock) == 0)
			continue;
		ours->kept &= ~(1u << lock);
		rc = ours->theirs->xShmLock(
		    file, lock, 1,
		    SQLITE_SHM_UNLOCK |
			(lock < READERS ? SQLITE_SHM_EXCLUSIVE : SQLITE_SHM_SHARED));
	}
	return rc;
}

/* To write, to checkpoint, to read. */
static bool
is_kept_after(int first, int n, int flags)
{
	return (n == 1 && first <= CHECKPOINTER) || (flags & SQLITE_SHM_SHARED) != 0;
}

static int
unlock(sqlite3_file *file, int first, int n, int flags, unsigned locks)
{
	struct ours *ours = of(file);

	ours->held &= ~locks;
	if (!is_kept_after(first, n, flags))
		return ours->theirs->xShmLock(file, first, n, flags);
	ours->kept |= locks;
	return SQLITE_OK;
}

/* To move its mark; a checkpoint may. While we have a slot there is a mark that will do. */
static bool
wants_mark(const struct ours *ours, int first, int n, int flags)
{
	return (flags & SQLITE_SHM_EXCLUSIVE) != 0 && first > READERS && n == 1 &&
	       (ours->held & 1u << CHECKPOINTER) == 0 && ours->kept >> (READERS + 1) != 0;
}

static int
lock(sqlite3_file *file, int first, int n, int flags, unsigned locks)
{
	struct ours *ours = of(file);
	bool is_kept = (ours->kept & locks) == locks && is_kept_after(first, n, flags);
	int rc = SQLITE_OK;

	if (wants_mark(ours, first, n, flags))
		return SQLITE_BUSY;
	if (is_kept)
		ours->kept &= ~locks;
	else if ((rc = give_back(file, locks)) == SQLITE_OK)
		rc = ours->theirs->xShmLock(file, first, n, flags);
	if (rc == SQLITE_OK)
		ours->held |= locks;
	return rc;
}

static int
db_lock(sqlite3_file *file, int first, int n, int flags)
{
	unsigned locks = ((1u << n) - 1) << first;

	return ((flags & SQLITE_SHM_UNLOCK) != 0 ? unlock : lock)(file, first, n, flags, locks);
}

/* --- the log's index --- */

/* While the lock to write is ours. */
static void
erase_header(sqlite3_file *file, volatile char *index)
{
	for (int i = 0; i < INDEX_HEADER_BYTES; i++)
		index[i] = 0;
	of(file)->theirs->xShmBarrier(file);
}

/* SQLite has the lock already where it has found no index. */
static int
prepare_recovery(sqlite3_file *file, volatile char *index)
{
	bool is_held = (of(file)->held & 1u << WRITER) != 0;
	int rc =
	    is_held ? SQLITE_OK : db_lock(file, WRITER, 1, SQLITE_SHM_LOCK | SQLITE_SHM_EXCLUSIVE);

	if (rc != SQLITE_OK)
		/* SQLite tries again for ten seconds after a mere BUSY */
		return rc == SQLITE_BUSY ? SQLITE_BUSY_RECOVERY : rc;
	rc = write_again(of(file)->log);
	if (rc == SQLITE_OK)
		erase_header(file, index);
	if (!is_held)
		db_lock(file, WRITER, 1, SQLITE_SHM_UNLOCK | SQLITE_SHM_EXCLUSIVE);
	return rc;
}

static int
db_map(sqlite3_file *file, int region, int bytes, int extend, void volatile **at)
{
	struct ours *ours = of(file);
	int rc = ours->theirs->xShmMap(file, region, bytes, extend, at);

	if (rc != SQLITE_OK || region != 0 || *at == NULL || ours->index != NULL)
		return rc;
	rc = prepare_recovery(file, *at);
	if (rc == SQLITE_OK)
		ours->index = *at;
	else
		*at = NULL; /* or SQLite would not ask again */
	return rc;
}

static int
db_unmap(sqlite3_file *file, int remove)
{
	of(file)->index = NULL;
	give_back(file, of(file)->kept);
	return of(file)->theirs->xShmUnmap(file, remove);
}

static sqlite3_file *
database_of(sqlite3 *db)
{
	sqlite3_file *file = NULL;

	sqlite3_file_control(db, "main", SQLITE_FCNTL_FILE_POINTER, &file);
	assert(file->pMethods->xShmMap == db_map);
	return file;
}

int
sqlite_keep_checkpoints(sqlite3 *db)
{
	sqlite3_file *file = database_of(db);
	int rc = db_lock(file, CHECKPOINTER, 1, SQLITE_SHM_LOCK | SQLITE_SHM_EXCLUSIVE);

	return rc == SQLITE_OK
		   ? db_lock(file, CHECKPOINTER, 1, SQLITE_SHM_UNLOCK | SQLITE_SHM_EXCLUSIVE)
		   : rc;
}

void
sqlite_forget_index(sqlite3 *db)
{
	sqlite3_file *file = database_of(db);

	if (of(file)->index != NULL)
		erase_header(file, of(file)->index);
}

/* --- files --- */

static struct ours *
take_over(sqlite3_file *file)
{
	struct ours *ours = of(file);

	*ours = (struct ours){ .methods = *file->pMethods, .theirs = file->pMethods };
	file->pMethods = &ours->methods;
	return ours;
}

static void
take_over_log(sqlite3_file *file, const char *name)
{
	struct ours *ours = take_over(file);
	sqlite3_io_methods *methods = &ours->methods;

	ours->fd = open(name, O_RDONLY | O_CLOEXEC);
	ours->name = name;
	look_up(name, &ours->place);
	ours->unsynced = 1; /* who knows what was written before */
	of(sqlite3_database_file_object(name))->log = file;
	methods->xClose = log_close;
	methods->xRead = log_read;
	methods->xWrite = wal_file_write;
	methods->xTruncate = log_truncate;
	methods->xSync = log_sync;
	methods->xFileSize = log_size;
}

static int
db_write(sqlite3_file *file, const void *bytes, int len, sqlite3_int64 at)
{
	return why_not_written(of(file)->theirs->xWrite(file, bytes, len, at));
}

static void
take_over_database(sqlite3_file *file)
{
	sqlite3_io_methods *methods = &take_over(file)->methods;

	methods->xWrite = db_write;
	methods->xShmMap = db_map;
	methods->xShmLock = db_lock;
	methods->xShmUnmap = db_unmap;
}

/* What else there is, a journal while the database is made, goes its old way. */
static int
open_file(sqlite3_vfs *vfs, const char *name, sqlite3_file *file, int flags, int *out_flags)
{
	(void)vfs;
	int rc = theirs->xOpen(theirs, name, file, flags, out_flags);
	if (rc == SQLITE_OK && (flags & SQLITE_OPEN_WAL) != 0)
		take_over_log(file, name);
	if (rc == SQLITE_OK && (flags & SQLITE_OPEN_MAIN_DB) != 0)
		take_over_database(file);
	return rc;
}

const char *
sqlite_vfs(void)
{
	static sqlite3_vfs vfs;

	if (theirs != NULL)
		return vfs.zName;
	theirs = sqlite3_vfs_find(NULL);
	assert(theirs->szOsFile % (int)alignof(struct ours) == 0);
	vfs = *theirs; /* what is not about files looks at none of ours */
	vfs.zName = "sevq";
	vfs.szOsFile = theirs->szOsFile + (int)sizeof(struct ours);
	vfs.xOpen = open_file;
	sqlite3_vfs_register(&vfs, 0);
	return vfs.zName;
}
