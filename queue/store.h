/*
 * store.h - what the queue needs of a storage driver.
 *
 * A store holds two logs that are only appended to: events, immutable, in id order; and outcomes,
 * which say what happened to events, and of which some give way to later ones while their events
 * are pending (struct store_drop). A driver keeps both, reports the events that are still pending
 * when it loads, and makes a batch durable before it calls done.
 * The interface is asynchronous: a driver may call done before the call returns (SQLite does) or
 * later from the loop (a network store would), and the caller must not assume either. One call is
 * under way at a time.
 * Here: the interface. Not here: SQL, the catalog, which ops exist.
 */
#ifndef QUEUE_STORE_H
#define QUEUE_STORE_H

#include "queue/clock_marks.h"
#include "schema/event.h"

/*
 * A session as the store knows it. The queue owns one for each queue key; every record points to
 * its session's.
 */
struct store_session {
	struct str key;
	int64_t row; /* the driver's number for it; 0 until a commit with it is written */
};

/* One event that is appended or loaded: the event, and what the store keeps for the catalog. */
struct store_event {
	struct system_event event;
	struct store_session *session;
	uint64_t text_hash;
	bool damaged;        /* loaded: its text cannot be had, nor what else stands in its row */
	int64_t session_row; /* the driver's scratch, while it commits or loads */
};

#define LEASE_EXCLUSIVE (-1)

/* One outcome to append. A call makes one, whatever the number of its events. */
struct store_outcome {
	enum outcome_kind kind;
	int64_t ts_ms;
	struct store_session *session;
	int64_t *ids; /* ascending, no repeats; count > 0 */
	size_t count;
	/*
	 * Of a settling kind: how many deliveries of each event had failed; NULL: none had. Of
	 * returned and extended: the how manieth time it was, of extended in that lease; NULL: the
	 * first
	 */
	const uint32_t *counts;
	int64_t id; /* ascends over the life of the database; of a leased outcome: the lease's id */
	/* the lease it is about; 0: none. Of a leased outcome: LEASE_EXCLUSIVE or 0 */
	int64_t lease;
	int64_t until_ms;             /* 0: none; its meaning depends on the kind, see schema/sql */
	struct str detail;            /* NULL: none */
	struct store_session *target; /* of moved: where the events went; of others NULL */
	struct str died_in; /* of requeued: where the event died, for the queue alone; else NULL */
	/* of both sessions: the driver's scratch, while it commits or reads */
	int64_t session_row, target_row;
};

/* The id of the lease that the outcome is about; a leased outcome is about its own. 0: none. */
static inline int64_t
outcome_lease(const struct store_outcome *outcome)
{
	return outcome->kind == OUTCOME_LEASED ? outcome->id : outcome->lease;
}

/* The answer to a request with an idempotency key, kept to be repeated. */
struct store_key {
	struct str key;
	uint64_t request;  /* hash of the request */
	int64_t proven_ms; /* proven time (clock_marks.h) when it was kept */
	struct str answer; /* JSON that only the queue reads (ops/idempotency.c) */
	uint64_t owner;    /* who has sent it, for which session: keys are limited for each */
};

/*
 * The last context of a session, kept apart from the logs because its event was evicted; NULL: the
 * session has no such context any more.
 */
struct store_context {
	struct store_session *session;
	struct str context_key;
};

/*
 * Events that an outcome names no longer, because later ones say the same or more. An outcome that
 * names none is removed. The ids ascend.
 */
struct store_drop {
	int64_t outcome;
	int64_t *ids;
	size_t count;
};

/* The rows of one transaction, written all or none. Events are in ascending id order. */
struct store_batch {
	struct store_event *events;
	size_t event_count, event_cap;
	struct store_outcome *outcomes;
	size_t outcome_count, outcome_cap;
	struct store_key *keys;
	size_t key_count, key_cap;
	struct store_context *contexts; /* a batch with contexts has other records too */
	size_t context_count, context_cap;
	struct store_drop *drops; /* so has one with drops; of this batch's outcomes too */
	size_t drop_count, drop_cap;
	/* how these records and those to come are stamped; NULL: as before. Never all of a batch */
	const struct clock_mark *mark;
};

/* Whether the batch has no records; contexts, drops and a mark do not count. */
static inline bool
store_batch_is_empty(const struct store_batch *batch)
{
	return batch->event_count + batch->outcome_count + batch->key_count == 0;
}

