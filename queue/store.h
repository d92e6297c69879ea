/*
 * store.h - what the queue needs of a storage driver.
 *
 * Two things that are only appended to: events, immutable, in id order; and outcomes, what happened to them. A driver
 * keeps both, gives back what is still pending when it opens, and makes a batch durable before it says so.
 * The interface is asynchronous: done may be called before commit or read returns (SQLite) or later from the loop (a
 * network store). Nothing above may assume either. One commit is under way at a time.
 * Here: the interface. Not here: SQL, the catalog, which ops exist.
 */
#ifndef SEVQ_QUEUE_STORE_H
#define SEVQ_QUEUE_STORE_H

#include "schema/event.h"

/* What happened to events. Stored: append only. All of these settle their events. */
enum sevq_outcome_kind {
	SEVQ_OUTCOME_DRAINED = 1,
	SEVQ_OUTCOME_CONSUMED = 2,
	SEVQ_OUTCOME_WITHDRAWN = 3,
	SEVQ_OUTCOME_PURGED = 4,
	SEVQ_OUTCOME_REPLACED = 5,
	SEVQ_OUTCOME_EVICTED = 6,
};

/* A session as the store knows it. The queue keeps one per queue key and lends it with every record. */
struct sevq_store_session {
	struct sevq_str key;
	int64_t row; /* the driver's number for it; 0 until a commit with it has succeeded */
};

/* One event to append: the event as it will be read back, and what only the catalog needs. */
struct sevq_store_event {
	struct sevq_event event;
	struct sevq_store_session *session;
	uint64_t text_hash;
	int64_t session_row; /* the driver's own, while it commits */
};

/* One outcome to append: one row per call, whatever the number of events. */
struct sevq_store_outcome {
	enum sevq_outcome_kind kind;
	int64_t ts_ms;
	struct sevq_store_session *session;
	int64_t *ids; /* ascending, no repeats; count > 0 */
	size_t count;
};

/* Everything of one transaction: all or nothing. Events in ascending id order. */
struct sevq_store_batch {
	struct sevq_store_event *events;
	size_t event_count, event_cap;
	struct sevq_store_outcome *outcomes;
	size_t outcome_count, outcome_cap;
};

/*
 * How a commit ended: err NULL: durable. Else SEVQ_STORAGE_FULL or SEVQ_STORAGE_FAILED: certainly nothing of it is
 * there; SEVQ_STORAGE_UNKNOWN: it may or may not be.
 */
typedef void sevq_commit_done(void *arg, const struct sevq_error *err);

/* One stored event that was asked for; text borrowed for the call. Order is that of the ids asked for. */
typedef void sevq_read_event(void *arg, const struct sevq_event *event);
typedef void sevq_read_done(void *arg, const struct sevq_error *err);

/* One pending event on open, in id order. event.text is empty: only its length is known. Text borrowed for the call. */
typedef int sevq_load_event(void *arg, const struct sevq_event *event, int64_t session_row, uint64_t text_hash, size_t text_bytes,
			    struct sevq_error *err);

struct sevq_store_stats {
	uint64_t database_bytes, wal_bytes;
	uint64_t events, outcomes;   /* rows on disk, settled ones included; maintained, not counted */
	uint64_t checkpoints, swept; /* since open; swept: events */
};

struct sevq_store {
	const struct sevq_store_driver *driver;
};

struct sevq_store_driver {
	/* Calls each for every pending event. *last_id and *last_ts_ms: the newest of all events ever stored, 0 for none. */
	int (*load)(struct sevq_store *store, sevq_load_event *each, void *arg, int64_t *last_id, int64_t *last_ts_ms,
		    struct sevq_error *err);
	/* Makes the batch durable. The batch is borrowed until done. */
	void (*commit)(struct sevq_store *store, struct sevq_store_batch *batch, sevq_commit_done *done, void *arg);
	/* Reads events by id, settled or not; those that are not there, or damaged, are passed over. ids are borrowed until done. */
	void (*read)(struct sevq_store *store, const int64_t *ids, size_t count, sevq_read_event *each, sevq_read_done *done,
		     void *arg);
	/*
	 * One small step of housekeeping, between commits: a checkpoint, or forgetting some events that settled before the time
	 * or are over the row count. pending: how many of the stored events are not settled. True: there is more to do.
	 */
	bool (*chores)(struct sevq_store *store, int64_t settled_before_ms, size_t settled_rows_max, size_t pending);
	bool (*ready)(struct sevq_store *store, struct sevq_error *err);
	void (*stats)(struct sevq_store *store, struct sevq_store_stats *ret);
	void (*close)(struct sevq_store *store);
};

#endif
