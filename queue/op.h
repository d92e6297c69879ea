/*
 * op.h - one piece of work for the engine, and its answer.
 *
 * Here: what each call needs and gives back, in one struct per call behind a common head. An op is made by whoever
 * has the request, handed to sevq_engine_submit, and comes back exactly once through its done function.
 * Not here: how it is carried out (engine and the op's own file), JSON, HTTP.
 *
 * Memory: inputs are borrowed and must live until done has returned. The answer lives in the op's arena and dies with
 * the op (sevq_op_clear). Reads are ops too: so nobody sees what a commit could still take back.
 */
#ifndef SEVQ_QUEUE_OP_H
#define SEVQ_QUEUE_OP_H

#include "queue/store.h"
#include "schema/event.h"

struct sevq_op_kind; /* how an op of this kind is carried out; one constant per kind, in queue/op_*.c */

struct sevq_op {
	const struct sevq_op_kind *kind;
	void (*done)(struct sevq_op *op, void *arg); /* on the loop, exactly once; error.code says how it ended */
	/*
	 * NULL, or called before done, when the answer is complete but not yet durable: it may be formatted then, while the disk is
	 * at work, but must not leave before done. May be skipped; and done may still never come.
	 */
	void (*prepare)(struct sevq_op *op, void *arg);
	void *arg;
	struct sevq_arena arena;
	struct sevq_idempotency idempotency; /* in; for enqueue, drain and lease. key NULL: none */
	/* The engine's: */
	struct sevq_op *next, *waits_after; /* waits_after: the one before it among those that wait at its key */
	bool parked;                        /* it waits to be woken */
	bool waits_not;                     /* its caller has given up: it is answered as it stands */
	int planned;                        /* enum sevq_planned */
	struct sevq_str queue_key;          /* where a parked op waits */
	bool again;                         /* its second time round: what it asks for is looked up before it is planned */
	/* Out, and last, because it is large and hardly ever used: */
	struct sevq_error error; /* SEVQ_OK or why; on failure the rest of the answer is empty and nothing changed */
};

/* Begins an op of the kind: all that the call has is zero. Memory of an earlier one is not freed. */
void sevq_op_start(struct sevq_op *op, const struct sevq_op_kind *kind);

/* Frees the answer. The struct itself is the caller's. Works on a zeroed op too. */
void sevq_op_clear(struct sevq_op *op);

/* Events in an answer, oldest first unless a call says otherwise. */
struct sevq_event_list {
	struct sevq_event *events;
	size_t count;
};

enum sevq_enqueue_outcome { SEVQ_QUEUED, SEVQ_REPLACED, SEVQ_DUPLICATE };

struct sevq_enqueue_result {
	enum sevq_enqueue_outcome outcome;
	int64_t id;
	struct sevq_event event; /* the stored one; for a duplicate the one already queued; id 0: repeated, and forgotten since */
};

/* Enqueue: all drafts or none. error.pointer is relative to the failing draft, failed says which. */
struct sevq_enqueue {
	struct sevq_op op;
	struct sevq_draft *drafts;           /* in; normalised in place */
	size_t count;                        /* in; 1 up to the batch limit */
	size_t failed;                       /* out, on failure: index of the draft at fault */
	struct sevq_enqueue_result *results; /* out; count of them, in order */
};

/* Drain: take and forget a prefix of what is deliverable. */
struct sevq_drain {
	struct sevq_op op;
	struct sevq_address address;
	size_t limit;                       /* 1..SEVQ_ANSWER_EVENTS_MAX; 0 means as many as an answer holds */
	struct sevq_str context_key_prefix; /* folded by the engine; NULL: all */
	bool prompt;                        /* leave exec completions where they are (ROUTING section 8) */
	struct sevq_str session_key;        /* out: the queue key */
	struct sevq_event_list taken;       /* out */
	size_t remaining;                   /* out: pending events of the session after this call, whatever the prefix */
};

/* Consume: take exactly these, in the order asked; unknown ids are ignored, a repeated one counts once. */
struct sevq_consume {
	struct sevq_op op;
	struct sevq_address address;
	const struct sevq_str *ids;
	size_t id_count; /* at most SEVQ_ANSWER_EVENTS_MAX */
	struct sevq_str session_key;
	struct sevq_event_list taken;
	size_t remaining;
};