/*
 * The batch is written, but not durable yet. The commit can fail only with ERROR_STORAGE_UNKNOWN
 * from here on. While the disk syncs, the queue may do work that nobody outside can see.
 */
typedef void commit_written(void *arg);

/*
 * The commit has ended. err NULL: the batch is durable. ERROR_STORAGE_FULL, ERROR_STORAGE_FAILED:
 * certainly nothing of it is stored. ERROR_STORAGE_UNKNOWN: it may or may not be stored.
 */
typedef void commit_done(void *arg, const struct error *err);

/*
 * An event to read. as_stored: its session key may be that of the queue that it was stored in, for
 * whoever knows the present one; else it is that of the queue that it was moved to last, and
 * following the moves takes time.
 */
struct wanted_event {
	int64_t id;
	bool as_stored;
};

/* One event that was read; events come in the order of the ids. Borrowed for the call. */
typedef void read_event(void *arg, const struct system_event *event);
typedef void read_done(void *arg, const struct error *err);

/* The load has ended: err NULL, or why nothing of the store can be used. */
typedef void load_ended(void *arg, const struct error *err);
/* A chore has ended. more: another may follow at once. err: NULL, or ERROR_STORAGE_UNKNOWN. */
typedef void chores_done(void *arg, bool more, const struct error *err);
/* A chore has removed dead letters of the session for good, neither requeued nor discarded. */
typedef void dead_removed(void *arg, struct str key, size_t count);

/* The things that an op can have looked up before it is planned. */
enum lookup_kind {
	LOOKUP_NONE,  /* nothing: this index of the op has no lookup, a later one may */
	LOOKUP_EVENT, /* the event with this id */
	/*
	 * A walk: the outcomes that name the event with this id, oldest first, each with that id
	 * and its attempts alone; then the event. Of moved ones session and target are set.
	 */
	LOOKUP_TIMELINE,
	/*
	 * A walk: the lease with this id, then the outcomes that may have removed events from it,
	 * oldest first: those about it, and those that take events whether they are leased or not.
	 */
	LOOKUP_LEASE,
	/* the event with this id, if it is a dead letter, neither requeued nor discarded */
	LOOKUP_DEAD,
	LOOKUP_KEY, /* the answer kept for this idempotency key */
};

/*
 * A walk goes through outcomes of one session, of which there may be any number. So one lookup
 * looks at a few only and reports where the walk goes on, for another lookup in a later batch.
 * Outcomes that are committed meanwhile come last. If what is looked up is forgotten meanwhile the
 * walk finds nothing more: no outcome, and no event.
 */
struct lookup {
	enum lookup_kind kind;
	int64_t id;
	struct str key;
	int64_t from;   /* of a walk: go on at this outcome; 0: from the start */
	bool as_stored; /* of LOOKUP_EVENT: as in struct wanted_event */
	size_t rows; /* of a walk: look at so many outcomes; long lists of ids count as several */
};

/* So many of the events that were found damaged are remembered. */
#define STORE_DAMAGED_NAMED 16

/* One result of a lookup; one of the members is set. Borrowed for the call. */
struct found {
	const struct system_event *event;
	const struct store_outcome *outcome;
	const struct store_key *key;
	/* the last result of every walk: where it goes on; 0: it is complete */
	const int64_t *next;
	bool damaged; /* what is stored cannot be relied on; all pointers are NULL */
};
/* Returns whether more is wanted; false ends a walk, which is complete then. */
typedef bool lookup_found(void *arg, size_t index, const struct found *found);

/* A page of history: one row for each event of each outcome, newest first. */
struct history_query {
	struct str session_key; /* NULL: all */
	struct str source;      /* NULL: all */
	struct str reason;      /* the outcome's detail begins with it; NULL: all */
	enum outcome_kind kind; /* 0: every kind that settles */
	/* only events that were evicted or died, neither requeued nor discarded; kind is ignored */
	bool dead_letters;
	int64_t since_ms, until_ms; /* times of outcomes, both included; until 0: now */
	/* The cursor: where the page begins, exclusive. */
	int64_t before_outcome; /* outcomes before this one; 0: from the newest */
	int64_t before_event;   /* and of this outcome the events before this; 0: none of it */
	size_t limit;
	/* outcomes, and events, to look at in one call, whether they match or not */
	size_t looks;
	size_t text_bytes; /* of these events, whose last may exceed it */
};
/*
 * One row of the page. outcome->ids is this event's id alone, and event->attempts the number at the
 * time of the outcome. Of moved ones session and target are set. Both are borrowed for the call.
 * False: the row is not taken, and the page ends before it; never for the first.
 */
