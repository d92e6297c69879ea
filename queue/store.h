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

/* A session as the store knows it. The queue keeps one per queue key and lends it with every record. */
struct sevq_store_session {
	struct sevq_str key;
	int64_t row; /* the driver's number for it; 0 until a commit with it is written */
};

/* One event to append, or loaded: the event as it will be read back, and what only the catalog needs. */
struct sevq_store_event {
	struct sevq_event event;
	struct sevq_store_session *session;
	uint64_t text_hash;
	int64_t session_row; /* the driver's own, while it commits or loads */
};

#define SEVQ_LEASE_EXCLUSIVE (-1)

/* One outcome to append: one row per call, whatever the number of events. */
struct sevq_store_outcome {
	enum sevq_outcome_kind kind;
	int64_t ts_ms;
	struct sevq_store_session *session;
	int64_t *ids; /* ascending, no repeats; count > 0 */
	size_t count;
	const uint8_t *attempts; /* that settles: of each, how many deliveries had failed; NULL: none had */
	int64_t id;              /* ascends over the life of the database; a lease's id */
	int64_t lease;           /* whose lease this is about; 0: none; of a leased one: SEVQ_LEASE_EXCLUSIVE or 0 */
	int64_t until_ms;        /* 0: none; see schema/sql */
	struct sevq_str detail;  /* NULL: none */
	int64_t session_row;     /* the driver's own, while it commits */
};

/* The lease that the outcome is about: its own, for a lease. 0: none. */
static inline int64_t
sevq_outcome_lease(const struct sevq_store_outcome *outcome)
{
	return outcome->kind == SEVQ_OUTCOME_LEASED ? outcome->id : outcome->lease;
}

/* The answer that a request with an idempotency key was given. */
struct sevq_store_key {
	struct sevq_str key;
	uint64_t request; /* hash of the request */
	int64_t ts_ms;
	struct sevq_str answer; /* the queue's own notation */
};

/* The last context of a session that has outlived its event, and no log tells of; or (NULL) that it has none such any more. */
struct sevq_store_context {
	struct sevq_store_session *session;
	struct sevq_str context_key;
};

/* Everything of one transaction: all or nothing. Events in ascending id order. */
struct sevq_store_batch {
	struct sevq_store_event *events;
	size_t event_count, event_cap;
	struct sevq_store_outcome *outcomes;
	size_t outcome_count, outcome_cap;
	struct sevq_store_key *keys;
	size_t key_count, key_cap;
	struct sevq_store_context *contexts; /* never alone */
	size_t context_count, context_cap;
};

/*
 * The batch is written but not yet durable; only SEVQ_STORAGE_UNKNOWN can still happen. Work that nobody outside can see may be
 * done now, while the disk syncs.
 */
typedef void sevq_commit_written(void *arg);

/*
 * How a commit ended: err NULL: durable. Else SEVQ_STORAGE_FULL or SEVQ_STORAGE_FAILED: certainly nothing of it is
 * there; SEVQ_STORAGE_UNKNOWN: it may or may not be.
 */
typedef void sevq_commit_done(void *arg, const struct sevq_error *err);

/* One stored event that was asked for; text borrowed for the call. Order is that of the ids asked for. */
typedef void sevq_read_event(void *arg, const struct sevq_event *event);
typedef void sevq_read_done(void *arg, const struct sevq_error *err);

/* What can be looked up before an op is planned. */
enum sevq_lookup_kind {
	SEVQ_LOOKUP_NONE,     /* nothing, in its place */
	SEVQ_LOOKUP_EVENT,    /* the event with this id */
	SEVQ_LOOKUP_TIMELINE, /* the same, then the outcomes that name it, oldest first */
	SEVQ_LOOKUP_LEASE,    /* the lease with this id, then whatever took events out of it, oldest first */
	SEVQ_LOOKUP_DEAD,     /* the event with this id, if it is a dead letter that was not requeued */
	SEVQ_LOOKUP_KEY,      /* the answer kept for this idempotency key */
};
struct sevq_lookup {
	enum sevq_lookup_kind kind;
	int64_t id;
	struct sevq_str key;
};

/* One thing found; the other pointers are NULL. Borrowed for the call. */
struct sevq_found {
	const struct sevq_event *event;
	const struct sevq_store_outcome *outcome;
	const struct sevq_store_key *key;
};
typedef void sevq_lookup_found(void *arg, size_t index, const struct sevq_found *found);

