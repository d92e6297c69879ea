/*
 * op.h - one piece of work for the engine, and its answer.
 *
 * Here: what each call needs and gives back, in one struct per call behind a common head. The
 * caller makes an op and hands it to engine_submit; it comes back once, through its done function.
 * Not here: how an op is carried out (batch.c and the op's file in ops/), JSON, HTTP.
 *
 * Memory: inputs are borrowed and must live until done has returned. The answer lives in the op's
 * arena and dies with the op (op_clear). Reads are ops too, so that no answer shows a change whose
 * commit can still fail.
 */
#ifndef QUEUE_OP_H
#define QUEUE_OP_H

#include "queue/caller.h"
#include "queue/census.h"
#include "queue/store.h"
#include "schema/event.h"

struct op_kind; /* how to carry out the ops of a call: op_kind.h */

/* What an answer needs, in bytes, at most (queue/answer.h). All zero: nothing. */
struct answer_size {
	size_t held; /* of memory, for its events */
	size_t sent; /* as it is sent, if it were sent whole */
	size_t text; /* in the texts of its events */
};

struct op {
	const struct op_kind *kind;
	/* Called on the loop, exactly once, when the op has ended; error.code says how. */
	void (*done)(struct op *op, void *arg);
	/*
	 * NULL, or called before done when the answer is complete but its commit is not durable
	 * yet, so that the answer is formatted while the disk works. It must not leave before done.
	 * The call may be skipped, and done need not follow: the commit may end with an unknown
	 * outcome.
	 */
	void (*prepare)(struct op *op, void *arg);
	void *arg;
	const struct caller *caller; /* in; NULL: one that may touch all queues */
	struct arena arena;
	struct idempotency idempotency; /* in; for enqueue, drain and lease. key NULL: none */
	enum rule rule; /* out: that led to its queue; RULE_KEEP if the answer is a repeated one */
	/* Private to queue/: */
	struct op *next;     /* in its op_list, or the next waiter at the same queue key */
	struct op *previous; /* parked: the waiter before it at the same queue key */
	bool parked;         /* it is among the waiting ops (waiting.h) */
	bool cancelled;      /* its caller has given up waiting: answer, and do not park it */
	bool again;          /* its last plan was PLAN_AGAIN: look up what it asks for first */
	int planned;         /* enum plan_result */
	size_t work;         /* microseconds that it takes, as estimated; 0: not known yet */
	struct answer_size answer; /* of what has been planned or read for it */
	/* Of a long answer (read_ahead.h), in the arena: */
	struct {
		struct wanted_event *wanted; /* to be looked up next */
		size_t wanted_count;
		struct system_event *
		    *events; /* that were found; in order of id when it is planned */
		size_t event_count, rounds;
	} ahead;
	struct str queue_key; /* where it waits, if it is parked */
	/*
	 * Out: ERROR_NONE, or why the op failed; then the rest of the answer is empty and nothing
	 * has changed. The last member, because it is large and op_start leaves its text as it is.
	 */
	struct error error;
};

/* Frees the answer. The struct itself is the caller's. Works on a zeroed op too. */
static inline void
op_clear(struct op *op)
{
	arena_clear(&op->arena);
}

/* Called for a queue in which events became deliverable: see engine_on_wake. */
typedef void wake_callback(void *arg, struct str queue_key, size_t deliverable, bool now,
			   struct str source);

/* Called for a queue that has changed: see engine_on_change. */
typedef void change_callback(void *arg, struct str queue_key);

/* Events in an answer, oldest first unless a call says otherwise. */
struct system_event_list {
	struct system_event *events;
	size_t count;
};

enum enqueue_outcome { ENQUEUE_QUEUED, ENQUEUE_REPLACED, ENQUEUE_DUPLICATE };

struct enqueue_result {
	enum enqueue_outcome outcome;
	int64_t id;
	/*
	 * The event as stored; for a duplicate, the event that is queued already. Its id is 0 in a
	 * repeated answer whose event has been deleted from the history since.
	 */
	struct system_event event;
};

