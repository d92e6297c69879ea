/*
 * plan.h - a batch while it is being made: what ops may see and do before anything is durable.
 *
 * Here: the catalog with this batch's changes, the records to be committed, the events to be read. An op's plan function
 * (struct sevq_op_kind) changes only what is here, through these functions, and when it fails everything it did is taken
 * back by the engine.
 * Not here: committing and answering (engine.c), the rules of each call (op_*.c). Private to queue/.
 */
#ifndef SEVQ_QUEUE_PLAN_H
#define SEVQ_QUEUE_PLAN_H

#include "queue/catalog.h"
#include "queue/engine.h"

struct sevq_plan {
	const struct sevq_engine_options *options;
	const struct sevq_policy *policy;
	struct sevq_engine_stats *stats;
	struct sevq_catalog catalog;
	struct sevq_store_batch batch;
	struct sevq_want {
		int64_t id;
		struct sevq_event *into; /* NULL once it is there */
		struct sevq_op *op;
	} * wants;
	size_t want_count, want_cap;
	size_t duplicates; /* drafts of this batch that were already queued */
	int64_t next_id;   /* of the next event; ascends over the life of the database */
	int64_t now_ms;    /* the batch's time; never goes back */
};

/* One constant per call, begun by SEVQ_OP_KIND: the name, the op's struct, the first member of its answer. */
#define SEVQ_OP_KIND(call, first) .name = #call, .bytes = sizeof(struct sevq_##call), .answer = offsetof(struct sevq_##call, first)

struct sevq_op_kind {
	const char *name;
	size_t bytes, answer; /* of the op's own struct: its size, and where its answer begins, which goes to the end */
	bool appends;         /* needs disk space: refused when the store is full */
	/*
	 * Carries the op out against the plan, from an empty answer. -1 with op->error set: the engine undoes what it did.
	 * May be called again for the same op, after everything it did was taken back.
	 */
	int (*plan)(struct sevq_plan *plan, struct sevq_op *op);
	/* For calls that name an event by id alone: that id, or 0 for none. The engine fills op->located first. */
	int64_t (*locate)(const struct sevq_op *op);
};

/* Where an op began, to undo it. */
struct sevq_plan_mark {
	size_t journal, events, outcomes, wants, duplicates;
	int64_t next_id;
};
struct sevq_plan_mark sevq_plan_mark(const struct sevq_plan *plan);
void sevq_plan_undo(struct sevq_plan *plan, struct sevq_plan_mark mark);
void sevq_plan_reset(struct sevq_plan *plan); /* forgets the records; the catalog is the engine's to commit or roll back */
void sevq_plan_clear(struct sevq_plan *plan);

/* The queue key of an address, under the policy in force. */
int sevq_plan_route(struct sevq_plan *plan, struct sevq_op *op, const struct sevq_address *address, struct sevq_decision *ret);
/* The same, and its queue: NULL when nothing is pending there. */
int sevq_plan_queue(struct sevq_plan *plan, struct sevq_op *op, const struct sevq_address *address, struct sevq_str *key,
		    struct sevq_queue **queue);

/* Appends the event (id and time are given here); tag's reference passes on. Text is borrowed until the batch is done. */
void sevq_plan_append(struct sevq_plan *plan, struct sevq_queue *queue, struct sevq_event *event, uint64_t text_hash, uint32_t tag);

/* Takes events out of their queue with a recorded reason. ids: ascending, pending, borrowed until the batch is done. */
void sevq_plan_settle(struct sevq_plan *plan, struct sevq_queue *queue, enum sevq_outcome_kind kind, int64_t *ids, size_t count);

/* Asks for the event with this id, to be in *into before the op is answered; its text will live in the arena. */
void sevq_plan_want(struct sevq_plan *plan, struct sevq_op *op, int64_t id, struct sevq_event *into);

/* A copy whose text lives in the arena. */
void sevq_event_copy(struct sevq_event *to, const struct sevq_event *from, struct sevq_arena *arena);

#endif
