/*
 * wal_index.c - the WAL-index: locks that are kept, and recovery on every start.
 *
 * Kept locks. When SQLite releases a lock on the WAL-index, the lock stays taken, so that the next
 * transaction has it without a system call. It is released for real when SQLite wants the same lock
 * in another way, or unmaps the index. Nobody else needs the write lock and the checkpoint lock:
 * one process has the database, and SQLite before 3.51.3 may lose a WAL that two processes
 * checkpoint. A read lock is shared with other readers.
 *
 * With each transaction SQLite would also move its read mark to the newest frame, under an
 * exclusive lock. It is told that the marks are busy, as if other readers had them, and goes on
 * with the mark that is there. A read mark says how far a checkpoint may go; a checkpoint is
 * allowed to move it.
 *
 * Limited checkpoints. SQLite copies the whole WAL at once, or as far as the reader needs that
 * reads the oldest frames. To copy some of it only, this file plays such a reader: it takes a read
 * lock that is free, sets its mark, and tells SQLite that the lock is busy. SQLite syncs the
 * database and lets the WAL start over only when everything is copied.
 *
 * Recovery on every start. The WAL-index is memory that processes share, and lives as long as one
 * of them has the database open: with an idle shell beside it, longer than a server. It says how
 * many frames the WAL has, and how many of them a checkpoint has copied to the database. After a
 * sync that failed neither number can be trusted, because the kernel forgets what it could not
 * write; SQLite would trust them, and append to frames that are not on the disk. So no server
 * trusts an index that it finds. When SQLite first maps it, this file takes the write lock, which
 * from then on nobody else gets, and erases the index's header. SQLite then runs its recovery: it
 * rebuilds the index from the WAL, and accepts frames whose checksums are right, from the first
 * frame on.
 *
 * Before that, the WAL is rewritten as it is, and synced: what can be read from it may not be on
 * the disk, and a sync that failed once succeeds the next time. That makes durable what recovery
 * looks at, and nothing else. Rewritten after recovery, a frame could be lost between being
 * accepted and being written. Frames that recovery does not accept stay unacceptable: the checksum
 * of a frame covers all frames before it.
 *
 * Erased when the disk cannot be trusted. A server that cannot trust its disk any more erases the
 * header before it ends. Otherwise an idle shell that closes last would checkpoint, and copy to the
 * database whatever the index calls frames. A process that is reading meanwhile has its own copy of
 * the header, and a read mark, which recovery leaves alone: it goes on to see what it saw, as far
 * as the WAL still has it.
 */
#include "queue/sqlite/wal_index.h"

#include <assert.h>

#include "queue/sqlite/wal.h"

#define HEADER_BYTES 96 /* two copies, which SQLite trusts when they are equal */

/* Locks, by their numbers in the index's format ("WAL-mode File Format", section 2.3). */
enum { WRITE_LOCK = 0, CHECKPOINT_LOCK = 1, READ_LOCK_0 = 3 };
/* Its read marks, one for each read lock, stand behind the header and nBackfill. */
#define READ_MARKS_AT (HEADER_BYTES + sizeof(uint32_t))
#define READ_MARK_UNUSED UINT32_MAX

static struct wal_index *
of(sqlite3_file *file)
{
	return (struct wal_index *)vfs_file_of(file);
}

/* --- locks --- */

/* Releases those of the locks that are kept. */
static int
release_kept(sqlite3_file *file, unsigned locks)
{
	struct wal_index *index = of(file);
	int rc = SQLITE_OK;

	for (int lock = 0; lock < SQLITE_SHM_NLOCK && rc == SQLITE_OK; lock++) {
		int mode = lock < READ_LOCK_0 ? SQLITE_SHM_EXCLUSIVE : SQLITE_SHM_SHARED;

		if ((index->kept & locks & 1u << lock) == 0)
			continue;
		index->kept &= ~(1u << lock);
		rc = index->file.underlying->xShmLock(file, lock, 1, SQLITE_SHM_UNLOCK | mode);
	}
	return rc;
}

/* The locks to write, to checkpoint and to read. */
static bool
is_kept_after(int first, int n, int flags)
{
	return (n == 1 && first <= CHECKPOINT_LOCK) || (flags & SQLITE_SHM_SHARED) != 0;
}

static int
unlock(sqlite3_file *file, int first, int n, int flags, unsigned locks)
{
	struct wal_index *index = of(file);

	index->held &= ~locks;
	if (!is_kept_after(first, n, flags))
		return index->file.underlying->xShmLock(file, first, n, flags);
	index->kept |= locks;
	return SQLITE_OK;
}

/*
 * Whether SQLite wants to move a read mark without need: not for a checkpoint, and while a read
 * lock is kept, whose mark will do. Read lock 0 has no mark.
 */
static bool
moves_mark(const struct wal_index *index, int first, int n, int flags)
{
	return (flags & SQLITE_SHM_EXCLUSIVE) != 0 && first > READ_LOCK_0 && n == 1 &&
	       (index->held & 1u << CHECKPOINT_LOCK) == 0 && index->kept >> (READ_LOCK_0 + 1) != 0;
}

static int
lock(sqlite3_file *file, int first, int n, int flags, unsigned locks)
{
	struct wal_index *index = of(file);
	bool is_kept = (index->kept & locks) == locks && is_kept_after(first, n, flags);
	int rc = SQLITE_OK;

	if (moves_mark(index, first, n, flags) ||
	    (index->limiting != 0 && (locks & 1u << index->limiting) != 0))
		return SQLITE_BUSY;
	if (is_kept)
		index->kept &= ~locks;
	else if ((rc = release_kept(file, locks)) == SQLITE_OK)
		rc = index->file.underlying->xShmLock(file, first, n, flags);
	if (rc == SQLITE_OK)
		index->held |= locks;
	return rc;
}