/*
 * Enqueue: all drafts or none. error.pointer is relative to the failing draft, failed says which.
 */
struct enqueue_op {
	struct op op;
	struct draft *drafts;           /* in; normalised in place */
	size_t count;                   /* in; 1 up to the batch limit */
	size_t failed;                  /* out, on failure: index of the draft at fault */
	struct enqueue_result *results; /* out; count of them, in order */
};

/* Drain: take a prefix of the deliverable events for good. */
struct drain_op {
	struct op op;
	struct address address;
	/* 1..ANSWER_EVENTS_MAX; 0 means as many as an answer holds */
	size_t limit;
	struct str context_key_prefix;  /* folded by the engine; NULL: all */
	bool prompt;                    /* leave exec completions queued (ROUTING section 8) */
	bool exec_completions;          /* with prompt: take exec completions all the same */
	struct str session_key;         /* out: the queue key */
	struct system_event_list taken; /* out */
	/* out: pending events of the session after this call, whatever the prefix */
	size_t remaining;
};

/*
 * Consume: take exactly the named events, in the order asked. Ids that are not pending are ignored,
 * a repeated id counts once.
 */
struct consume_op {
	struct op op;
	struct address address;
	const struct str *ids;
	size_t id_count; /* at most ANSWER_EVENTS_MAX */
	struct str session_key;
	struct system_event_list taken;
	size_t remaining;
};

/* Peek: the pending events of a session, oldest first. */
struct peek_op {
	struct op op;
	struct address address;
	size_t limit;     /* 1..PEEK_PAGE_MAX */
	struct str after; /* an event id: only newer ones; NULL: from the oldest */
	struct str session_key;
	struct system_event_list found;
	size_t depth; /* out: pending events of the session */
	bool more;    /* out: there are newer ones */
};

/* How far a lookup has come that needs several batches (ops/outcome_walk.h). */
struct outcome_walk {
	int64_t next; /* where it goes on; 0: it has not begun, or is complete */
	bool under_way;
};

/* One thing that happened to an event. */
struct timeline_entry {
	enum outcome_kind kind;
	int64_t ts_ms, until_ms, lease; /* 0: none */
	struct str detail;              /* NULL: none; of moved: the rule */
	struct str from, to;            /* of moved: the queue keys; NULL: of another kind */
	uint32_t
	    times; /* of returned and extended: the how manieth; 0: the first, or not counted */
};

/*
 * Find one event by id, pending or not, and a page of its timeline. ERROR_NOT_FOUND: it never was,
 * or has been forgotten.
 */
struct find_op {
	struct op op;
	struct str id;
	/*
	 * 1..TIMELINE_PAGE_MAX entries; the enqueue (event.ts_ms) is the first entry of the first
	 * page, but not in the list
	 */
	size_t limit;
	struct str cursor; /* NULL: the first page. ERROR_INVALID_FIELD "cursor" if not ours */
	struct timeline_entry *timeline; /* out: oldest first */
	size_t timeline_count, timeline_cap;
	struct str next_cursor; /* out: NULL on the last page */
	/* Private, from the store: */
	struct outcome_walk walk;
	int walks;                 /* begun */
	int64_t page_at;           /* the outcome that the page begins with; 0: the first */
	struct system_event found; /* as its row has it; id 0: it is not stored */
	enum outcome_kind settled; /* by the timeline; 0: it is not */
	int attempts;              /* failed deliveries when it was settled */
	struct system_event event; /* out */
};

/*
 * Withdraw one pending event by id: ERROR_NOT_FOUND if it is not pending. The answer is the event
 * as it was.
 */
struct withdraw_op {
	struct op op;
	struct str id;
	struct str session_key; /* private: the queue key of the event; NULL: it was never stored */
	struct system_event event; /* out */
};

/* Purge a session, or only one context key of it. */
struct purge_op {
	struct op op;
	struct address address;
	struct str context_key; /* folded by the engine; NULL: all; blank is refused */
	struct str session_key;
	size_t purged;
	size_t remaining;
};