/* Peek: what is pending, oldest first. */
struct sevq_peek {
	struct sevq_op op;
	struct sevq_address address;
	size_t limit;          /* 1..SEVQ_PEEK_PAGE_MAX */
	struct sevq_str after; /* an event id: only newer ones; NULL: from the oldest */
	struct sevq_str session_key;
	struct sevq_event_list found;
	size_t depth; /* out: pending events of the session */
	bool more;    /* out: there are newer ones */
};

/* One thing that happened to an event. */
struct sevq_timeline_entry {
	enum sevq_outcome_kind kind;
	int64_t ts_ms, until_ms, lease; /* 0: none */
	struct sevq_str detail;         /* NULL: none */
};

/* Find one event by id, pending or not: SEVQ_NOT_FOUND when it never was or is forgotten. */
struct sevq_find {
	struct sevq_op op;
	struct sevq_str id;
	struct sevq_timeline_entry *timeline; /* out: oldest first; the enqueue itself is the event's */
	size_t timeline_count, timeline_cap;
	struct sevq_event found; /* the op's own: the event as its row says */
	struct sevq_event event; /* out */
};

/* Withdraw one pending event by id: SEVQ_NOT_FOUND if it is not pending. The answer is the event as it was. */
struct sevq_withdraw {
	struct sevq_op op;
	struct sevq_str id;
	struct sevq_str session_key; /* the op's own: where the event was filed; NULL: it never was */
	struct sevq_event event;     /* out */
};

/* Purge a session, or only one context key of it. */
struct sevq_purge {
	struct sevq_op op;
	struct sevq_address address;
	struct sevq_str context_key; /* folded by the engine; NULL: all; blank is refused */
	struct sevq_str session_key;
	size_t purged;
	size_t remaining;
};

enum sevq_sort {
	SEVQ_SORT_KEY,
	SEVQ_SORT_DEPTH,
	SEVQ_SORT_OLDEST,
	SEVQ_SORT_NEWEST
}; /* depth: deepest first; oldest: longest waiting first; newest: latest event first; ties by key */

struct sevq_rekeyed_from {
	struct sevq_str key;
	size_t count;
};

/* One session, as listed. */
struct sevq_session {
	struct sevq_str session_key, agent_id;
	size_t depth, leased, delayed, waiters;
	int64_t oldest_ts_ms, newest_ts_ms;
	struct sevq_str last_context_key;             /* NULL: none */
	struct sevq_delivery delivery;                /* merged (ROUTING section 7) */
	const struct sevq_rekeyed_from *rekeyed_from; /* most frequent first */
	size_t rekeyed_from_count;
};

/* List sessions that have something pending. */
struct sevq_sessions {
	struct sevq_op op;
	struct sevq_address address; /* a session key: only its queue; an agent id alone: all of the agent's; neither: all */
	struct sevq_str prefix;      /* queue keys that start with it; NULL: all */
	int64_t min_age_ms;          /* oldest event at least this old; 0: all */
	enum sevq_sort sort;
	size_t limit;                  /* 1..SEVQ_SESSIONS_PAGE_MAX */
	struct sevq_str cursor;        /* from an earlier page; NULL: the first. SEVQ_INVALID_FIELD "cursor" if not ours */
	struct sevq_session *sessions; /* out */
	size_t count;
	struct sevq_str next_cursor; /* out: NULL on the last page */
	size_t total;                /* out: sessions that match, all pages */
};

/* Take a prefix of what is deliverable under a lease. No events: no lease (id 0). */
struct sevq_lend {
	struct sevq_op op;
	struct sevq_address address;
	size_t limit;     /* as drain's */
	int64_t lease_ms; /* 1..SEVQ_LEASE_MS_MAX */
	struct sevq_str context_key_prefix;
	struct sevq_str consumer; /* NULL: not said */
	bool exclusive;           /* nothing else of the session is deliverable meanwhile; taken only when nothing else is lent */
	bool prompt;
	struct sevq_str session_key;  /* out */
	int64_t lease_id, until_ms;   /* out; the id as text is its digits */
	struct sevq_event_list taken; /* out */
	size_t remaining;             /* out: pending events that this lease does not hold */
};

