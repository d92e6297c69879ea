/*
 * store.c - the driver: opening and closing, one transaction a batch, reads by id.
 *
 * A commit ends with one sync of the WAL, which is deferred (wal.c): COMMIT only begins to write
 * the WAL to the disk, the queue does the work that it has meanwhile, and then the driver syncs.
 * After a failure the question is whether part of the batch may be on disk. A statement that fails
 * before COMMIT, and a COMMIT that runs out of space, are certainly rolled back. Any other failure
 * of COMMIT, or of the sync, may have left the batch on the disk; then nobody may be told how it
 * ended, and the store acknowledges nothing more (DESIGN C8).
 *
 * This file is the top of the driver: the others do not know it.
 */
#include "queue/sqlite/store.h"

#include <assert.h>
#include <stdlib.h>

#include <unistd.h>

#include "queue/sqlite/backup.h"
#include "queue/sqlite/checkpoint.h"
#include "queue/sqlite/chores.h"
#include "queue/sqlite/clock_rows.h"
#include "queue/sqlite/disk.h"
#include "queue/sqlite/history.h"
#include "queue/sqlite/key_rows.h"
#include "queue/sqlite/load.h"
#include "queue/sqlite/lookup.h"
#include "queue/sqlite/moved_rows.h"
#include "queue/sqlite/open.h"
#include "queue/sqlite/outcome_rows.h"
#include "queue/sqlite/path.h"
#include "queue/sqlite/row.h"
#include "queue/sqlite/session_rows.h"
#include "queue/sqlite/sweep.h"
#include "queue/sqlite/transaction.h"
#include "queue/sqlite/wal.h"

/*
 * Finds or adds the session's row. record_batch keeps the row's number with the session once the
 * commit is written; until then it may be rolled back.
 */
static int
find_or_add_session(struct sqlite_store *store, const struct store_session *session, int64_t *ret)
{
	*ret = session->row;
	if (session->row != 0)
		return SQLITE_OK;
	sqlite3_stmt *find = store->statement[STATEMENT_FIND_SESSION],
		     *add = store->statement[STATEMENT_ADD_SESSION];
	row_bind_text(find, 1, session->key);
	int rc = sqlite3_step(find);
	if (rc == SQLITE_ROW)
		*ret = sqlite3_column_int64(find, 0);
	sqlite3_reset(find);
	if (rc != SQLITE_DONE)
		return rc == SQLITE_ROW ? SQLITE_OK : rc;
	row_bind_text(add, 1, session->key);
	rc = transaction_run(add);
	*ret = sqlite3_last_insert_rowid(store->db);
	return rc;
}

/* Adds dead letters for an outcome that makes them, or marks those that it ends. */
static int
update_dead_letters(struct sqlite_store *store, const struct store_outcome *outcome)
{
	bool dies = outcome_makes_dead_letters(outcome->kind);
	sqlite3_stmt *update =
	    store->statement[dies ? STATEMENT_ADD_DEAD_LETTER : STATEMENT_MARK_DEAD_LETTER];
	int rc = SQLITE_OK;

	if (!dies && !outcome_ends_dead_letters(outcome->kind))
		return rc;
	for (size_t i = 0; rc == SQLITE_OK && i < outcome->count; i++) {
		sqlite3_bind_int64(update, 1, outcome->ids[i]);
		sqlite3_bind_int64(update, 2, outcome->id);
		if (dies)
			sqlite3_bind_int64(update, 3,
					   outcome->counts != NULL ? outcome->counts[i] : 0);
		rc = transaction_run(update);
	}
	return rc;
}

static int
keep_context(struct sqlite_store *store, const struct store_context *context)
{
	sqlite3_stmt *keep = store->statement[STATEMENT_KEEP_CONTEXT];

	row_bind_text(keep, 1, context->session->key);
	row_bind_text(keep, 2, context->context_key);
	return transaction_run(keep);
}

