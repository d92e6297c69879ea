/*
 * sqlite_sweep.c - what is done between turns: checkpoints, the sweep, a look at the disk.
 *
 * The WAL is checkpointed after the answers have gone out, when it has grown to a size that keeps one checkpoint short;
 * SQLite then starts it over from its beginning. The sweep forgets whole outcomes, oldest first, with the events they
 * settled: a few hundred rows a step, each step a transaction. An outcome goes after its events, never before: an event
 * without its outcome would be pending again. The newest event stays, so that ids and times never go back.
 */
#include "queue/sqlite/sqlite_private.h"

#include <sys/statvfs.h>
#include <time.h>

#define CHECKPOINT_FRAMES 1000
#define LOOK_INTERVAL_MS 1000

static int64_t
monotonic_ms(void)
{
	struct timespec now;
	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static void
checkpoint(struct sqlite_store *store)
{
	if (sqlite3_wal_checkpoint_v2(store->db, NULL, SQLITE_CHECKPOINT_PASSIVE, NULL, NULL) == SQLITE_OK)
		store->stats.checkpoints++;
	store->wal_frames = 0; /* after a failure too: the next commit says how many there are, and it is tried again */
}

/* Free space decides whether events are taken; what frees space is always let through. */
void
sevq_sqlite_look_at_disk(struct sqlite_store *store)
{
	struct statvfs fs;
	if (statvfs(store->path, &fs) == 0)
		store->full = (uint64_t)fs.f_bavail * fs.f_frsize < store->options.min_free_bytes;
}

/* --- the sweep ----------------------------------------------------------------------------------------------------- */

/* A dead letter goes with its event. */
static int
remove_dead_letter(struct sqlite_store *store, enum sevq_outcome_kind kind, int64_t id)
{
	if (kind != SEVQ_OUTCOME_DEAD && kind != SEVQ_OUTCOME_EVICTED)
		return SQLITE_OK;
	sqlite3_bind_int64(store->statement[STATEMENT_REMOVE_DEAD_LETTER], 1, id);
	return sevq_sqlite_run(store->statement[STATEMENT_REMOVE_DEAD_LETTER]);
}

static int
remove_event(struct sqlite_store *store, int64_t id)
{
	sqlite3_stmt *remove = store->statement[STATEMENT_REMOVE_EVENT];
	sqlite3_bind_int64(remove, 1, id);
	int rc = sqlite3_step(remove);
	int64_t session = rc == SQLITE_ROW ? sqlite3_column_int64(remove, 0) : 0;
	if (rc == SQLITE_ROW)
		rc = sqlite3_step(remove);
	sqlite3_reset(remove);
	if (rc != SQLITE_DONE || session == 0)
		return rc == SQLITE_DONE ? SQLITE_OK : rc;
	store->swept[store->swept_count++] = session;
	if (!sevq_sqlite_uncount_event(store, session))
		return SQLITE_OK;
	sqlite3_bind_int64(store->statement[STATEMENT_REMOVE_SESSION], 1, session);
	return sevq_sqlite_run(store->statement[STATEMENT_REMOVE_SESSION]);
}

/* Removes the next few of the outcome's events; *all: none is left. */
static int
remove_some(struct sqlite_store *store, enum sevq_outcome_kind kind, struct sevq_str ids, bool *all)
{
	const char *at = ids.s, *end = ids.s + ids.len;
	struct sevq_id_range range = { 0 };
	size_t seen = 0, removed = 0; /* ids passed, ids dealt with in this step */
	int rc = SQLITE_OK;
	while (rc == SQLITE_OK && removed < SEVQ_SQLITE_SWEEP_MAX && sevq_ids_next(&at, end, &range)) {
		for (int64_t id = range.first; rc == SQLITE_OK && removed < SEVQ_SQLITE_SWEEP_MAX && id <= range.last; id++) {
			if (seen++ < store->sweep_at)
				continue;
			rc = remove_event(store, id);
			if (rc == SQLITE_OK)
				rc = remove_dead_letter(store, kind, id);
			removed++;
		}
	}
	*all = removed < SEVQ_SQLITE_SWEEP_MAX;
	store->sweep_at += removed;
	return rc;
}

static bool
past_its_time(const struct sqlite_store *store, sqlite3_stmt *oldest, const struct sevq_chores *chores)
{
	return sqlite3_column_int64(oldest, 1) < chores->settled_before_ms ||
	       store->stats.events > chores->pending_count + chores->settled_rows_max;
}

enum verdict { WAIT, PASS_OVER, FORGET };

/*
 * What the sweep may do with the outcome: forget it; pass it over, because it tells of an event that is still pending; or
 * wait, because it is not past its time, is the newest, or names the newest event.
 */
static enum verdict
judge(struct sqlite_store *store, sqlite3_stmt *oldest, const struct sevq_chores *chores)
{
	struct sevq_str ids = sevq_sqlite_text(oldest, 3), session = sevq_sqlite_text(oldest, 7);
	bool settles = sqlite3_column_int(oldest, 2) <= SEVQ_OUTCOME_LAST_SETTLING;
	const char *at = ids.s;
	struct sevq_id_range range = { 0 };
	if (sqlite3_column_int64(oldest, 0) >= store->ends.outcome || !past_its_time(store, oldest, chores))
		return WAIT;
	while (sevq_ids_next(&at, ids.s + ids.len, &range)) {
		if (settles && range.last >= store->ends.event)
			return WAIT;
		for (int64_t id = range.first; !settles && id <= range.last; id++)
			if (chores->pending(chores->arg, session, id))
				return PASS_OVER;
	}
	return at != NULL ? FORGET : PASS_OVER;
}

/* The rows are back; so are their counts. */
static bool
undo_sweep(struct sqlite_store *store)
{
	for (size_t i = 0; i < store->swept_count; i++)
		sevq_sqlite_count_event(store, store->swept[i]);
	store->sweep_at = 0;
	return false;
}

static bool
sweep_outcome(struct sqlite_store *store, sqlite3_stmt *oldest)
{
	sqlite3_stmt *remove = store->statement[STATEMENT_REMOVE_OUTCOME];
	struct sevq_error
	    err; /* nobody to tell: what is not swept now is swept later, and a broken store stops at the next commit */
	bool all = true;
	store->swept_count = 0;
	enum sevq_outcome_kind kind = (enum sevq_outcome_kind)sqlite3_column_int(oldest, 2);
	int rc = sevq_sqlite_run(store->statement[STATEMENT_BEGIN]);
	if (rc == SQLITE_OK && kind <= SEVQ_OUTCOME_LAST_SETTLING)
		rc = remove_some(store, kind, sevq_sqlite_text(oldest, 3), &all);
	if (rc == SQLITE_OK && all) {
		sqlite3_bind_int64(remove, 1, sqlite3_column_int64(oldest, 0));
		rc = sevq_sqlite_run(remove);
	}
	sqlite3_reset(oldest); /* a reader would keep the transaction from committing whole */
	if (sevq_sqlite_end(store, rc, &err) < 0)
		return undo_sweep(store);
	store->stats.swept += store->swept_count;
	if (all) {
		store->stats.outcomes--;
		store->sweep_at = 0;
	}
	return true;
}

/* One step. False when there is nothing to sweep now, or the disk does not let us. */
static bool
sweep(struct sqlite_store *store, const struct sevq_chores *chores)
{
	sqlite3_stmt *oldest = store->statement[STATEMENT_OLDEST_OUTCOME];
	bool more = false;
	sqlite3_bind_int64(oldest, 1, store->sweep_after);
	if (sqlite3_step(oldest) == SQLITE_ROW) {
		enum verdict verdict = judge(store, oldest, chores);
		more = verdict != WAIT;
		if (verdict == PASS_OVER)
			store->sweep_after = sqlite3_column_int64(oldest, 0);
		else if (verdict == FORGET)
			more = sweep_outcome(store, oldest);
	}
	sqlite3_reset(oldest);
	if (!more)
		store->sweep_after = 0;
	return more;
}

/* One step. False when no key is old enough, or the disk does not let us. */
static bool
forget_keys(struct sqlite_store *store, int64_t before_ms)
{
	sqlite3_stmt *remove = store->statement[STATEMENT_REMOVE_KEYS];
	struct sevq_error err; /* nobody to tell, as above */
	sqlite3_bind_int64(remove, 1, before_ms);
	int rc = sevq_sqlite_run(store->statement[STATEMENT_BEGIN]);
	if (rc == SQLITE_OK)
		rc = sevq_sqlite_run(remove);
	int forgotten = sqlite3_changes(store->db);
	return sevq_sqlite_end(store, rc, &err) == 0 && forgotten == SEVQ_SQLITE_SWEEP_MAX;
}

bool
sevq_sqlite_chores(struct sevq_store *base, const struct sevq_chores *chores)
{
	struct sqlite_store *store = (struct sqlite_store *)base;
	int64_t now_ms = monotonic_ms();
	if (store->broken)
		return false;
	if (store->wal_frames >= CHECKPOINT_FRAMES)
		checkpoint(store);
	if (now_ms >= store->next_look_ms) {
		sevq_sqlite_look_at_disk(store);
		store->next_look_ms = now_ms + LOOK_INTERVAL_MS;
		store->sweeping = store->forgetting = true;
	}
	if (store->forgetting)
		store->forgetting = forget_keys(store, chores->keys_before_ms);
	else if (store->sweeping)
		store->sweeping = sweep(store, chores);
	return store->forgetting || store->sweeping;
}
