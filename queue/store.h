/*
 * store.h - what the queue needs of a storage driver.
 *
 * Two things that are only appended to: events, immutable, in id order; and outcomes, what happened
 * to them. A driver keeps both, gives back what is still pending when it opens, and makes a batch
 * durable before it says so.
 * The interface is asynchronous: done may be called before commit or read returns (SQLite) or later
 * from the loop (a network store). Nothing above may assume either. One commit is under way at a
 * time.
 * Here: the interface. Not here: SQL, the catalog, which ops exist.
 */
#ifndef QUEUE_STORE_H
#define QUEUE_STORE_H

#include "schema/event.h"

/*
 * A session as the store knows it. The queue keeps one per queue key and lends it with every
 * record.
 */
struct store_session {
	struct str key;
	int64_t row; /* the driver's number for it; 0 until a commit with it is written */
};

/*
 * One event to append, or loaded: the event as it will be read back, and what only the catalog
 * needs.
 */
struct store_event {
	struct system_event event;
	struct store_session *session;
	uint64_t text_hash;
	int64_t session_row; /* the driver's own, while it commits or loads */
};

#define LEASE_EXCLUSIVE (-1)

/* One outcome to append: one row per call, whatever the number of events. */
struct store_outcome {
	enum outcome_kind kind;
	int64_t ts_ms;
	struct store_session *session;
	int64_t *ids; /* ascending, no repeats; count > 0 */
	size_t count;
	/* that settles: of each, how many deliveries had failed; NULL: none had */
	const uint8_t *attempts;
	int64_t id; /* ascends over the life of the database; a lease's id */
	/* whose lease this is about; 0: none; of a leased one: LEASE_EXCLUSIVE or 0 */
	int64_t lease;
	int64_t until_ms;    /* 0: none; see schema/sql */
	struct str detail;   /* NULL: none */
	int64_t session_row; /* the driver's own, while it commits */
};

/* The lease that the outcome is about: its own, for a lease. 0: none. */
static inline int64_t
outcome_lease(const struct store_outcome *outcome)
{
	return outcome->kind == OUTCOME_LEASED ? outcome->id : outcome->lease;
}

/* The answer that a request with an idempotency key was given. */
struct store_key {
	struct str key;
	uint64_t request; /* hash of the request */
	int64_t ts_ms;
	struct str answer; /* the queue's own notation */
};

/*
 * The last context of a session that has outlived its event, and no log tells of; or (NULL) that it
 * has none such any more.
 */
struct store_context {
	struct store_session *session;
	struct str context_key;
};

/* Everything of one transaction: all or nothing. Events in ascending id order. */
struct store_batch {
	struct store_event *events;
	size_t event_count, event_cap;
	struct store_outcome *outcomes;
	size_t outcome_count, outcome_cap;
	struct store_key *keys;
	size_t key_count, key_cap;
	struct store_context *contexts; /* never alone */
	size_t context_count, context_cap;
};

/*
 * The batch is written but not yet durable; only ERROR_STORAGE_UNKNOWN can still happen. Work that
 * nobody outside can see may be done now, while the disk syncs.
 */
typedef void commit_written(void *arg);

/*
 * How a commit ended: err NULL: durable. Else ERROR_STORAGE_FULL or ERROR_STORAGE_FAILED: certainly
 * nothing of it is there; ERROR_STORAGE_UNKNOWN: it may or may not be.
 */
typedef void commit_done(void *arg, const struct error *err);

/*
 * One stored event that was asked for; text borrowed for the call. Order is that of the ids asked
 * for.
 */
typedef void read_event(void *arg, const struct system_event *event);
typedef void read_done(void *arg, const struct error *err);

/* What can be looked up before an op is planned. */
enum lookup_kind {
	LOOKUP_NONE,     /* nothing, in its place */
	LOOKUP_EVENT,    /* the event with this id */
	LOOKUP_TIMELINE, /* the same, then the outcomes that name it, oldest first */
	/* the lease with this id, then whatever took events out of it, oldest first */
	LOOKUP_LEASE,
	LOOKUP_DEAD, /* the event with this id, if it is a dead letter that was not requeued */
	LOOKUP_KEY,  /* the answer kept for this idempotency key */
};
struct lookup {
	enum lookup_kind kind;
	int64_t id;
	struct str key;
};