typedef bool history_row(void *arg, const struct system_event *event,
			 const struct store_outcome *outcome);
/*
 * The page has ended. more_*: the cursor of the next page; zero: there is nothing more. text_bytes:
 * of all events that were read, whether they match or not.
 */
typedef void history_done(void *arg, int64_t more_outcome, int64_t more_event, size_t text_bytes,
			  const struct error *err);

/* Call-backs of a load, in the order in which they are called. What they get is borrowed. */
struct store_loading {
	/* Once, before all others; maybe without any. */
	void (*marks)(void *arg, const struct clock_marks *marks);
	/*
	 * Before the first pending event of a session. The driver sets the row of the session that
	 * is returned, and points to it in all its events.
	 */
	struct store_session *(*session)(void *arg, struct str key);
	/*
	 * The next pending events, some at a time, in id order. Of event.text only the length is
	 * set; original_session_key is NULL where it is the queue key. A failure ends the load.
	 */
	int (*events)(void *arg, const struct store_event *events, size_t count, struct error *err);
	/*
	 * An outcome that leaves its events pending, in id order, after all events. Events stand in
	 * the session that they were stored with until their first outcome of kind moved.
	 */
	void (*outcome)(void *arg, const struct store_outcome *outcome);
	/* A last context that was kept apart (struct store_context), after all outcomes. */
	void (*context)(void *arg, struct str key, struct str context_key);
	/* Dead letters of a session, neither requeued nor discarded; maybe several times. */
	void (*dead)(void *arg, struct str key, size_t count);
	void *arg;
};

/*
 * The highest ids that were ever stored, the stamp of the newest row, and the latest steady time
 * that is known: of a row, or of struct store_time; 0: none.
 */
struct store_newest {
	int64_t event, outcome, ts_ms, steady_ms;
};

/*
 * What time it is, to be stored for the next start on a machine that was started anew meanwhile.
 */
struct store_time {
	int64_t steady_ms;
	const struct clock_mark *mark; /* NULL, or the newest, which no commit has stored yet */
};

struct store_stats {
	uint64_t database_bytes, wal_bytes, free_bytes; /* free: on the disk, for us */
	int schema;                                     /* the version of what is stored */
	/* rows on disk, of pending and settled events; tracked in memory, not counted on disk */
	uint64_t events, outcomes;
	uint64_t dead_letters;       /* that are neither requeued nor discarded; tracked alike */
	uint64_t checkpoints, swept; /* since the store was opened; swept: events removed */
	/* since then, dead letters that were removed for want of room, before their time */
	uint64_t dead_letters_lost;
	/* idempotency keys: rows on disk; removed before their time since then, for there were too
	 * many */
	uint64_t keys, keys_forgotten;
	uint64_t damaged_reads; /* since then, how often a row was found damaged */
};

/* The limit that keeps a store from taking events. */
enum store_limit {
	STORE_LIMIT_NONE,
	STORE_LIMIT_MAX_BYTES, /* --db-max-bytes */
	STORE_LIMIT_MIN_FREE,  /* --db-min-free-bytes */
	STORE_LIMIT_DISK,      /* the disk itself, or a quota or limit of the system */
};

/* As whoever runs the server knows it. */
static inline const char *
store_limit_name(enum store_limit limit)
{
	static const char *const names[] = { "no limit", "--db-max-bytes", "--db-min-free-bytes",
					     "the end of the disk" };

	return names[limit];
}

enum store_backup_state { BACKUP_NONE, BACKUP_RUNNING, BACKUP_DONE, BACKUP_FAILED };

/* The last backup that was begun since the store was opened. */
struct store_backup {
	enum store_backup_state state;
	uint64_t bytes, copied; /* of the database; known from the first step on */
	struct error error;     /* of one that has failed */
};