/*
 * Ack, nack or extend, all of a lease's events or some. SEVQ_NOT_FOUND: no such lease; SEVQ_INVALID_FIELD: an id that it never
 * held; SEVQ_CONFLICT: it no longer holds what is named, and nothing changes. Acking what was acked under this lease is done again.
 */
enum sevq_lease_action { SEVQ_LEASE_ACK, SEVQ_LEASE_NACK, SEVQ_LEASE_EXTEND };
struct sevq_lease_op {
	struct sevq_op op;
	enum sevq_lease_action action;
	struct sevq_str lease;      /* id */
	const struct sevq_str *ids; /* NULL: all that it holds */
	size_t id_count;
	int64_t delay_ms;       /* nack: deliverable again after this long */
	struct sevq_str reason; /* nack: NULL: none */
	bool count_attempt;     /* nack */
	int64_t lease_ms;       /* extend: from now */
	/* The op's own, from the lease's history: */
	int64_t *held; /* ascending */
	bool *acked;   /* each of them */
	size_t held_count;
	bool ended_by_ack; /* the last that left it was acked, and not given back or taken */
	int64_t until_ms;  /* out, extend */
	size_t changed;    /* out: events acked, given back or kept */
	size_t dead;       /* out, nack: of these, how many became dead letters */
	size_t left;       /* out: events that the lease still holds */
};

/*
 * Wait until the session has something deliverable. Comes back when it has, at once if it has now; sevq_engine_unpark
 * takes it back before that. Consumes nothing.
 */
struct sevq_wait {
	struct sevq_op op;
	struct sevq_address address;
	struct sevq_str session_key; /* out */
	size_t deliverable;          /* out */
};

/* A page of history or of dead letters, newest first. */
struct sevq_history {
	struct sevq_op op;
	struct sevq_address address; /* session_key NULL: all sessions */
	struct sevq_str source;      /* NULL: all */
	enum sevq_outcome_kind kind; /* 0: all that settle */
	bool dead_letters;
	int64_t since_ms, until_ms;      /* until 0: now */
	size_t limit;                    /* 1..SEVQ_HISTORY_PAGE_MAX */
	struct sevq_str cursor;          /* NULL: the first page */
	struct sevq_history_query query; /* the op's own */
	struct sevq_history_item {
		struct sevq_event event;
		struct sevq_timeline_entry end;
	} * items; /* out */
	size_t count;
	struct sevq_str next_cursor; /* out: NULL on the last page */
	char end[1];                 /* nothing of the answer is made by the plan */
};

/*
 * Enqueue dead letters anew, as new events at the end of their queues. Takes those it is given; unknown ids are passed over.
 * SEVQ_TOO_LARGE when they have more text than an answer may have.
 */
struct sevq_requeue {
	struct sevq_op op;
	const struct sevq_str *ids;
	size_t id_count;
	int64_t spacing_ms; /* each this much later than the one before; 0: all at once */
	bool dry_run;
	/* The op's own: */
	struct sevq_requeue_item {
		bool dead;
		struct sevq_event event;
	} * items;
	size_t text_bytes;  /* of them all */
	size_t requeued;    /* out */
	size_t passed_over; /* out: no dead letters, or not any more */
};

/* Constructors fill in the kind; everything else is the caller's. */
void sevq_enqueue_init(struct sevq_enqueue *op);
void sevq_drain_init(struct sevq_drain *op);
void sevq_consume_init(struct sevq_consume *op);
void sevq_peek_init(struct sevq_peek *op);
void sevq_find_init(struct sevq_find *op);
void sevq_withdraw_init(struct sevq_withdraw *op);
void sevq_purge_init(struct sevq_purge *op);
void sevq_sessions_init(struct sevq_sessions *op);
void sevq_lend_init(struct sevq_lend *op);
void sevq_lease_op_init(struct sevq_lease_op *op, enum sevq_lease_action action);
void sevq_wait_init(struct sevq_wait *op);
void sevq_history_init(struct sevq_history *op);
void sevq_requeue_init(struct sevq_requeue *op);

#endif
