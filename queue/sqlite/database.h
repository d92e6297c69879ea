/*
 * database.h - struct sqlite_store: an open database and what the driver remembers about it.
 *
 * Here: the state that the files of the driver share. Not here: any function; a file that needs the
 * state includes this header and stands above it. Included by nobody outside queue/sqlite/.
 */
#ifndef QUEUE_SQLITE_DATABASE_H
#define QUEUE_SQLITE_DATABASE_H

#include <sqlite3.h>

#include "queue/catalog/table.h"
#include "queue/sqlite/statements.h"
#include "queue/store.h"

#define PAGE_BYTES 4096

struct sweep;

struct sqlite_store {
	struct store base;
	char *path;
	/* As in struct sqlite_options (queue/sqlite/store.h): */
	uint64_t max_bytes, min_free_bytes;
	bool allow_network_fs;
	int lock_fd;
	sqlite3 *db;
	sqlite3_stmt *statement[STATEMENT_COUNT];
	struct store_stats stats;
	struct table session_rows;  /* struct session_rows by session, owned */
	struct store_newest newest; /* the newest rows that were ever stored */
	struct store_newest kept;   /* what the table newest says */
	int wal_frames;             /* in the WAL after the last commit; 0 after a checkpoint */
	const struct store_batch *batch; /* of the commit under way; else NULL */
	/* what is on disk is unknown: nothing may be acknowledged any more (DESIGN C8) */
	bool broken;
	/* free space is below the limit, or SQLite ran out of it; events are refused */
	bool full;
	/* free on the disk as far as known, less the pages that are in the WAL only */
	uint64_t free_bytes;
	bool reserved;              /* the reserve file was made, or could not be */
	bool capped;                /* max_bytes is in force, for a batch with events */
	int64_t next_disk_check_ms; /* when to measure the free space again (monotonic) */
	bool more_to_sweep;         /* the last step of the sweep left something to remove */
	bool more_keys;             /* the last step that removed idempotency keys left some */
	struct sweep *sweep;        /* the round under way, owned; NULL: none */
	/* While a row is read or written: */
	struct json delivery_json;
	struct buf scratch;
};

#endif
