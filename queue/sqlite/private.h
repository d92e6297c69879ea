/*
 * private.h - what the files of the SQLite driver share. Included by nobody else.
 */
#ifndef QUEUE_SQLITE_PRIVATE_H
#define QUEUE_SQLITE_PRIVATE_H

#include <sqlite3.h>

#include "queue/catalog/table.h"
#include "queue/sqlite/store.h"

#define SQLITE_APPLICATION_ID 0x73657671 /* "sevq" */

#define SQLITE_PAGE_BYTES 4096
#define SQLITE_SWEEP_MAX 500 /* events a step, or keys */

#define SQLITE_OUTCOME_EVENTS_MAX 10000000 /* no outcome names more; a larger list is damage */

enum statement {
	STATEMENT_BEGIN,
	STATEMENT_BEGIN_READING,
	STATEMENT_COMMIT,
	STATEMENT_ROLLBACK,
	STATEMENT_FIND_SESSION,
	STATEMENT_SESSION_KEY,
	STATEMENT_ADD_SESSION,
	STATEMENT_REMOVE_SESSION,
	STATEMENT_KEEP_CONTEXT,
	STATEMENT_CONTEXTS,
	STATEMENT_ADD_EVENTS,
	STATEMENT_READ_EVENT,
	STATEMENT_REMOVE_EVENT,
	STATEMENT_ADD_OUTCOMES,
	STATEMENT_OLDEST_OUTCOME,
	STATEMENT_REMOVE_OUTCOME,
	STATEMENT_LEASE_OUTCOMES,
	STATEMENT_OUTCOME_SINCE,
	STATEMENT_SESSION_OUTCOMES,
	STATEMENT_HISTORY,
	STATEMENT_SESSION_HISTORY,
	STATEMENT_DEAD_LETTERS,
	STATEMENT_ADD_DEAD_LETTER,
	STATEMENT_REQUEUE_DEAD_LETTER,
	STATEMENT_REMOVE_DEAD_LETTER,
	STATEMENT_IS_DEAD_LETTER,
	STATEMENT_REQUEUED,
	STATEMENT_ADD_KEY,
	STATEMENT_FIND_KEY,
	STATEMENT_REMOVE_KEYS,
	STATEMENT_COUNT
};

/* How many event rows a session has, so that its own row can go with the last. */
struct session_rows {
	int64_t session;
	size_t events;
	/* the queue's own, while the store is loaded; NULL: nothing pending so far */
	struct store_session *loading;
};

/* A round of the sweep. */
struct sqlite_sweep {
	bool gathered; /* what it removes is known */
	int64_t after; /* the last outcome looked at */
	struct sweep_range {
		int64_t first, last;
		bool dead; /* they are, or were, dead letters */
		/* of events; those before range_at are gone, and in that one those before next */
	} * ranges;
	size_t range_count, range_cap, range_at;
	int64_t next;
	uint64_t events;   /* in all ranges */
	int64_t *outcomes; /* ids; those before outcome_at are gone */
	size_t outcome_count, outcome_cap, outcome_at;
	int64_t sessions[SQLITE_SWEEP_MAX]; /* of the events that the step under way has removed */
	size_t removed;
};

struct sqlite_store {
	struct store base;
	struct sqlite_options options;
	char *path;
	int lock_fd;
	sqlite3 *db;
	sqlite3_stmt *statement[STATEMENT_COUNT];
	struct store_stats stats;
	struct table session_rows; /* struct session_rows by session, owned */
	struct store_newest ends;  /* the newest stored */
	/* in the WAL after the last commit; 0 after a checkpoint */
	int wal_frames;
	const struct store_batch *batch; /* of the commit under way; else NULL */
	/* what is on disk is unknown: nothing may be acknowledged any more (C8) */
	bool broken;
	/* below the watermark, or SQLite said so; enqueues are refused */
	bool full;
	/* on the disk, as far as we know, less what is in the log only */
	uint64_t free_bytes;
	bool reserved;        /* the reserve was made, or could not be */
	bool capped;          /* max_bytes is in force, for a batch with events */
	int64_t next_look_ms; /* when to look at the disk again (monotonic) */
	bool sweeping;        /* the last step found something to forget */
	bool forgetting;      /* the same for idempotency keys */
	struct sqlite_sweep sweep;
	/* While reading: */
	struct json delivery_json;
	struct buf scratch;
};

/* sqlite_store.c */
extern const struct store_driver sqlite_driver;
int sqlite_run(sqlite3_stmt *statement); /* one that gives no rows; SQLITE_OK or why not */
/*
 * Ends the transaction under way: commits it, or takes it back when rc says that a statement
 * failed. -1: ERROR_STORAGE_FULL or ERROR_STORAGE_FAILED, and nothing of it is there;
 * ERROR_STORAGE_UNKNOWN, and the store is broken.
 */
