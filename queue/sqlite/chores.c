/*
 * chores.c - what the driver does between commits: checkpoints, measuring the disk (disk.c),
 * removing what is past its time: idempotency keys, events and outcomes (sweep.c).
 *
 * The WAL is checkpointed after the answers have gone out, and early enough to keep each checkpoint
 * short. While room is short that happens between the small steps of the sweep, and the WAL is cut
 * as well: what the sweep frees must not go to the WAL.
 */
#include "queue/sqlite/chores.h"

#include "queue/clock.h"
#include "queue/sqlite/backup.h"
#include "queue/sqlite/checkpoint.h"
#include "queue/sqlite/clock_rows.h"
#include "queue/sqlite/disk.h"
#include "queue/sqlite/key_rows.h"
#include "queue/sqlite/sweep.h"
#include "queue/sqlite/transaction.h"
#include "queue/sqlite/wal.h"

#define CHECKPOINT_FRAMES 1000
#define SHORT_CHECKPOINT_FRAMES 250 /* while room is short */
#define GROWN_FRAMES 2000           /* in the WAL: it grows as fast as it is copied */
#define DISK_CHECK_INTERVAL_MS 1000

/* Does one step. False: no more keys are old enough, or the disk does not let us. */
static bool
remove_old_keys(struct sqlite_store *store, int64_t before_ms)
{
	/* reported to nobody: a later step tries again, and ready reports a broken store */
	struct error err;
	bool more = false;
	int rc = transaction_begin(store);

	if (rc == SQLITE_OK)
		rc = key_rows_remove_old(store, before_ms, &more);
	int failed = transaction_end(store, rc, &err);
	key_rows_end(store, failed == 0);
	return failed == 0 && more;
}

/*
 * While room is short, a WAL that takes any is cut once a second. After a checkpoint that did not
 * copy everything, the next one follows the next commit, or a second later.
 */
static void
checkpoint_if_due(struct sqlite_store *store, bool every_second)
{
	int frames = store->short_of_wal ? SHORT_CHECKPOINT_FRAMES : CHECKPOINT_FRAMES;
	bool again = every_second || store->wal_frames > store->wal_frames_kept,
	     due = store->checkpoints || (store->wal_frames >= frames && again);

	if (!store->short_of_wal && due)
		checkpoint_step(store);
	else if (due ||
		 (every_second && store->short_of_wal && disk_file_bytes(wal_of(store->db)) > 0))
		checkpoint_run(store, true);
	store->base.needs_turn = store->checkpoints && store->wal_frames > GROWN_FRAMES;
}

/* Once a second, and after each step while room is short. */
static void
look_at_disk(struct sqlite_store *store, const struct chores *chores, bool every_second)
{
	if (every_second) {
		disk_measure_again(store);
		store->next_disk_check_ms = clock_monotonic_us() / 1000 + DISK_CHECK_INTERVAL_MS;
		store->more_to_sweep = store->more_keys = true;
	} else if (store->short_of_room) {
		disk_measure(store);
	}
	if (store->short_of_room && store->stats.events > chores->pending_count)
		store->more_to_sweep = true;
}

bool
sqlite_chores(struct store *base, const struct chores *chores)
{
	struct sqlite_store *store = (struct sqlite_store *)base;
	bool every_second = clock_monotonic_us() / 1000 >= store->next_disk_check_ms;

	store->base.needs_turn = false;
	store->owes_time |= chores->keep_time;
	if (store->broken)
		return false;
	store->copied_last = store->copy != NULL && !store->copied_last;
	if (store->copied_last) { /* a step of it alternates with the others */
		backup_step(store);
		return true;
	}
	checkpoint_if_due(store, every_second);
	if (store->broken) /* by the checkpoint; the next read would rebuild the WAL-index */
		return false;
	if (store->checkpoints)
		return true;
	look_at_disk(store, chores, every_second);
	if (store->owes_time && (chores->keep_time || every_second)) {
		store->owes_time = !clock_rows_keep_time(store, &chores->time);
		return true;
	}
	if (store->more_keys || store->more_to_sweep)
		disk_set_cap(store, false);
	if (store->more_keys)
		store->more_keys = remove_old_keys(store, chores->keys_before_ms);
	else if (store->more_to_sweep)
		store->more_to_sweep = sweep_step(store, chores);
	disk_note_sweep(store);
	return store->more_keys || store->more_to_sweep || store->copy != NULL ||
	       store->checkpoints;
}