/* The order of a list of sessions; ties are ordered by key. */
enum sort {
	SORT_KEY,
	SORT_DEPTH,      /* most events first */
	SORT_OLDEST,     /* the session with the oldest event first */
	SORT_NEWEST,     /* the session with the newest event first */
	SORT_PROBLEM,    /* sessions with problems first, in the order of enum session_problem */
	SORT_UNATTENDED, /* the session first that was ready longest while nobody waited for it */
};

/* What can be wrong with a session, the worst first. */
enum session_problem {
	PROBLEM_STRANDED,   /* its key leads to another queue */
	PROBLEM_FULL,       /* it has 90% of the events that a session may have */
	PROBLEM_UNATTENDED, /* ready, nobody waits, and nothing was taken for unattended_ms */
	PROBLEM_DEAD,       /* it has dead letters */
	PROBLEM_COUNT,
};
#define SESSION_PROBLEM(problem) (1U << (problem))
#define SESSION_PROBLEMS_ANY (SESSION_PROBLEM(PROBLEM_COUNT) - 1)

struct rekeyed_from {
	struct str key;
	size_t count;
};

/* One session, as listed. */
struct session {
	struct str session_key, agent_id;
	size_t depth, ready, leased, delayed, waiters;
	size_t dead_letters;                /* neither requeued nor discarded */
	int64_t oldest_ts_ms, newest_ts_ms; /* 0: nothing is pending */
	int64_t ready_since_ts_ms;          /* 0: it is not ready (ready.h) */
	struct str routes_to;        /* where its key leads; NULL: it stands, or leads nowhere */
	unsigned problems;           /* a set of SESSION_PROBLEM() */
	struct str last_context_key; /* NULL: none */
	struct delivery delivery;    /* merged (ROUTING section 7) */
	const struct rekeyed_from *rekeyed_from; /* most frequent first */
	size_t rekeyed_from_count;
	bool rekeyed_from_more; /* they and the delivery context are of the newest events alone */
};

/*
 * List the sessions that have events pending. Where PROBLEM_DEAD is among the problems: also those
 * that have nothing but dead letters.
 */
struct sessions_op {
	struct op op;
	/* a session key: only its queue; an agent id alone: all of the agent's; neither: all */
	struct address address;
	struct str prefix;   /* queue keys that start with it; NULL: all */
	struct str contains; /* queue keys that contain it; NULL: all */
	unsigned problems;   /* sessions with one of these (SESSION_PROBLEM()); 0: all */
	int64_t min_age_ms;  /* ready for at least so long (ready.h); 0: all */
	enum sort sort;
	size_t limit; /* 1..SESSIONS_PAGE_MAX */
	/* from an earlier page; NULL: the first. ERROR_INVALID_FIELD "cursor" if not ours */
	struct str cursor;
	struct session_search *search; /* private */
	struct session *sessions;      /* out */
	size_t count;
	struct str next_cursor; /* out: NULL on the last page */
	size_t total;           /* out: sessions that match, all pages */
};

/* What only a look at every queue can tell; up to a second old where there are many. */
struct census_op {
	struct op op;
	struct census seen;   /* private: what its walk has found, */
	bool complete;        /* which has met every queue */
	struct census census; /* out */
};

/* Take a prefix of the deliverable events under a lease. Without any, there is no lease (id 0). */
struct lease_take_op {
	struct op op;
	struct address address;
	size_t limit;     /* as drain's */
	int64_t lease_ms; /* 1..LEASE_MS_MAX */
	struct str context_key_prefix;
	struct str consumer; /* name for the history; NULL: none */
	/*
	 * While the lease holds events, no other event of the session is deliverable. No lease is
	 * made while another lease holds events of the session.
	 */
	bool exclusive;
	/* ERROR_REROUTED if a rule moves the session key to another session; aliases are allowed */
	bool exact;
	bool prompt, exec_completions;  /* as drain's */
	struct str session_key;         /* out */
	int64_t lease_id, until_ms;     /* out; the id as text is its digits */
	struct system_event_list taken; /* out */
	size_t remaining;               /* out: pending events that this lease does not hold */
};