/* One thing found; the other pointers are NULL. Borrowed for the call. */
struct found {
	const struct system_event *event;
	const struct store_outcome *outcome;
	const struct store_key *key;
};
typedef void lookup_found(void *arg, size_t index, const struct found *found);

/* A page of history: outcomes newest first, each with its events expanded by the driver. */
struct history_query {
	struct str session_key; /* NULL: all */
	struct str source;      /* NULL: all */
	enum outcome_kind kind; /* 0: every settling one */
	/* evicted and dead ones that were not requeued; kind is ignored */
	bool dead_letters;
	int64_t since_ms, until_ms; /* of the outcome; until 0: now */
	int64_t before_outcome;     /* cursor: outcomes before this one, */
	int64_t before_event;       /* or of this one only events before this; 0: all of them */
	size_t limit;
};
/*
 * One row; both borrowed. outcome->ids is just this event's id; the event has the attempts that it
 * had then.
 */
typedef void history_row(void *arg, const struct system_event *event,
			 const struct store_outcome *outcome);
/* more: the cursor that goes on after the last row, zero where there is nothing more. */
typedef void history_done(void *arg, int64_t more_outcome, int64_t more_event,
			  const struct error *err);

/* What opening tells. Everything is borrowed for the call. */
struct store_loading {
	/*
	 * A session that the next events are the first of: the answer is lent with all of its
	 * events, and its row set.
	 */
	struct store_session *(*session)(void *arg, struct str key);
	/*
	 * The next pending events, in id order, some at a time. Of event.text there is only the
	 * length, and no original_session_key where that is the queue key.
	 */
	int (*events)(void *arg, const struct store_event *events, size_t count, struct error *err);
	/* The last context of a session that was kept with it, after all events. */
	void (*context)(void *arg, struct str key, struct str context_key);
	/* An outcome that does not settle its events, in id order, after all events. */
	void (*outcome)(void *arg, const struct store_outcome *outcome);
	void *arg;
};

/* The newest of all that was ever stored; 0 for none. */
struct store_newest {
	int64_t event, outcome, ts_ms;
};

struct store_stats {
	uint64_t database_bytes, wal_bytes;
	/* rows on disk, settled ones included; maintained, not counted */
	uint64_t events, outcomes;
	uint64_t checkpoints, swept; /* since open; swept: events */
};

struct store {
	const struct store_driver *driver;
};

/* What chores may forget. */
struct chores {
	int64_t settled_before_ms;
	size_t settled_rows_max;
	int64_t keys_before_ms;
	/* of the stored events, how many are not settled */
	size_t pending_count;
	bool (*pending)(void *arg, struct str session_key, int64_t event_id); /* is this one? */
	void *arg;
};

struct store_driver {
	/* Fills in ends; then tells every pending event, then what else bears on them. */
	int (*load)(struct store *store, const struct store_loading *loading,
		    struct store_newest *ends, struct error *err);
	/*
	 * Makes the batch durable: written, unless it fails before, then done. The batch is
	 * borrowed until the first of them.
	 */
	void (*commit)(struct store *store, struct store_batch *batch, commit_written *written,
		       commit_done *done, void *arg);
	/*
	 * Reads events by id, settled or not; those that are not there, or damaged, are passed
	 * over. ids are borrowed until done.
	 */
	void (*read)(struct store *store, const int64_t *ids, size_t count, read_event *each,
		     read_done *done, void *arg);
	/* Looks up; what is not there is passed over. lookups are borrowed until done. */
	void (*lookup)(struct store *store, const struct lookup *lookups, size_t count,
		       lookup_found *each, read_done *done, void *arg);
	/*
	 * One page of history, in bounded time and with no more text than an answer may have: so a
	 * short page may have more behind it.
	 */
	void (*history)(struct store *store, const struct history_query *query, history_row *each,
			history_done *done, void *arg);
	/*
	 * One small step of housekeeping, between commits: a checkpoint, or forgetting some of what
	 * is past its time. True: there is more to do. Its failures are the store's own, to be
	 * tried again, but for one that ready tells of.
	 */
	bool (*chores)(struct store *store, const struct chores *chores);
	/*
	 * False: no event would be taken (ERROR_STORAGE_FULL), or what is on disk is unknown
	 * (ERROR_STORAGE_UNKNOWN), for good.
	 */
	bool (*ready)(struct store *store, struct error *err);
	void (*stats)(struct store *store, struct store_stats *ret);
	void (*close)(struct store *store);
};

#endif