/* A page of history: outcomes newest first, each with its events expanded by the driver. */
struct sevq_history_query {
	struct sevq_str session_key; /* NULL: all */
	struct sevq_str source;      /* NULL: all */
	enum sevq_outcome_kind kind; /* 0: every settling one */
	bool dead_letters;           /* evicted and dead ones that were not requeued; kind is ignored */
	int64_t since_ms, until_ms;  /* of the outcome; until 0: now */
	int64_t before_outcome;      /* cursor: outcomes before this one, */
	int64_t before_event;        /* or of this one only events before this; 0: all of them */
	size_t limit;
};
/* One row; both borrowed. outcome->ids is just this event's id; the event has the attempts that it had then. */
typedef void sevq_history_row(void *arg, const struct sevq_event *event, const struct sevq_store_outcome *outcome);
/* more: the cursor that goes on after the last row, zero where there is nothing more. */
typedef void sevq_history_done(void *arg, int64_t more_outcome, int64_t more_event, const struct sevq_error *err);

/* What opening tells. Everything is borrowed for the call. */
struct sevq_store_loading {
	/* A session that the next events are the first of: the answer is lent with all of its events, and its row set. */
	struct sevq_store_session *(*session)(void *arg, struct sevq_str key);
	/*
	 * The next pending events, in id order, some at a time. Of event.text there is only the length, and no
	 * original_session_key where that is the queue key.
	 */
	int (*events)(void *arg, const struct sevq_store_event *events, size_t count, struct sevq_error *err);
	/* The last context of a session that was kept with it, after all events. */
	void (*context)(void *arg, struct sevq_str key, struct sevq_str context_key);
	/* An outcome that does not settle its events, in id order, after all events. */
	void (*outcome)(void *arg, const struct sevq_store_outcome *outcome);
	void *arg;
};

/* The newest of all that was ever stored; 0 for none. */
struct sevq_store_ends {
	int64_t event, outcome, ts_ms;
};

struct sevq_store_stats {
	uint64_t database_bytes, wal_bytes;
	uint64_t events, outcomes;   /* rows on disk, settled ones included; maintained, not counted */
	uint64_t checkpoints, swept; /* since open; swept: events */
};

struct sevq_store {
	const struct sevq_store_driver *driver;
};

/* What chores may forget. */
struct sevq_chores {
	int64_t settled_before_ms;
	size_t settled_rows_max;
	int64_t keys_before_ms;
	size_t pending_count; /* of the stored events, how many are not settled */
	bool (*pending)(void *arg, struct sevq_str session_key, int64_t event_id); /* is this one? */
	void *arg;
};

struct sevq_store_driver {
	/* Fills in ends; then tells every pending event, then what else bears on them. */
	int (*load)(struct sevq_store *store, const struct sevq_store_loading *loading, struct sevq_store_ends *ends,
		    struct sevq_error *err);
	/* Makes the batch durable: written, unless it fails before, then done. The batch is borrowed until the first of them. */
	void (*commit)(struct sevq_store *store, struct sevq_store_batch *batch, sevq_commit_written *written,
		       sevq_commit_done *done, void *arg);
	/* Reads events by id, settled or not; those that are not there, or damaged, are passed over. ids are borrowed until done. */
	void (*read)(struct sevq_store *store, const int64_t *ids, size_t count, sevq_read_event *each, sevq_read_done *done,
		     void *arg);
	/* Looks up; what is not there is passed over. lookups are borrowed until done. */
	void (*lookup)(struct sevq_store *store, const struct sevq_lookup *lookups, size_t count, sevq_lookup_found *each,
		       sevq_read_done *done, void *arg);
	/* One page of history, in bounded time and with no more text than an answer may have: so a short page may have more behind it. */
	void (*history)(struct sevq_store *store, const struct sevq_history_query *query, sevq_history_row *each,
			sevq_history_done *done, void *arg);
	/*
	 * One small step of housekeeping, between commits: a checkpoint, or forgetting some of what is past its time. True: there
	 * is more to do. Its failures are the store's own, to be tried again, but for one that ready tells of.
	 */
	bool (*chores)(struct sevq_store *store, const struct sevq_chores *chores);
	/* False: no event would be taken (SEVQ_STORAGE_FULL), or what is on disk is unknown (SEVQ_STORAGE_UNKNOWN), for good. */
	bool (*ready)(struct sevq_store *store, struct sevq_error *err);
	void (*stats)(struct sevq_store *store, struct sevq_store_stats *ret);
	void (*close)(struct sevq_store *store);
};

#endif