/* Sets the session row of every record; batch_table.c reads it from there. */
static int
find_or_add_sessions(struct sqlite_store *store, struct store_batch *batch)
{
	int rc = SQLITE_OK;

	for (size_t i = 0; rc == SQLITE_OK && i < batch->event_count; i++)
		rc = find_or_add_session(store, batch->events[i].session,
					 &batch->events[i].session_row);
	for (size_t i = 0; rc == SQLITE_OK && i < batch->outcome_count; i++)
		rc = find_or_add_session(store, batch->outcomes[i].session,
					 &batch->outcomes[i].session_row);
	for (size_t i = 0; rc == SQLITE_OK && i < batch->outcome_count; i++) {
		struct store_outcome *outcome = &batch->outcomes[i];

		if (i > 0 && outcome->target == outcome[-1].target)
			outcome->target_row = outcome[-1].target_row;
		else if (outcome->target != NULL)
			rc = find_or_add_session(store, outcome->target, &outcome->target_row);
	}
	return rc;
}

static int
write_batch(struct sqlite_store *store, struct store_batch *batch)
{
	int rc = transaction_begin(store);

	store->batch = batch;
	store->dropped = 0;
	if (rc == SQLITE_OK)
		rc = find_or_add_sessions(store, batch);
	if (rc == SQLITE_OK && batch->event_count > 0)
		rc = transaction_run(store->statement[STATEMENT_ADD_EVENTS]);
	if (rc == SQLITE_OK && batch->outcome_count > 0)
		rc = transaction_run(store->statement[STATEMENT_ADD_OUTCOMES]);
	for (size_t i = 0; rc == SQLITE_OK && i < batch->outcome_count; i++)
		rc = update_dead_letters(store, &batch->outcomes[i]);
	for (size_t i = 0; rc == SQLITE_OK && i < batch->key_count; i++)
		rc = key_rows_add(store, &batch->keys[i]);
	for (size_t i = 0; rc == SQLITE_OK && i < batch->context_count; i++)
		rc = keep_context(store, &batch->contexts[i]);
	for (size_t i = 0; rc == SQLITE_OK && i < batch->drop_count; i++)
		rc = outcome_rows_drop(store, &batch->drops[i], &store->dropped);
	if (rc == SQLITE_OK && batch->mark != NULL)
		rc = clock_rows_add(store, batch->mark);
	store->batch = NULL;
	return rc;
}

static void
record_move(struct sqlite_store *store, const struct store_outcome *outcome)
{
	outcome->target->row = outcome->target_row;
	session_rows_hold(store, outcome->target_row);
	moved_rows_note(store, outcome->ids[outcome->count - 1]);
}

static void
count_dead_letters(struct sqlite_store *store, const struct store_outcome *outcome)
{
	if (outcome_makes_dead_letters(outcome->kind))
		store->stats.dead_letters += outcome->count;
	else if (outcome_ends_dead_letters(outcome->kind))
		store->stats.dead_letters -= outcome->count;
}

/* Notes in memory what the commit has written: session rows, counts, the newest ids. */
static void
record_batch(struct sqlite_store *store, struct store_batch *batch)
{
	for (size_t i = 0; i < batch->event_count; i++) {
		batch->events[i].session->row = batch->events[i].session_row;
		session_rows_add_event(store, batch->events[i].session_row);
		store->newest.event = batch->events[i].event.id;
		store->newest.ts_ms = batch->events[i].event.ts_ms;
	}
	for (size_t i = 0; i < batch->outcome_count; i++) {
		if (batch->outcomes[i].target != NULL)
			record_move(store, &batch->outcomes[i]);
		count_dead_letters(store, &batch->outcomes[i]);
	}
	if (batch->outcome_count > 0) {
		store->newest.outcome = batch->outcomes[batch->outcome_count - 1].id;
		store->newest.ts_ms = batch->outcomes[batch->outcome_count - 1].ts_ms;
	}
	store->stats.outcomes += batch->outcome_count - store->dropped;
	if (batch->mark != NULL)
		clock_rows_added(store, batch->mark);
}

/*
 * Fails if the database or the WAL has lost its name: the next start would not find what was
 * written to it.
 */
static int
check_files(struct sqlite_store *store, struct error *err)
{
	int moved = 0;
	bool is_there =
	    sqlite3_file_control(store->db, "main", SQLITE_FCNTL_HAS_MOVED, &moved) == SQLITE_OK &&
	    !moved;

	if (is_there && wal_is_in_place(wal_of(store->db)))
		return 0;
	transaction_mark_broken(store);
	return error_set(err, ERROR_STORAGE_UNKNOWN, "%s%s was removed or replaced", store->path,
			 is_there ? "-wal" : "");
}

