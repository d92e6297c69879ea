/*
 * store.c - the driver at work: one transaction a batch, reads by id.
 *
 * Every commit ends with one fsync of the WAL on the one connection there is: COMMIT has begun to write it out
 * (sqlite_vfs.c), and what the queue has to do by then, it does meanwhile. After any failure the question is whether something
 * may be on disk: a statement that fails before COMMIT, and a COMMIT that ran out of space, have been rolled back for certain;
 * a COMMIT that failed otherwise, or a sync, may have reached the disk, and nobody may be told anything about it (C8).
 */
#include "queue/sqlite/private.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

int
sevq_sqlite_run(sqlite3_stmt *statement)
{
	int rc = sqlite3_step(statement);
	sqlite3_reset(statement);
	return rc == SQLITE_DONE ? SQLITE_OK : rc;
}

/* The session's row, found or made; its number is kept with the session only once the commit is written. */
static int
session_row(struct sqlite_store *store, const struct sevq_store_session *session, int64_t *ret)
{
	*ret = session->row;
	if (session->row != 0)
		return SQLITE_OK;
	sqlite3_stmt *find = store->statement[STATEMENT_FIND_SESSION], *add = store->statement[STATEMENT_ADD_SESSION];
	sevq_sqlite_bind_text(find, 1, session->key);
	int rc = sqlite3_step(find);
	if (rc == SQLITE_ROW)
		*ret = sqlite3_column_int64(find, 0);
	sqlite3_reset(find);
	if (rc != SQLITE_DONE)
		return rc == SQLITE_ROW ? SQLITE_OK : rc;
	sevq_sqlite_bind_text(add, 1, session->key);
	rc = sevq_sqlite_run(add);
	*ret = sqlite3_last_insert_rowid(store->db);
	return rc;
}

/* What the outcome does to the list of dead letters. */
static int
update_dead_letters(struct sqlite_store *store, const struct sevq_store_outcome *outcome)
{
	bool dies = outcome->kind == SEVQ_OUTCOME_DEAD || outcome->kind == SEVQ_OUTCOME_EVICTED;
	sqlite3_stmt *update = store->statement[dies ? STATEMENT_ADD_DEAD_LETTER : STATEMENT_REQUEUE_DEAD_LETTER];
	int rc = SQLITE_OK;
	if (!dies && outcome->kind != SEVQ_OUTCOME_REQUEUED)
		return rc;
	for (size_t i = 0; rc == SQLITE_OK && i < outcome->count; i++) {
		sqlite3_bind_int64(update, 1, outcome->ids[i]);
		sqlite3_bind_int64(update, 2, outcome->id);
		if (dies)
			sqlite3_bind_int(update, 3, outcome->attempts != NULL ? outcome->attempts[i] : 0);
		rc = sevq_sqlite_run(update);
	}
	return rc;
}

static int
add_key(struct sqlite_store *store, const struct sevq_store_key *key)
{
	sqlite3_stmt *add = store->statement[STATEMENT_ADD_KEY];
	sqlite3_bind_int64(add, 1, key->ts_ms);
	sevq_sqlite_bind_text(add, 2, key->key);
	sqlite3_bind_int64(add, 3, (int64_t)key->request);
	sevq_sqlite_bind_text(add, 4, key->answer);
	return sevq_sqlite_run(add);
}

static int
keep_context(struct sqlite_store *store, const struct sevq_store_context *context)
{
	sqlite3_stmt *keep = store->statement[STATEMENT_KEEP_CONTEXT];
	sevq_sqlite_bind_text(keep, 1, context->session->key);
	sevq_sqlite_bind_text(keep, 2, context->context_key);
	return sevq_sqlite_run(keep);
}

/* Every record gets its session's number. */
static int
find_sessions(struct sqlite_store *store, struct sevq_store_batch *batch)
{
	int rc = SQLITE_OK;
	for (size_t i = 0; rc == SQLITE_OK && i < batch->event_count; i++)
		rc = session_row(store, batch->events[i].session, &batch->events[i].session_row);
	for (size_t i = 0; rc == SQLITE_OK && i < batch->outcome_count; i++)
		rc = session_row(store, batch->outcomes[i].session, &batch->outcomes[i].session_row);
	return rc;
}

