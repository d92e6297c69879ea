/*
 * plan.h - a batch while it is being made: what ops may see and do before anything is durable.
 *
 * Here: the catalog with this batch's changes, the records to be committed, the events to be read,
 * the queues to be woken. An op's plan function (struct op_kind) changes only what is here, through
 * these functions, and when it fails everything it did is taken back by the engine.
 * Not here: committing and answering (engine.c), the rules of each call (op_*.c). Private to
 * queue/.
 */
#ifndef QUEUE_PLAN_H
#define QUEUE_PLAN_H

#include "queue/catalog/journal.h"
#include "queue/catalog/timers.h"
#include "queue/engine.h"
#include "queue/policy/route_cache.h"
#include "queue/waiting.h"

struct plan {
	const struct engine_options *options;
	const struct policy *policy;
	struct route_cache places; /* under that policy */
	struct engine_stats *stats;
	struct catalog catalog;
	struct timers timers;
	struct waiting waiting; /* ops that wait to be woken */
	struct store_batch batch;
	struct arena arena; /* what its records have besides what is borrowed */
	/* struct store_key: the idempotency keys of this batch; in their ops' arenas */
	struct table keys;
	struct want {
		int64_t id;
		struct system_event *into; /* NULL once it is there */
		struct op *op;
		int attempts;
		int64_t available_at_ms; /* 0: as its row says */
		enum event_state state;
		enum outcome_kind outcome;
		bool optional; /* where it is not there, into->id stays 0 */
		bool old;      /* it may have been forgotten by now, which the store alone knows */
	} * wants;
	size_t want_count, want_cap;
	size_t want_bytes; /* of text, that the answers of this batch will hold */
	struct woken_queue {
		struct queue *queue;
		/* that can be had now; NULL: it was none that woke */
		const struct system_event *event;
		/* with wake "now"; once gathered: some of it, or the event itself says so */
		bool now;
		struct str source; /* of the newest that has one; NULL: none has */
	} * woken;
	size_t woken_count, woken_cap;
	/* timers that this batch has dealt with; they are put back when it fails */
	struct due_timer *popped;
	size_t popped_count, popped_cap;
	/* and those that it sets, which come to the others when it is written */
	struct due_timer *set;
	size_t set_count, set_cap;
	int64_t opened_boot_ms;           /* when the engine was opened, on the steady clock */
	size_t duplicates;                /* drafts of this batch that were already queued */
	int64_t next_event, next_outcome; /* ids; ascend over the life of the database */
	int64_t now_ms;                   /* the batch's time; never goes back */
	/* the same on the steady clock, for everything that is due some day */
	int64_t boot_ms;
};

/* How an op's plan ended. */
enum plan_result {
	PLAN_REFUSED = -1, /* op->error says why: undone */
	PLAN_DONE = 0,
	PLAN_PARKED = 1, /* nothing to say yet: it waits at op->queue_key until that is woken */
	/* it must look something up in the store first: undone, and tried again next turn */
	PLAN_AGAIN = 2,
};

/* One constant per call, begun by OP_KIND: the op's struct, the first member of its answer. */
#define OP_KIND(call, first) .bytes = sizeof(struct call), .answer = offsetof(struct call, first)

struct op_kind {
	/* of the op's own struct: its size, and where its answer begins, which goes to the end */
	size_t bytes, answer;
	bool appends; /* needs disk space: refused when the store is full */
	/*
	 * Carries the op out against the plan, from an empty answer: enum plan_result. The engine
	 * undoes what it did where that says so. May be called again for the same op, after
	 * everything it did was taken back.
	 */
	int (*plan)(struct plan *plan, struct op *op);
	/*
	 * What is to be looked up before the plan: the index-th lookup, false for no more; and each
	 * thing that was found.
	 */
	bool (*lookup)(const struct plan *plan, const struct op *op, size_t index,
		       struct lookup *ret);
	void (*found)(struct op *op, size_t index, const struct found *found);
	/*
	 * For calls that page through history, before the plan: the query, or NULL with op->error
	 * set; what came, and the end.
	 */
	const struct history_query *(*query)(struct plan *plan, struct op *op);
	history_row *row; /* called with the op */
	void (*page)(struct op *op, int64_t more_outcome, int64_t more_event);
};

/* Where an op began, to undo it. */
struct plan_mark {
	size_t journal, events, outcomes, keys, wants, want_bytes, woken, set, duplicates;
	int64_t next_event, next_outcome;
};
struct plan_mark plan_mark(const struct plan *plan);
void plan_undo(struct plan *plan, struct plan_mark mark);
/* forgets the records; the catalog is the engine's to commit or roll back */
void plan_reset(struct plan *plan);
void plan_clear(struct plan *plan);

/*
 * Where an address leads under the policy in force; the queue key lives in the op's arena, or as
 * long as its input.
 */
int plan_route(struct plan *plan, struct op *op, const struct address *address,
	       struct cached_route *ret);
/* The same, and its queue: NULL when nothing is pending there. */
int plan_queue(struct plan *plan, struct op *op, const struct address *address, struct str *key,
	       struct queue **queue);

/*
 * Appends the event, giving it its id and, from delay_ms and ttl_ms (0: none), its times; takes
 * over the caller's reference to tag. The event and its text are borrowed until the batch is done.
 */
void plan_append(struct plan *plan, struct queue *queue, struct system_event *event,
		 uint64_t text_hash, uint32_t tag, int64_t delay_ms, int64_t ttl_ms);

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

/* Something is due at that time, if the batch is written. */
void plan_set_timer(struct plan *plan, struct due_timer timer);

/* How many ops wait at a queue. */
static inline size_t
plan_waiters(const struct plan *plan, struct str queue_key)
{
	return waiting_count(&plan->waiting, queue_key);
}

/*
 * Something became deliverable in the queue: an event that is told of as it was sent, by its source
 * and wake; or (NULL) what was told of before. The event is borrowed, and may be one that is still
 * to be read.
 */
void plan_wake(struct plan *plan, struct queue *queue, const struct system_event *event);
/* The same, with wake "now" whatever the event says. */
void plan_wake_now(struct plan *plan, struct queue *queue, const struct system_event *event);
/* Before the batch is committed: the last contexts that the store has to keep, or no longer. */
void plan_gather_contexts(struct plan *plan);
/*
 * At the end of a batch: each woken queue once, and those that an exclusive lease held back until
 * now.
 */
void plan_gather_woken(struct plan *plan);

#endif