static int
write_and_commit(struct sqlite_store *store, struct store_batch *batch, struct error *err)
{
	sqlite3_file *log = wal_of(store->db);

	wal_defer_sync(log, true);
	int failed = transaction_end(store, write_batch(store, batch), err);
	wal_defer_sync(log, false);
	key_rows_end(store, failed == 0);
	return failed;
}

static int
refuse_unknown(const struct sqlite_store *store, struct error *err)
{
	return error_set(err, ERROR_STORAGE_UNKNOWN, "%s is in an unknown state", store->path);
}

/*
 * The batch found no room. What takes events out is tried again while there is room to make for it;
 * other events wait until the sweep has made some.
 */
static int
commit_in_other_room(struct sqlite_store *store, struct store_batch *batch, struct error *err)
{
	if (batch->event_count > 0) {
		disk_refuse_batch(store, batch);
		return transaction_refuse_full(store, err);
	}
	int failed = -1;
	while (failed < 0 && err->code == ERROR_STORAGE_FULL && checkpoint_make_room(store))
		failed = write_and_commit(store, batch, err);
	return store->broken && failed == 0 ? refuse_unknown(store, err) : failed;
}

static int
commit_batch(struct sqlite_store *store, struct store_batch *batch, struct error *err)
{
	if (store->broken)
		return refuse_unknown(store, err);
	if (!disk_admit_batch(store, batch))
		return transaction_refuse_full(store, err);
	int failed = write_and_commit(store, batch, err);
	return failed < 0 && err->code == ERROR_STORAGE_FULL
		   ? commit_in_other_room(store, batch, err)
		   : failed;
}

static int
sync_batch(struct sqlite_store *store, struct error *err)
{
	if (wal_sync(wal_of(store->db)) == SQLITE_OK)
		return check_files(store, err);
	transaction_mark_broken(store);
	return error_set(err, ERROR_STORAGE_UNKNOWN, "cannot sync the log of %s", store->path);
}

static void
commit(struct store *base, struct store_batch *batch, commit_written *written, commit_done *done,
       void *arg)
{
	struct sqlite_store *store = (struct sqlite_store *)base;
	struct error err;
	int failed;

	if (store_batch_is_empty(batch)) { /* only this server writes, so it may answer */
		if (store->broken)
			refuse_unknown(store, &err);
		done(arg, store->broken ? &err : NULL);
		return;
	}
	failed = commit_batch(store, batch, &err);

	if (failed == 0) {
		record_batch(store, batch);
		written(arg);
		failed = sync_batch(store, &err);
	}
	done(arg, failed < 0 ? &err : NULL);
}

/* Skips a row that is missing, or damaged, or in a damaged page. */
static int
read_one(struct sqlite_store *store, const struct wanted_event *wanted, read_event *each, void *arg,
	 struct error *err)
{
	sqlite3_stmt *row = store->statement[STATEMENT_READ_EVENT];
	struct arena arena = { 0 };
	struct system_event event;
	int failed = 0;

	sqlite3_bind_int64(row, 1, wanted->id);
	int rc = sqlite3_step(row);
	if (rc == SQLITE_ROW &&
	    moved_rows_read_event(store, row, wanted->as_stored, &arena, &event) == 0)
		each(arg, &event);
	else if (rc == SQLITE_CORRUPT)
		row_note_damage(store, wanted->id);
	else if (rc != SQLITE_ROW && rc != SQLITE_DONE)
		failed = transaction_fail_read(store, err);
	sqlite3_reset(row);
	arena_clear(&arena);
	return failed;
}

static void
read_events(struct store *base, const struct wanted_event *wanted, size_t count, read_event *each,
	    read_done *done, void *arg)
{
	struct sqlite_store *store = (struct sqlite_store *)base;
	struct error err;
	int failed = 0;

	transaction_begin_read(store);
	for (size_t i = 0; failed == 0 && i < count; i++)
		failed = read_one(store, &wanted[i], each, arg, &err);
	transaction_end_read(store);
	done(arg, failed < 0 ? &err : NULL);
}

static void
load(struct store *base, const struct store_loading *loading, struct store_newest *newest,
     load_ended *done, void *arg)
{
	struct error err;
	int failed = sqlite_load(base, loading, newest, &err);

	done(arg, failed < 0 ? &err : NULL);
}