static int
write_batch(struct sqlite_store *store, struct sevq_store_batch *batch)
{
	int rc = sevq_sqlite_run(store->statement[STATEMENT_BEGIN]);
	store->batch = batch;
	if (rc == SQLITE_OK)
		rc = find_sessions(store, batch);
	if (rc == SQLITE_OK && batch->event_count > 0)
		rc = sevq_sqlite_run(store->statement[STATEMENT_ADD_EVENTS]);
	if (rc == SQLITE_OK && batch->outcome_count > 0)
		rc = sevq_sqlite_run(store->statement[STATEMENT_ADD_OUTCOMES]);
	for (size_t i = 0; rc == SQLITE_OK && i < batch->outcome_count; i++)
		rc = update_dead_letters(store, &batch->outcomes[i]);
	for (size_t i = 0; rc == SQLITE_OK && i < batch->key_count; i++)
		rc = add_key(store, &batch->keys[i]);
	for (size_t i = 0; rc == SQLITE_OK && i < batch->context_count; i++)
		rc = keep_context(store, &batch->contexts[i]);
	store->batch = NULL;
	return rc;
}

void
sevq_sqlite_break(struct sqlite_store *store)
{
	store->broken = true;
	sevq_sqlite_forget_index(store->db);
}

int
sevq_sqlite_end(struct sqlite_store *store, int rc, struct sevq_error *err)
{
	enum sevq_code code = SEVQ_STORAGE_FAILED;
	if (rc == SQLITE_OK) {
		rc = sevq_sqlite_run(store->statement[STATEMENT_COMMIT]);
		if (rc == SQLITE_OK)
			return 0;
		if (rc != SQLITE_FULL)
			code = SEVQ_STORAGE_UNKNOWN;
	}
	sevq_sqlite_fail(store, err, SEVQ_STORAGE_FAILED, "cannot write");
	if (!sqlite3_get_autocommit(store->db)) /* SQLite may have rolled back by itself already */
		sevq_sqlite_run(store->statement[STATEMENT_ROLLBACK]);
	if (!sqlite3_get_autocommit(store->db))
		code = SEVQ_STORAGE_UNKNOWN;
	else if (rc == SQLITE_FULL)
		code = SEVQ_STORAGE_FULL;
	store->full = store->full || code == SEVQ_STORAGE_FULL;
	if (code == SEVQ_STORAGE_UNKNOWN)
		sevq_sqlite_break(store);
	err->code = code;
	return -1;
}

/* What the driver keeps in memory about the rows of a commit. */
static void
remember(struct sqlite_store *store, struct sevq_store_batch *batch)
{
	for (size_t i = 0; i < batch->event_count; i++) {
		batch->events[i].session->row = batch->events[i].session_row;
		sevq_sqlite_count_event(store, batch->events[i].session_row);
		store->ends.event = batch->events[i].event.id;
	}
	if (batch->outcome_count > 0)
		store->ends.outcome = batch->outcomes[batch->outcome_count - 1].id;
	store->stats.outcomes += batch->outcome_count;
}

/* What was written to a file that is no longer under its name, nobody finds again. */
static int
check_place(struct sqlite_store *store, struct sevq_error *err)
{
	int moved = 0;
	bool is_there = sqlite3_file_control(store->db, "main", SQLITE_FCNTL_HAS_MOVED, &moved) == SQLITE_OK && !moved;
	if (is_there && sevq_sqlite_log_is_there(sevq_sqlite_log(store->db)))
		return 0;
	sevq_sqlite_break(store);
	return sevq_fail(err, SEVQ_STORAGE_UNKNOWN, "%s%s was removed or replaced", store->path, is_there ? "-wal" : "");
}

static int
write_and_commit(struct sqlite_store *store, struct sevq_store_batch *batch, struct sevq_error *err)
{
	sqlite3_file *log = sevq_sqlite_log(store->db);
	sevq_sqlite_put_off_sync(log, true);
	int failed = sevq_sqlite_end(store, write_batch(store, batch), err);
	sevq_sqlite_put_off_sync(log, false);
	return failed;
}

static int
refuse_all(const struct sqlite_store *store, struct sevq_error *err)
{
	return sevq_fail(err, SEVQ_STORAGE_UNKNOWN, "%s is in an unknown state", store->path);
}

static int
refuse_events(struct sevq_error *err)
{
	return sevq_fail(err, SEVQ_STORAGE_FULL, "there is no room for events: the disk or --db-max-bytes is full");
}

static int
commit_batch(struct sqlite_store *store, struct sevq_store_batch *batch, struct sevq_error *err)
{
	if (store->broken)
		return refuse_all(store, err);
	if (!sevq_sqlite_has_room(store, batch))
		return refuse_events(err);
	int failed = write_and_commit(store, batch, err);
	bool again = failed < 0 && err->code == SEVQ_STORAGE_FULL && batch->event_count == 0 && sevq_sqlite_give_up_reserve(store);
	return again ? write_and_commit(store, batch, err) : failed;
}

static int
make_durable(struct sqlite_store *store, struct sevq_error *err)
{
	if (sevq_sqlite_sync(sevq_sqlite_log(store->db)) == SQLITE_OK)
		return check_place(store, err);
	sevq_sqlite_break(store);
	return sevq_fail(err, SEVQ_STORAGE_UNKNOWN, "cannot sync the log of %s", store->path);
}

