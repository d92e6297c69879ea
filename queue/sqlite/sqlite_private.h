/*
 * sqlite_private.h - what the files of the SQLite driver share. Included by nobody else.
 */
#ifndef SEVQ_QUEUE_SQLITE_PRIVATE_H
#define SEVQ_QUEUE_SQLITE_PRIVATE_H

#include <sqlite3.h>

#include "queue/sqlite/sqlite_store.h"
#include "queue/table.h"

#define SEVQ_SQLITE_APPLICATION_ID 0x73657671 /* "sevq" */

#define SEVQ_SQLITE_PAGE_BYTES 4096
#define SEVQ_SQLITE_SWEEP_MAX 500 /* events a step */

enum statement {
	STATEMENT_BEGIN,
	STATEMENT_COMMIT,
	STATEMENT_ROLLBACK,
	STATEMENT_FIND_SESSION,
	STATEMENT_ADD_SESSION,
	STATEMENT_REMOVE_SESSION,
	STATEMENT_ADD_EVENT,
	STATEMENT_READ_EVENT,
	STATEMENT_REMOVE_EVENT,
	STATEMENT_ADD_OUTCOME,
	STATEMENT_OLDEST_OUTCOME,
	STATEMENT_REMOVE_OUTCOME,
	STATEMENT_COUNT
};

/* How many event rows a session has, so that its own row can go with the last. */
struct session_rows {
	int64_t session;
	size_t events;
};

struct sqlite_store {
	struct sevq_store base;
	struct sevq_sqlite_options options;
	char *path;
	int lock_fd;
	sqlite3 *db;
	sqlite3_stmt *statement[STATEMENT_COUNT];
	struct sevq_store_stats stats;
	struct sevq_table session_rows;       /* struct session_rows by session, owned */
	int64_t last_id;                      /* the newest event stored */
	int wal_frames;                       /* in the WAL after the last commit; 0 after a checkpoint */
	bool broken;                          /* what is on disk is unknown: nothing may be acknowledged any more (C8) */
	bool full;                            /* below the watermark, or SQLite said so; enqueues are refused */
	int64_t next_look_ms;                 /* when to look at the disk again (monotonic) */
	bool sweeping;                        /* the last step found something to forget */
	size_t sweep_at;                      /* how many events of the oldest outcome are already gone */
	int64_t swept[SEVQ_SQLITE_SWEEP_MAX]; /* sessions of the events removed by the step under way */
	size_t swept_count;
	/* While reading: */
	struct sevq_json delivery_json;
	struct sevq_buf scratch;
};

/* sqlite_store.c */
extern const struct sevq_store_driver sevq_sqlite_driver;
int sevq_sqlite_run(sqlite3_stmt *statement); /* one that gives no rows; SQLITE_OK or why not */
/*
 * Ends the transaction under way: commits it, or takes it back when rc says that a statement failed. -1: SEVQ_STORAGE_FULL
 * or SEVQ_STORAGE_FAILED, and nothing of it is there; SEVQ_STORAGE_UNKNOWN, and the store is broken.
 */
int sevq_sqlite_end(struct sqlite_store *store, int rc, struct sevq_error *err);

/* sqlite_open.c */
int sevq_sqlite_fail(struct sqlite_store *store, struct sevq_error *err, enum sevq_code code, const char *what);

/* sqlite_load.c */
int sevq_sqlite_load(struct sevq_store *base, sevq_load_event *each, void *arg, int64_t *last_id, int64_t *last_ts_ms,
		     struct sevq_error *err);

/* sqlite_sweep.c */
bool sevq_sqlite_chores(struct sevq_store *base, int64_t settled_before_ms, size_t settled_rows_max, size_t pending);
void sevq_sqlite_look_at_disk(struct sqlite_store *store);

/* sqlite_rows.c: rows to structs and back. */
struct sevq_str sevq_sqlite_text(sqlite3_stmt *statement, int column); /* NULL stays NULL; until the next step */
void sevq_sqlite_bind_text(sqlite3_stmt *statement, int index, struct sevq_str text);
void sevq_sqlite_bind_delivery(sqlite3_stmt *statement, int index, const struct sevq_delivery *delivery, struct sevq_buf *scratch);
/* Text is borrowed from the row or lives in the arena. */
int sevq_sqlite_column_delivery(sqlite3_stmt *statement, int column, struct sevq_json *json, struct sevq_arena *arena,
				struct sevq_delivery *ret);
void sevq_sqlite_count_event(struct sqlite_store *store, int64_t session);
bool sevq_sqlite_uncount_event(struct sqlite_store *store, int64_t session); /* true: that was the session's last */

/* sqlite_ids.c: ascending ids as JSON, "[1,[3,7],9]", and back. */
struct sevq_id_range {
	int64_t first, last;
};
void sevq_ids_write(struct sevq_buf *out, const int64_t *ids, size_t count);
/*
 * Reads the range behind *range (all zero: the first) at *at; false at the end or, with *at NULL, at something that is no
 * such list.
 */
bool sevq_ids_next(const char **at, const char *end, struct sevq_id_range *range);

#endif