static void
chores(struct store *base, const struct chores *wanted, chores_done *done, void *arg)
{
	struct sqlite_store *store = (struct sqlite_store *)base;
	bool more = sqlite_chores(base, wanted);
	struct error err;

	if (store->broken)
		refuse_unknown(store, &err);
	done(arg, more, store->broken ? &err : NULL);
}

static int
backup(struct store *base, const char *path, struct error *err)
{
	struct sqlite_store *store = (struct sqlite_store *)base;

	return store->broken ? refuse_unknown(store, err) : backup_begin(store, path, err);
}

static bool
ready(struct store *base, struct error *err)
{
	struct sqlite_store *store = (struct sqlite_store *)base;

	if (store->broken)
		refuse_unknown(store, err);
	else if (store->full)
		transaction_refuse_full(store, err);
	return !store->broken && !store->full;
}

static void
stats(struct store *base, struct store_stats *ret)
{
	struct sqlite_store *store = (struct sqlite_store *)base;

	*ret = store->stats;
	ret->dead_letters_lost = store->base.dead_letters_lost;
	ret->keys_forgotten = store->base.keys_forgotten;
	ret->damaged_reads = store->base.damaged_reads;
	sqlite3_file *file = NULL;
	sqlite3_file_control(store->db, "main", SQLITE_FCNTL_FILE_POINTER, &file);
	ret->database_bytes = disk_file_bytes(file);
	ret->free_bytes = disk_free_bytes(store);
	ret->schema = open_newest_version();
	/* a frame is a header of 24 bytes and a page */
	ret->wal_bytes = (uint64_t)store->wal_frames * (PAGE_BYTES + 24);
}

static void
close_store(struct store *base, const struct store_time *time)
{
	struct sqlite_store *store = (struct sqlite_store *)base;

	if (time != NULL && !store->broken && store->newest.event > 0)
		clock_rows_keep_time(store, time);
	backup_stop(store);
	session_rows_clear(store);
	key_rows_clear(store);
	for (size_t i = 0; i < STATEMENT_COUNT; i++)
		sqlite3_finalize(store->statement[i]);
	if (store->broken) /* recovery decides what counts, on the next start */
		sqlite3_db_config(store->db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL);
	sweep_free(store->sweep);
	moved_rows_clear(store);
	clock_marks_clear(&store->marks);
	sqlite3_close(store->db); /* checkpoints and removes the WAL, as the last connection */
	if (store->db_fd >= 0)    /* not before: closing it ends the locks that SQLite has */
		close(store->db_fd);
	if (store->lock_fd >= 0)
		close(store->lock_fd);
	json_clear(&store->delivery_json);
	buf_clear(&store->scratch);
	free(store->path);
	free(store);
}

static const struct store_driver sqlite_driver = {
	.load = load,
	.commit = commit,
	.read = read_events,
	.lookup = sqlite_lookup,
	.history = sqlite_history,
	.chores = chores,
	.backup = backup,
	.ready = ready,
	.stats = stats,
	.close = close_store,
};

void
sqlite_options_init(struct sqlite_options *options)
{
	*options = (struct sqlite_options){ .min_free_bytes = 64 << 20,
					    .keys_max = KEYS_DEFAULT,
					    .keys_per_owner_max = SESSION_KEYS_DEFAULT };
}

int
sqlite_open(const struct sqlite_options *options, struct store **ret, struct error *err)
{
	struct sqlite_store *store = mem_alloc(sizeof(*store));

	assert(*options->path != '\0');
	store->base.driver = &sqlite_driver;
	store->max_bytes = options->max_bytes;
	store->min_free_bytes = options->min_free_bytes;
	store->allow_network_fs = options->allow_network_fs;
	store->keys_max = options->keys_max;
	store->keys_per_owner_max = options->keys_per_owner_max;
	/* one name for one file, or a link to it would have a lock file of its own */
	store->path = realpath(options->path, NULL);
	if (store->path == NULL)
		store->path = path_with_suffix(options->path, "");
	store->lock_fd = store->db_fd = -1;
	if (open_database(store, err) < 0) {
		close_store(&store->base, NULL);
		return -1;
	}
	*ret = &store->base;
	return 0;
}