int sqlite_end(struct sqlite_store *store, int rc, struct error *err);
/*
 * What is on disk is unknown: nothing is acknowledged any more, and nobody believes the index of
 * the log (C8).
 */
void sqlite_break(struct sqlite_store *store);
/* Around many reads, so that they take the locks once. Neither fails. */
void sqlite_begin_reading(struct sqlite_store *store);
void sqlite_end_reading(struct sqlite_store *store);

/*
 * sqlite_batch.c: the batch under way as tables, batch_event and batch_outcome. SQLITE_OK or why
 * not.
 */
int sqlite_show_batches(struct sqlite_store *store);

/* sqlite_vfs.c */
const char *sqlite_vfs(void);          /* the name of the VFS that the database is opened with */
sqlite3_file *sqlite_log(sqlite3 *db); /* the log of a database in WAL mode */
/*
 * Whether commits leave the sync of the log to whoever calls sqlite_sync, and only begin to write
 * it to the disk.
 */
void sqlite_defer_sync(sqlite3_file *log, bool put_off);
/* if anything was written since the last; SQLITE_OK or why not */
int sqlite_sync(sqlite3_file *log);
/* under its name still, where the next start looks for it */
bool sqlite_log_is_there(sqlite3_file *log);
/* from others, from here on; SQLITE_BUSY: somebody is at it */
int sqlite_keep_checkpoints(sqlite3 *db);
/* Whoever reads or checkpoints next, here or in another process, goes by what is in the log. */
void sqlite_forget_index(sqlite3 *db);

/* sqlite_disk.c */
void sqlite_make_room_to_open(struct sqlite_store *store); /* once the lock is taken */
void sqlite_look_at_disk(struct sqlite_store *store);      /* now and then: how much is free */
/*
 * Whether events stay below max_bytes, or the file may grow for what takes them out and for what is
 * forgotten.
 */
void sqlite_cap(struct sqlite_store *store, bool events);
/*
 * Whether the batch may be written, and caps it; from here on its rows count as written. False:
 * there are events in it.
 */
bool sqlite_has_room(struct sqlite_store *store, const struct store_batch *batch);
bool sqlite_give_up_reserve(struct sqlite_store *store); /* false: there was none */

/* sqlite_open.c */
/* path and suffix; the caller frees it */
char *path_with_suffix(const char *path, const char *suffix);
int sqlite_fail(struct sqlite_store *store, struct error *err, enum error_code code,
		const char *what);

/* sqlite_load.c */
int sqlite_load(struct store *base, const struct store_loading *loading, struct store_newest *ends,
		struct error *err);

/* sqlite_chores.c */
bool sqlite_chores(struct store *base, const struct chores *chores);

/* sqlite_sweep.c */
/* a step; false: nothing to do now */
bool sqlite_sweep(struct sqlite_store *store, const struct chores *chores);
void sqlite_sweep_clear(struct sqlite_sweep *round);

/* sqlite_history.c */
void sqlite_lookup(struct store *base, const struct lookup *lookups, size_t count,
		   lookup_found *each, read_done *done, void *arg);
void sqlite_history(struct store *base, const struct history_query *query, history_row *each,
		    history_done *done, void *arg);

/* sqlite_rows.c: rows to structs and back. */
/* NULL stays NULL; until the next step */
struct str sqlite_text(sqlite3_stmt *statement, int column);
struct str sqlite_value_text(sqlite3_value *value);
void sqlite_bind_text(sqlite3_stmt *statement, int index, struct str text);
/*
 * The row under the cursor as an event or an outcome (the columns in the order of sqlite_open.c).
 * Borrowed as below.
 */
int sqlite_event(struct sqlite_store *store, sqlite3_stmt *row, struct arena *arena,
		 struct system_event *ret);
int sqlite_outcome(sqlite3_stmt *row, struct arena *arena, struct store_outcome *ret);
/* Text is borrowed from the row or lives in the arena. */
int sqlite_read_delivery(struct str text, struct json *json, struct arena *arena,
			 struct delivery *ret);
struct session_rows *sqlite_count_event(struct sqlite_store *store, int64_t session);
/* true: that was the session's last */
bool sqlite_uncount_event(struct sqlite_store *store, int64_t session);

/* sqlite_ids.c: ascending ids as JSON, "[1,[3,7],9]", and back. */
struct id_range {
	int64_t first, last;
};
void ids_write(struct buf *out, const int64_t *ids, size_t count);
/*
 * Reads the range behind *range (all zero: the first) at *at; false at the end or, with *at NULL,
 * at something that is no such list.
 */
bool ids_next(const char **at, const char *end, struct id_range *range);
/* Reads the whole list into the arena; false if it is none, or holds more than most ids. */
bool ids_read(struct str text, size_t most, struct arena *arena, int64_t **ids, size_t *count);

#endif
