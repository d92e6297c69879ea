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
struct copy;
struct key_change;

struct sqlite_store {
	struct store base;
	char *path;
	/* As in struct sqlite_options (queue/sqlite/store.h): */
	uint64_t max_bytes, min_free_bytes;
	bool allow_network_fs;
	int lock_fd;
	sqlite3 *db;
	int db_fd; /* of the database, for what SQLite does not do; -1: that is left out */
	sqlite3_stmt *statement[STATEMENT_COUNT];
	struct store_stats stats;
	struct table session_rows; /* struct session_rows by session, owned */
	/* Idempotency keys (key_rows.c): struct key_owner by owner, owned; limits on their number
	 */
	struct table key_owners;
	uint64_t keys_max, keys_per_owner_max;
	struct key_change *key_changes; /* of the transaction under way */
	size_t key_change_count, key_change_cap;
	struct store_newest newest; /* the newest rows that were ever stored */
	struct store_newest kept;   /* what the table newest says */
	struct clock_marks marks;   /* what the table clock says */
	/* in the WAL after the last commit; 0 when a checkpoint has copied all of them */
	int wal_frames;
	int wal_frames_kept; /* those that the last checkpoint has found, and could not copy all */
	bool checkpoints;    /* a checkpoint is under way */
	int wal_frames_copied;           /* of the WAL, by checkpoints that have not copied all */
	const struct store_batch *batch; /* of the commit under way; else NULL */
	size_t dropped;                  /* outcomes that the commit under way has removed */
	/* what is on disk is unknown: nothing may be acknowledged any more (DESIGN C8) */
	bool broken;
	bool full;    /* there is no room for any event: all are refused */
	bool starved; /* SQLite found no room, and nobody knows why */
	/* settled events give way before their time; short_by: how much they have to free, in bytes
	 */
	bool short_of_room;
	uint64_t short_by;
	bool short_of_wal; /* the WAL is kept small: room is short, or room for the WAL alone */
	struct room {
		/*
		 * For events, at each limit, as far as known. What is written since the last
		 * measurement is taken off.
		 */
		uint64_t disk; /* above min_free_bytes */
		uint64_t wal;  /* for the WAL to grow, and to be checkpointed */
		uint64_t cap;  /* below max_bytes */
		/* What they come from: */
		uint64_t inside;  /* in pages that are free inside the file */
		uint64_t used;    /* in pages in use */
		uint64_t growth;  /* what the file will grow by when the WAL is checkpointed */
		uint64_t reserve; /* the size of the reserve file */
		uint64_t total;   /* all that is above min_free_bytes, or taken by this store */
	} room;
	/* of the largest batch that was refused and would still not fit; 0: none */
	uint64_t refused_bytes;
	int64_t refused_ms;         /* when events were refused last (monotonic) */
	int64_t reserve_after_ms;   /* the reserve file is not made before (monotonic) */
	bool capped;                /* max_bytes is in force, for a batch with events */
	int64_t next_disk_check_ms; /* when to measure the free space again (monotonic) */
	bool more_to_sweep;         /* the last step of the sweep left something to remove */
	bool more_keys;             /* the last step that removed idempotency keys left some */
	bool owes_time;             /* the time could not be stored when it was due */
	struct copy *copy;          /* the backup under way (backup.c), owned; NULL: none */
	bool copied_last;           /* the last chore was a step of it */
	struct sweep *sweep;        /* the round under way, owned; NULL: none */
	struct moves {              /* moved_rows.c's */
		int64_t newest;     /* no event with a higher id was ever moved */
		int64_t outcome;    /* one that was read last; 0: none */
		int64_t session;    /* where it moved its events from, */
		int64_t target;     /* and to */
		int64_t *ids;       /* of them; in the arena */
		size_t count;
		struct arena arena;
	} moves;
	/* While a row is read or written: */
	struct json delivery_json;
	struct buf scratch;
};

#endif