struct store {
	const struct store_driver *driver;
	struct store_backup backup;
	/*
	 * The limit at which events are refused, or were a moment ago. The driver sets it; it
	 * changes seldom, so that each change can be told.
	 */
	enum store_limit limit;
	/*
	 * Settled events give way to events for which there was no room: whoever appends waits
	 * while this is set, and tries again then.
	 */
	bool makes_room;
	/* the next step of chores is to have a turn without ops, which would give it more to do */
	bool needs_turn;
	/* chores are wanted within a second, although nothing else may happen until then */
	bool wants_chores;
	uint64_t dead_letters_lost, keys_forgotten; /* as in struct store_stats */
	/* how often a row was found damaged */
	uint64_t damaged_reads;
	/*
	 * The events that these were of, each once, as a ring: the n-th is at n % its length, and
	 * damaged_named is the next n. 0: another row.
	 */
	int64_t damaged[STORE_DAMAGED_NAMED];
	uint64_t damaged_named;
};

/* The rows that chores may remove. An event goes whole: its row and every outcome that names it. */
struct chores {
	int64_t settled_before_ms; /* settled events, by the proven time of their outcome; */
	size_t settled_rows_max;   /* or the oldest of them, while there are more */
	int64_t keys_before_ms;    /* idempotency keys, by proven time */
	size_t pending_count;      /* how many of the stored events are pending */
	/* also to be stored, in a step of its own, where keep_time says so */
	struct store_time time;
	bool keep_time;
	dead_removed *dead_removed; /* called with arg, before done */
	void *arg;
};

/*
 * Every call ends in one call of its done, before it returns or later from the loop, and none after
 * close. ERROR_STORAGE_UNKNOWN from any of them stops the queue for good.
 */
struct store_driver {
	/*
	 * Sets newest first; then reports clock marks, every pending event, open outcomes,
	 * last contexts and dead letters; then calls done. loading and newest are borrowed until
	 * then.
	 */
	void (*load)(struct store *store, const struct store_loading *loading,
		     struct store_newest *newest, load_ended *done, void *arg);
	/*
	 * Makes the batch durable. Calls written, unless the batch fails before, then done. The
	 * batch is borrowed until the first of the two. An empty batch is not written, but asks
	 * whether the store may still answer: done gets NULL, or ERROR_STORAGE_UNKNOWN.
	 */
	void (*commit)(struct store *store, struct store_batch *batch, commit_written *written,
		       commit_done *done, void *arg);
	/*
	 * Reads events, settled or not, and skips those that are not stored or whose row is
	 * damaged. wanted is borrowed until done.
	 */
	void (*read)(struct store *store, const struct wanted_event *wanted, size_t count,
		     read_event *each, read_done *done, void *arg);
	/* Looks up, and skips what is not stored. lookups are borrowed until done. */
	void (*lookup)(struct store *store, const struct lookup *lookups, size_t count,
		       lookup_found *each, read_done *done, void *arg);
	/*
	 * Reads one page of history. It ends early after query->looks, or at a row that is not
	 * taken; so a page with few rows need not be the last. Skips events whose row is
	 * damaged.
	 */
	void (*history)(struct store *store, const struct history_query *query, history_row *each,
			history_done *done, void *arg);
	/*
	 * One small step of housekeeping between commits: a checkpoint, or removing some of what is
	 * past its time; then done. Where room for events is short, settled events are removed
	 * before their time, the oldest first and dead letters last. A store without anything to do
	 * calls done before it returns. chores is borrowed until done. After a failure the store
	 * tries again by itself, unless the state of the disk is unknown.
	 */
	void (*chores)(struct store *store, const struct chores *chores, chores_done *done,
		       void *arg);
	/*
	 * Begins a copy of the store in a file at path, which must not exist; chores make it. How
	 * it goes is in store->backup. The file appears when it is complete and durable, with mode
	 * 0600. ERROR_CONFLICT: the file is there, or another copy is being made;
	 * ERROR_STORAGE_FAILED. NULL: the store cannot be copied.
	 */
	int (*backup)(struct store *store, const char *path, struct error *err);
	/*
	 * Whether the store takes events. False: it is full for now (ERROR_STORAGE_FULL), or what
	 * is on disk is unknown, for good (ERROR_STORAGE_UNKNOWN).
	 */
	bool (*ready)(struct store *store, struct error *err);
	void (*stats)(struct store *store, struct store_stats *ret);
	/* time: to be stored where the store can; NULL: not known */
	void (*close)(struct store *store, const struct store_time *time);
};

#endif
