/*
 * checkpoint.c - from the WAL to the database, and the room that it gives back.
 *
 * A checkpoint that copies everything lets SQLite start the WAL over from its beginning and
 * overwrite it in place: that syncs twice as fast as a file that grows. Where room is short the WAL
 * is cut instead, because it may be many times as large as what is in it.
 */
#include "queue/sqlite/checkpoint.h"

#include "queue/sqlite/disk.h"
#include "queue/sqlite/transaction.h"

/*
 * A failed sync of the database marks the store broken. The kernel may have lost pages of this
 * checkpoint and of earlier ones, and after the next checkpoint the WAL would start over as if
 * they were on the disk (DESIGN C8).
 */
void
checkpoint_run(struct sqlite_store *store, bool truncate)
{
	int mode = truncate ? SQLITE_CHECKPOINT_TRUNCATE : SQLITE_CHECKPOINT_PASSIVE;
	int in_wal = 0, copied = 0;
	int rc = sqlite3_wal_checkpoint_v2(store->db, NULL, mode, &in_wal, &copied);

	if (rc == SQLITE_FULL && disk_remove_reserve(store))
		rc = sqlite3_wal_checkpoint_v2(store->db, NULL, mode, &in_wal, &copied);
	if (rc == SQLITE_OK)
		store->stats.checkpoints++;
	else if (sqlite3_extended_errcode(store->db) == SQLITE_IOERR_FSYNC)
		transaction_mark_broken(store);
	/* a reader holds frames back, or the disk fails */
	if (rc != SQLITE_OK || copied < in_wal)
		store->wal_frames_kept = store->wal_frames;
	else
		store->wal_frames = store->wal_frames_kept = 0;
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