static void
commit(struct sevq_store *base, struct sevq_store_batch *batch, sevq_commit_written *written, sevq_commit_done *done, void *arg)
{
	struct sqlite_store *store = (struct sqlite_store *)base;
	struct sevq_error err;
	int failed = commit_batch(store, batch, &err);
	if (failed == 0) {
		remember(store, batch);
		written(arg);
		failed = make_durable(store, &err);
	}
	done(arg, failed < 0 ? &err : NULL);
}

/* Nothing depends on this but the price: without it every statement takes the locks and gives them back. */
void
sevq_sqlite_begin_reading(struct sqlite_store *store)
{
	sevq_sqlite_run(store->statement[STATEMENT_BEGIN_READING]);
}

void
sevq_sqlite_end_reading(struct sqlite_store *store)
{
	if (!sqlite3_get_autocommit(store->db)) /* a failed read may have ended it */
		sevq_sqlite_run(store->statement[STATEMENT_COMMIT]);
}

/* A row that is not there or damaged is passed over. */
static int
read_one(struct sqlite_store *store, int64_t id, sevq_read_event *each, void *arg, struct sevq_error *err)
{
	sqlite3_stmt *row = store->statement[STATEMENT_READ_EVENT];
	struct sevq_arena arena = { 0 };
	struct sevq_event event;
	int failed = 0;
	sqlite3_bind_int64(row, 1, id);
	int rc = sqlite3_step(row);
	if (rc == SQLITE_ROW && sevq_sqlite_event(store, row, &arena, &event) == 0)
		each(arg, &event);
	else if (rc != SQLITE_ROW && rc != SQLITE_DONE && rc != SQLITE_CORRUPT)
		failed = sevq_sqlite_fail(store, err, SEVQ_STORAGE_FAILED, "cannot read");
	sqlite3_reset(row);
	sevq_arena_clear(&arena);
	return failed;
}

static void
read_events(struct sevq_store *base, const int64_t *ids, size_t count, sevq_read_event *each, sevq_read_done *done, void *arg)
{
	struct sqlite_store *store = (struct sqlite_store *)base;
	struct sevq_error err;
	int failed = 0;
	sevq_sqlite_begin_reading(store);
	for (size_t i = 0; failed == 0 && i < count; i++)
		failed = read_one(store, ids[i], each, arg, &err);
	sevq_sqlite_end_reading(store);
	done(arg, failed < 0 ? &err : NULL);
}

static bool
ready(struct sevq_store *base, struct sevq_error *err)
{
	struct sqlite_store *store = (struct sqlite_store *)base;
	if (store->broken)
		refuse_all(store, err);
	else if (store->full)
		refuse_events(err);
	return !store->broken && !store->full;
}

static void
stats(struct sevq_store *base, struct sevq_store_stats *ret)
{
	struct sqlite_store *store = (struct sqlite_store *)base;
	sqlite3_int64 pages = 0;
	*ret = store->stats;
	sqlite3_file *file = NULL;
	if (sqlite3_file_control(store->db, "main", SQLITE_FCNTL_FILE_POINTER, &file) == SQLITE_OK && file->pMethods != NULL)
		file->pMethods->xFileSize(file, &pages);
	ret->database_bytes = (uint64_t)pages;
	ret->wal_bytes = (uint64_t)store->wal_frames * (SEVQ_SQLITE_PAGE_BYTES + 24); /* a frame is a page and its header */
}

static void
close_store(struct sevq_store *base)
{
	struct sqlite_store *store = (struct sqlite_store *)base;
	void *rows;
	for (size_t at = 0; (rows = sevq_table_each(&store->session_rows, &at)) != NULL;)
		free(rows);
	sevq_table_clear(&store->session_rows);
	for (size_t i = 0; i < STATEMENT_COUNT; i++)
		sqlite3_finalize(store->statement[i]);
	if (store->broken) /* recovery decides, on the next start */
		sqlite3_db_config(store->db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL);
	sevq_sqlite_sweep_clear(&store->sweep);
	sqlite3_close(store->db); /* the last connection: checkpoints and removes the WAL */
	if (store->lock_fd >= 0)
		close(store->lock_fd);
	sevq_json_clear(&store->delivery_json);
	sevq_buf_clear(&store->scratch);
	free(store->path);
	free(store);
}

const struct sevq_store_driver sevq_sqlite_driver = {
	.load = sevq_sqlite_load,
	.commit = commit,
	.read = read_events,
	.lookup = sevq_sqlite_lookup,
	.history = sevq_sqlite_history,
	.chores = sevq_sqlite_chores,
	.ready = ready,
	.stats = stats,
	.close = close_store,
};