static int
shm_lock(sqlite3_file *file, int first, int n, int flags)
{
	unsigned locks = ((1u << n) - 1) << first;

	return ((flags & SQLITE_SHM_UNLOCK) != 0 ? unlock : lock)(file, first, n, flags, locks);
}

/* --- the index in shared memory --- */

/* The caller has the write lock. */
static void
erase_header(sqlite3_file *file, volatile char *header)
{
	for (int i = 0; i < HEADER_BYTES; i++)
		header[i] = 0;
	of(file)->file.underlying->xShmBarrier(file);
}

/* SQLite has the write lock already where it found no index. */
static int
prepare_recovery(sqlite3_file *file, volatile char *header)
{
	bool is_held = (of(file)->held & 1u << WRITE_LOCK) != 0;
	int rc = SQLITE_OK;

	if (!is_held)
		rc = shm_lock(file, WRITE_LOCK, 1, SQLITE_SHM_LOCK | SQLITE_SHM_EXCLUSIVE);
	if (rc != SQLITE_OK)
		/* after a mere BUSY SQLite would try again for ten seconds */
		return rc == SQLITE_BUSY ? SQLITE_BUSY_RECOVERY : rc;
	rc = wal_rewrite(of(file)->wal);
	if (rc == SQLITE_OK)
		erase_header(file, header);
	if (!is_held)
		shm_lock(file, WRITE_LOCK, 1, SQLITE_SHM_UNLOCK | SQLITE_SHM_EXCLUSIVE);
	return rc;
}

static int
shm_map(sqlite3_file *file, int region, int bytes, int extend, void volatile **at)
{
	struct wal_index *index = of(file);
	int rc = index->file.underlying->xShmMap(file, region, bytes, extend, at);

	if (rc != SQLITE_OK || region != 0 || *at == NULL || index->header != NULL)
		return rc;
	rc = prepare_recovery(file, *at);
	if (rc == SQLITE_OK)
		index->header = *at;
	else
		*at = NULL; /* or SQLite would not ask again */
	return rc;
}

static int
shm_unmap(sqlite3_file *file, int remove)
{
	of(file)->header = NULL;
	release_kept(file, of(file)->kept);
	return of(file)->file.underlying->xShmUnmap(file, remove);
}

/* --- what the driver asks --- */

static sqlite3_file *
database_of(sqlite3 *db)
{
	sqlite3_file *file = NULL;

	sqlite3_file_control(db, "main", SQLITE_FCNTL_FILE_POINTER, &file);
	assert(file->pMethods->xShmMap == shm_map);
	return file;
}

int
wal_index_keep_checkpoint_lock(sqlite3 *db)
{
	sqlite3_file *file = database_of(db);
	int rc = shm_lock(file, CHECKPOINT_LOCK, 1, SQLITE_SHM_LOCK | SQLITE_SHM_EXCLUSIVE);

	if (rc == SQLITE_OK)
		rc = shm_lock(file, CHECKPOINT_LOCK, 1, SQLITE_SHM_UNLOCK | SQLITE_SHM_EXCLUSIVE);
	return rc;
}

static void
set_mark(struct wal_index *index, int lock, uint32_t frame)
{
	volatile uint32_t *marks = (volatile uint32_t *)(index->header + READ_MARKS_AT);

	marks[lock - READ_LOCK_0] = frame;
}

/* The first read locks are for reading; the others are free unless other processes read. */
bool
wal_index_limit(sqlite3 *db, uint32_t frame)
{
	sqlite3_file *file = database_of(db);
	struct wal_index *index = of(file);
	const int flags = SQLITE_SHM_LOCK | SQLITE_SHM_EXCLUSIVE;

	assert(index->limiting == 0);
	for (int lock = SQLITE_SHM_NLOCK - 1;
	     index->header != NULL && index->limiting == 0 && lock > READ_LOCK_0 + 1; lock--)
		if (((index->held | index->kept) & 1u << lock) == 0 &&
		    index->file.underlying->xShmLock(file, lock, 1, flags) == SQLITE_OK)
			index->limiting = lock;
	if (index->limiting != 0)
		set_mark(index, index->limiting, frame);
	return index->limiting != 0;
}

void
wal_index_end_limit(sqlite3 *db)
{
	sqlite3_file *file = database_of(db);
	struct wal_index *index = of(file);

	if (index->limiting == 0)
		return;
	set_mark(index, index->limiting, READ_MARK_UNUSED);
	index->file.underlying->xShmLock(file, index->limiting, 1,
					 SQLITE_SHM_UNLOCK | SQLITE_SHM_EXCLUSIVE);
	index->limiting = 0;
}

void
wal_index_erase(sqlite3 *db)
{
	sqlite3_file *file = database_of(db);

	if (of(file)->header != NULL)
		erase_header(file, of(file)->header);
}

void
wal_index_set_wal(sqlite3_file *database, sqlite3_file *wal)
{
	of(database)->wal = wal;
}

void
wal_index_take_over(struct wal_index *index, sqlite3_file *file)
{
	*index = (struct wal_index){ .held = 0 };
	vfs_file_take_over(&index->file, file);
	index->file.methods.xShmMap = shm_map;
	index->file.methods.xShmLock = shm_lock;
	index->file.methods.xShmUnmap = shm_unmap;
}