/*
 * Ack, nack or extend all of a lease's events or some. ERROR_NOT_FOUND: no such lease.
 * ERROR_INVALID_FIELD: an id that it never held, whatever the others are. ERROR_CONFLICT: a named
 * event was returned to its queue, and nothing changes. Events that were settled while the lease
 * held them, or have been forgotten since, are listed as gone, and the call applies to the rest. An
 * ack of events that were acked under this lease succeeds again.
 */
enum lease_action { LEASE_ACK, LEASE_NACK, LEASE_EXTEND };
struct lease_change_op {
	struct op op;
	enum lease_action action;
	struct str lease;      /* id */
	const struct str *ids; /* NULL: all that it holds */
	size_t id_count;
	int64_t delay_ms;   /* nack: deliverable again after this long */
	struct str reason;  /* nack: NULL: none */
	bool count_attempt; /* nack */
	int64_t lease_ms;   /* extend: from now */
	/* Private, from the lease's history: */
	struct outcome_walk walk;
	struct str session_key;     /* of an event that the lease held; NULL: not known */
	int64_t probe;              /* the event that is looked up for that; 0: none */
	int64_t *held;              /* ascending */
	enum outcome_kind *left_by; /* how each of them left the lease; 0: it has not */
	size_t held_count, still_held;
	bool ended_by_ack;   /* the last outcome that removed events from the lease is an ack */
	int64_t until_ms;    /* out, extend */
	size_t changed;      /* out: events acked, returned or extended */
	size_t dead;         /* out, nack: of these, how many became dead letters */
	size_t left;         /* out: events that the lease still holds */
	const int64_t *gone; /* out: named events that were settled meanwhile; ascending */
	size_t gone_count;
};

/*
 * Return all that the leases of a consumer hold, without counting an attempt. One call returns at
 * most RELEASE_EVENTS_MAX events, or one lease.
 */
struct lease_release_op {
	struct op op;
	struct str consumer;
	size_t leases, events; /* out: returned */
	bool more;             /* out: the consumer holds more */
};

/* A lease that still holds events. */
struct lease_listed {
	int64_t id, until_ms; /* until: the first end of an event that it holds */
	struct str session_key, consumer;
	bool exclusive;
	const int64_t *ids; /* that it holds, ascending; NULL unless one lease was asked for */
	size_t count;
};

/* List the leases that hold events, or find one of them (ERROR_NOT_FOUND: it holds none). */
struct lease_list_op {
	struct op op;
	struct str lease;            /* an id; NULL: all that match */
	struct address address;      /* queue_key alone; NULL: all queues */
	struct str consumer;         /* NULL: all */
	size_t limit;                /* 1..LEASES_PAGE_MAX */
	struct str cursor;           /* as of sessions_op; pages are in no order */
	struct lease_search *search; /* private */
	struct lease_listed *leases; /* out: the one that ends first is the first */
	size_t count;
	struct str next_cursor; /* out: NULL on the last page */
};

/*
 * Wait until the session has a deliverable event. done is called as soon as it has one, and at once
 * if it has one now; engine_cancel_wait ends the wait before. Takes no event.
 */
struct wait_op {
	struct op op;
	struct address address;
	/* As lease_take's: the wait ends when a lease with the same filters would get an event. */
	struct str context_key_prefix;
	bool prompt, exec_completions;
	bool exclusive;         /* as lease_take's: not while a lease holds events of the session */
	bool wake_now;          /* only events with wake "now" */
	struct str session_key; /* out */
	size_t deliverable;     /* out: events that such a lease could take */
};

