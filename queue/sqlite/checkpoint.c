/*
 * checkpoint.c - from the WAL to the database, and the room that it gives back.
 *
 * A checkpoint that copies everything lets SQLite start the WAL over from its beginning and
 * overwrite it in place: that syncs twice as fast as a file that grows. Where room is short the WAL
 * is cut instead, because it may be many times as large as what is in it.
 *
 * In the ordinary course it takes two steps or more, because each frame takes up to 5 microseconds
 * and nothing else happens meanwhile. After each step but the last the kernel begins to write what
 * was copied, so that the last, which syncs the database, has little left to wait for.
 */
#include "queue/sqlite/checkpoint.h"

#include "queue/sqlite/disk.h"
#include "queue/sqlite/transaction.h"
#include "queue/sqlite/vfs_file.h"
#include "queue/sqlite/wal_index.h"

#define STEP_FRAMES 1000

/*
 * A failed sync of the database marks the store broken. The kernel may have lost pages of this
 * checkpoint and of earlier ones, and after the next checkpoint the WAL would start over as if
 * they were on the disk (DESIGN C8).
 */
static int
copy_frames(struct sqlite_store *store, int mode, int *in_wal, int *copied)
{
	int rc = sqlite3_wal_checkpoint_v2(store->db, NULL, mode, in_wal, copied);

	if (rc == SQLITE_FULL && disk_remove_reserve(store))
		rc = sqlite3_wal_checkpoint_v2(store->db, NULL, mode, in_wal, copied);
	if (rc != SQLITE_OK && sqlite3_extended_errcode(store->db) == SQLITE_IOERR_FSYNC)
		transaction_mark_broken(store);
	return rc;
}

void
checkpoint_run(struct sqlite_store *store, bool truncate)
{
	int mode = truncate ? SQLITE_CHECKPOINT_TRUNCATE : SQLITE_CHECKPOINT_PASSIVE;
	int in_wal = 0, copied = 0;
	int rc = copy_frames(store, mode, &in_wal, &copied);

	store->checkpoints = false;
	store->wal_frames_copied = copied > 0 ? copied : 0;
	store->stats.checkpoints += rc == SQLITE_OK;
	/* a reader holds frames back, or the disk fails */
	if (rc != SQLITE_OK || copied < in_wal)
		store->wal_frames_kept = store->wal_frames;
	else
		store->wal_frames = store->wal_frames_kept = store->wal_frames_copied = 0;
}

/*
 * The frame that the next step copies up to; 0: it is the last step, which copies all. One frame is
 * left to the last, because SQLite syncs the database when it has copied all.
 */
static int
step_end(const struct sqlite_store *store)
{
	int left = store->wal_frames - store->wal_frames_copied;

	if (left > STEP_FRAMES)
		return store->wal_frames_copied + STEP_FRAMES;
	return store->checkpoints ? 0 : store->wal_frames - 1;
}

void
checkpoint_step(struct sqlite_store *store)
{
	int end = step_end(store), in_wal = 0, copied = 0;

	if (end <= 0 || !wal_index_limit(store->db, (uint32_t)end)) {
		checkpoint_run(store, false);
		return;
	}
	int rc = copy_frames(store, SQLITE_CHECKPOINT_PASSIVE, &in_wal, &copied);
	wal_index_end_limit(store->db);
	if (!vfs_begin_writing(store->db_fd, 0, 0))
		transaction_mark_broken(store);
	store->checkpoints = rc == SQLITE_OK && copied >= end;
	if (!store->checkpoints)
		store->wal_frames_kept = store->wal_frames;
	store->wal_frames_copied = copied > 0 ? copied : 0;
}

bool
checkpoint_make_room(struct sqlite_store *store)
{
	if (store->wal_frames > 0) {
		checkpoint_run(store, true);
		if (store->broken || store->wal_frames == 0)
			return !store->broken;
	}
	return disk_remove_reserve(store);
}
