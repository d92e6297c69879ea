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

#include "schema/event.h"

struct sevq_op_kind; /* how an op of this kind is carried out; one constant per kind, in queue/op_*.c */

struct sevq_op {
	const struct sevq_op_kind *kind;
	void (*done)(struct sevq_op *op, void *arg); /* on the loop, exactly once; error.code says how it ended */
	void *arg;
	struct sevq_error error; /* SEVQ_OK or why; on failure the rest of the answer is empty and nothing changed */
	struct sevq_arena arena;
	struct sevq_op *next;    /* the engine's */
	struct sevq_str located; /* the engine's: the session of the event that the op names by id */
};

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
	struct sevq_event event; /* the stored one; for a duplicate the one already queued */
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

/* Find one event by id: SEVQ_NOT_FOUND unless it is pending. */
struct sevq_find {
	struct sevq_op op;
	struct sevq_str id;
	struct sevq_event event;
};

/* Withdraw one pending event by id: SEVQ_NOT_FOUND if it is not pending. The answer is the event as it was. */
struct sevq_withdraw {
	struct sevq_op op;
	struct sevq_str id;
	struct sevq_event event;
};

/* Purge a session, or only one context key of it. */
struct sevq_purge {
	struct sevq_op op;
	struct sevq_address address;
	struct sevq_str context_key; /* folded by the engine; NULL: all */
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
	struct sevq_address address; /* session_key NULL: all sessions; else that one, routed */
	struct sevq_str agent_id;    /* only this agent's (normalised by the engine); NULL: all */
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

/* Constructors fill in the kind; everything else is the caller's. */
void sevq_enqueue_init(struct sevq_enqueue *op);
void sevq_drain_init(struct sevq_drain *op);
void sevq_consume_init(struct sevq_consume *op);
void sevq_peek_init(struct sevq_peek *op);
void sevq_find_init(struct sevq_find *op);
void sevq_withdraw_init(struct sevq_withdraw *op);
void sevq_purge_init(struct sevq_purge *op);
void sevq_sessions_init(struct sevq_sessions *op);

#endif