/* A page of history or of dead letters, newest first. */
struct history_op {
	struct op op;
	struct address address; /* empty: all sessions */
	struct str source;      /* NULL: all */
	struct str reason;      /* prefix of the outcome's detail; NULL: all */
	enum outcome_kind kind; /* 0: every kind that settles events */
	bool dead_letters;
	int64_t since_ms, until_ms; /* until 0: now */
	size_t limit;               /* 1..HISTORY_PAGE_MAX */
	struct str cursor;          /* NULL: the first page */
	/* Private: */
	struct history_query query; /* of the next slice */
	size_t slices;              /* done */
	bool more, full;            /* rows follow; the answer has no room for the next */
	size_t room;                /* private: what the page may need (answer_bytes) */
	struct history_item {
		struct system_event event;
		struct timeline_entry end;
	} * items; /* out */
	size_t count;
	struct str next_cursor; /* out: NULL on the last page */
	char end[1]; /* where op_kind.answer begins: the plan adds nothing to the answer above */
};

/*
 * Enqueue dead letters anew, as new events at the end of their queues. Ids that are no dead letters
 * are passed over. ERROR_TOO_LARGE: they have more text than an answer may have.
 */
struct requeue_op {
	struct op op;
	const struct str *ids;
	size_t id_count;
	int64_t spacing_ms; /* each this much later than the one before; 0: all at once */
	bool dry_run;
	/* Private: */
	struct requeue_item {
		bool dead;
		struct system_event event;
	} * items;
	size_t text_bytes;  /* of all items */
	size_t requeued;    /* out */
	size_t passed_over; /* out: ids that are no dead letters, or no longer */
};

/*
 * Discard dead letters: their history stays, and says so. Ids that are no dead letters are passed
 * over.
 */
struct discard_op {
	struct op op;
	const struct str *ids;
	size_t id_count;
	bool dry_run;
	/* Private: */
	struct dead_letter {
		int64_t id;
		struct str session_key;
	} * letters; /* that were found */
	size_t letter_count;
	size_t discarded;   /* out */
	size_t passed_over; /* out: ids that are no dead letters, or no longer */
};

/*
 * Move the events of stranded queues to where their keys lead now, by the policy in force. Queues
 * come in the order of their keys, 500 at most; of the last one perhaps only the oldest events are
 * moved. Leased events stay where they are, and so do queues whose key routing refuses. Limits of
 * sessions do not count. The call waits until all queues are judged (strand.h).
 */
struct rekey_op {
	struct op op;
	struct str queue_key;    /* only this queue; NULL: all */
	bool dry_run;            /* tell what would be moved */
	bool quiet;              /* nobody reads the answer: it needs no room */
	size_t limit;            /* of events, 1..REKEY_EVENTS_MAX */
	struct str from;         /* private: keys up to here were looked at in vain */
	struct rekey_room *room; /* private: being made in a queue that events go to */
	size_t rooms;            /* private: that were made */
	struct rekeyed {
		struct str from, to; /* queue keys */
		enum rule rule;
		size_t moved, leased; /* leased: that stay */
	} * queues;                   /* out: stranded queues, in the order of their keys */
	size_t count;
	size_t moved, leased; /* out: of all these */
	bool more;            /* out: others can be moved */
};

/* Fill in the kind and the defaults; everything else is zero and the caller's to set. */
void enqueue_op_init(struct enqueue_op *op);
void drain_op_init(struct drain_op *op);
void consume_op_init(struct consume_op *op);
void peek_op_init(struct peek_op *op);
void find_op_init(struct find_op *op);
void withdraw_op_init(struct withdraw_op *op);
void purge_op_init(struct purge_op *op);
void sessions_op_init(struct sessions_op *op);
void census_op_init(struct census_op *op);
void lease_take_op_init(struct lease_take_op *op);
void lease_change_op_init(struct lease_change_op *op, enum lease_action action);
void lease_release_op_init(struct lease_release_op *op);
void lease_list_op_init(struct lease_list_op *op);
void wait_op_init(struct wait_op *op);
void history_op_init(struct history_op *op);
void requeue_op_init(struct requeue_op *op);
void discard_op_init(struct discard_op *op);
void rekey_op_init(struct rekey_op *op);

#endif
