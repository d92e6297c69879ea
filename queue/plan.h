/*
 * plan.h - a batch while it is being made: what ops may see and do before anything is durable.
 *
 * Here: the records to be committed, the events to be read, the queues to be woken, and the changes
 * of the catalog in the state. An op's plan function (struct op_kind) changes them only through
 * these functions, and the batch undoes everything that a failed one did. Not here: committing and
 * answering (batch.c), the rules of each call (ops/). Private to queue/.
 */
#ifndef QUEUE_PLAN_H
#define QUEUE_PLAN_H

#include "queue/catalog/journal.h"
#include "queue/op_kind.h"
#include "queue/policy/route.h"
#include "queue/state.h"

struct plan {
	struct queue_state *state;  /* what the batch changes, and what it is decided by */
	struct store_batch records; /* to be committed */
	struct arena arena;         /* for what the records do not borrow */
	/* struct store_key: the idempotency keys of this batch; in their ops' arenas */
	struct table keys;
	struct want {
		int64_t id;
		struct system_event *into; /* NULL once it is there */
		struct op *op;
		int attempts;
		int64_t available_at_ms; /* 0: the row's own */
		enum event_state state;
		enum outcome_kind outcome;
		bool optional; /* if the store does not have it, into->id stays 0 */
		bool old;      /* it may be forgotten by now, which only the store knows */
	} * wants;             /* events that answers need, in the order asked for */
	size_t want_count, want_cap;
	size_t want_bytes; /* of text, that the answers of this batch will hold */
	struct woken_queue {
		struct queue *queue;
		/* what became deliverable; NULL: a lease ended, or events were given back */
		const struct system_event *event;
		bool now; /* wake "now", whatever the event says; once gathered: of any event */
		struct str source; /* once gathered: of the newest event that has one, or NULL */
	} * woken;
	size_t woken_count, woken_cap;
	/* timers that the tick has taken from the heap; they go back when the batch fails */
	struct due_timer *popped;
	size_t popped_count, popped_cap;
	/* timers that the batch sets; they go into the heap when it is written */
	struct due_timer *set;
	size_t set_count, set_cap;
	size_t duplicates; /* drafts of this batch that were already queued */
	size_t walked;     /* entries of queues that ops have looked at one by one */
};

/* How far the plan was when an op began, so that the op can be undone. */
struct plan_mark {
	size_t journal, events, outcomes, keys, wants, want_bytes, woken, set, duplicates, walked;
	int64_t next_event, next_outcome;
};
struct plan_mark plan_mark(const struct plan *plan);
void plan_undo(struct plan *plan, struct plan_mark mark);
/* How much work it is to carry out and answer what was planned since then (budget.h). */
size_t plan_work(const struct plan *plan, struct plan_mark since);
/* Drops the records. The catalog's journal is the batch's to commit or roll back. */
void plan_reset(struct plan *plan);
void plan_clear(struct plan *plan);

/*
 * Routes an address under the policy in force, as route_decide; failures are in op->error. The
 * queue key lives in the op's arena, or as long as the address.
 */
int plan_route(struct plan *plan, struct op *op, const struct address *address,
	       struct cached_route *ret);
/* The same, and finds the queue; NULL: nothing is pending there. */
int plan_queue(struct plan *plan, struct op *op, const struct address *address, struct str *key,
	       struct queue **queue);

/*
 * Appends the event, giving it its id and, from delay_ms and ttl_ms (0: none), its times; takes
 * over the caller's reference to tag. The event and its text are borrowed until the batch is done.
 */
void plan_append(struct plan *plan, struct queue *queue, struct system_event *event,
		 uint64_t text_hash, uint32_t tag, int64_t delay_ms, int64_t ttl_ms);

/* The key that an op of this batch has added; NULL: none has. */
const struct store_key *plan_find_key(const struct plan *plan, struct str key);
/* Records the key and its answer; it lives in its op's arena. */
void plan_add_key(struct plan *plan, struct store_key *key);
/* Replaces the answer of the index-th key of the records. */
void plan_set_key_answer(struct plan *plan, size_t index, struct str answer);

/* Records an outcome; its id is the answer. ids: ascending, borrowed until the batch is done. */
int64_t plan_record(struct plan *plan, struct queue *queue, struct store_outcome outcome);

/*
 * Takes events out of their queue with a recorded reason. ids: ascending, pending, borrowed until
 * the batch is done.
 */
void plan_settle(struct plan *plan, struct queue *queue, struct store_outcome outcome);

/*
 * Asks for a pending event, to be in *into before the op is answered, in the state given; its text
 * will be in the arena.
 */
void plan_want(struct plan *plan, struct op *op, const struct entry *entry, enum event_state state,
	       enum outcome_kind outcome, struct system_event *into);
/* The state a pending event is in, and when it is deliverable again if it is delayed (else 0). */
enum event_state entry_state(const struct entry *entry);
int64_t entry_available_at(const struct plan *plan, const struct entry *entry);
/*
 * Asks for an event of an earlier answer, as it was given then: *into has its attempts, state and
 * outcome, and its available_at_ms where that is not what its row says. It may be forgotten by now.
 * text_bytes: of its text, at the most.
 */
void plan_want_repeated(struct plan *plan, struct op *op, int64_t id, size_t text_bytes,
			struct system_event *into);
/*
 * Asks for a pending event that a wake is to tell of. It is in no answer, and a row that cannot be
 * read fails nobody.
 */
void plan_want_for_wake(struct plan *plan, struct op *op, int64_t id, struct system_event *into);

/* Sets a timer, if the batch is written. */
void plan_set_timer(struct plan *plan, struct due_timer timer);

/* How many ops wait at a queue. */
static inline size_t
plan_waiters(const struct plan *plan, struct str queue_key)
{
	return waiting_count(&plan->state->waiting, queue_key);
}

/*
 * Reports that something became deliverable in the queue: an event, whose source and wake are told;
 * or (NULL) events that were deliverable before. The event is borrowed, and may be one that is
 * still to be read.
 */
void plan_wake(struct plan *plan, struct queue *queue, const struct system_event *event);
/* The same, with wake "now" whatever the event says. */
void plan_wake_now(struct plan *plan, struct queue *queue, const struct system_event *event);
/*
 * Before the commit: adds the last contexts that the store has to keep, or to keep no longer, to
 * the records.
 */
void plan_gather_contexts(struct plan *plan);
/*
 * After the write: leaves each woken queue in the list once, and adds those that an exclusive lease
 * held back until now.
 */
void plan_gather_woken(struct plan *plan);

#endif
