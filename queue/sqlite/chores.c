/*
 * chores.c - what the driver does between commits: checkpoints, measuring the disk (disk.c),
 * removing what is past its time: idempotency keys, events and outcomes (sweep.c).
 *
 * The WAL is checkpointed after the answers have gone out, and early enough to keep each checkpoint
 * short. SQLite then starts the WAL over from its beginning and overwrites it in place: that syncs
 * twice as fast as a file that grows.
 */
#include "queue/sqlite/chores.h"

#include "queue/clock.h"
#include "queue/sqlite/disk.h"
#include "queue/sqlite/sweep.h"
#include "queue/sqlite/transaction.h"

#define CHECKPOINT_FRAMES 1000
#define DISK_CHECK_INTERVAL_MS 1000

/*
 * A failed sync of the database marks the store broken. The kernel may have lost pages of this
 * checkpoint and of earlier ones, and after the next checkpoint the WAL would start over as if
 * they were on the disk (DESIGN C8).
 */
static void
checkpoint(struct sqlite_store *store)
{
	int rc = sqlite3_wal_checkpoint_v2(store->db, NULL, SQLITE_CHECKPOINT_PASSIVE, NULL, NULL);

	if (rc == SQLITE_FULL && disk_remove_reserve(store))
		rc = sqlite3_wal_checkpoint_v2(store->db, NULL, SQLITE_CHECKPOINT_PASSIVE, NULL,
					       NULL);
	if (rc == SQLITE_OK)
		store->stats.checkpoints++;
	else if (sqlite3_extended_errcode(store->db) == SQLITE_IOERR_FSYNC)
		transaction_mark_broken(store);
	/* after a failure too: the next commit counts the frames again, and a checkpoint follows */
	store->wal_frames = 0;
}

/* Does one step. False: no more keys are old enough, or the disk does not let us. */
static bool
remove_old_keys(struct sqlite_store *store, int64_t before_ms)
{
	sqlite3_stmt *remove = store->statement[STATEMENT_REMOVE_KEYS];
	/* reported to nobody: a later step tries again, and ready reports a broken store */
	struct error err;

	sqlite3_bind_int64(remove, 1, before_ms);
	int rc = transaction_begin(store);
	if (rc == SQLITE_OK)
		rc = transaction_run(remove);
	int removed = sqlite3_changes(store->db);
	return transaction_end(store, rc, &err) == 0 && removed == REMOVE_ROWS_MAX;
}

bool
sqlite_chores(struct store *base, const struct chores *chores)
{
	struct sqlite_store *store = (struct sqlite_store *)base;
	int64_t now_ms = clock_monotonic_us() / 1000;

	if (store->broken)
		return false;
	if (store->wal_frames >= CHECKPOINT_FRAMES)
		checkpoint(store);
	if (store->broken) /* by the checkpoint; the next read would rebuild the WAL-index */
		return false;
	if (now_ms >= store->next_disk_check_ms) {
		disk_measure(store);
		store->next_disk_check_ms = now_ms + DISK_CHECK_INTERVAL_MS;
		store->more_to_sweep = store->more_keys = true;
	}
	if (store->more_keys || store->more_to_sweep)
		disk_set_cap(store, false);
	if (store->more_keys)
		store->more_keys = remove_old_keys(store, chores->keys_before_ms);
	else if (store->more_to_sweep)
		store->more_to_sweep = sweep_step(store, chores);
	return store->more_keys || store->more_to_sweep;
}
