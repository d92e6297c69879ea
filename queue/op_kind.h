/*
 * op_kind.h - how an op is carried out: one constant for each call, in ops/.
 *
 * Here: the functions of a kind, and how a plan can end. Not here: the ops (op.h), what plans may
 * change (plan.h). Private to queue/.
 */
#ifndef QUEUE_OP_KIND_H
#define QUEUE_OP_KIND_H

#include "queue/op.h"

struct plan;

/* How an op's plan ended. */
enum plan_result {
	PLAN_REFUSED = -1, /* undone; op->error says why */
	PLAN_DONE = 0,     /* answered when the batch is durable */
	PLAN_PARKED = 1,   /* no answer yet: the op waits until op->queue_key is woken */
	PLAN_AGAIN = 2,    /* undone: lookups must come first; planned again in the next batch */
	PLAN_LATER = 3, /* undone: more work than is left of this turn; planned again next turn */
};

/* Begins a kind: call is the op's struct, first the first member of its answer. */
#define OP_KIND(call, first) .bytes = sizeof(struct call), .answer = offsetof(struct call, first)

struct op_kind {
	/* size of the op's struct; offset of its answer, which extends to the end of the struct */
	size_t bytes, answer;
	size_t least_work; /* that an op of it takes, where that is more than WORK_OP */
	bool appends;      /* needs disk space: refused when the store is full */
	/*
	 * NULL, or estimates the work in microseconds from what the op asks for; 0: only the plan
	 * can tell.
	 */
	size_t (*work)(const struct op *op);
	/*
	 * NULL, or looks at some of the catalog, and at the clocks, for an answer that is made from
	 * every queue or lease: in each batch that has the op, before anything is planned. So the
	 * catalog has no changes that can be undone, and what was seen counts also if the batch
	 * fails. The plan answers once all has been looked at; until then it ends as PLAN_LATER.
	 * Sets op->error where it fails.
	 */
	void (*look)(struct plan *plan, struct op *op);
	/*
	 * Carries the op out against the plan, starting from an empty answer. Returns an enum
	 * plan_result; the batch then undoes the op's changes where that says so. May be called
	 * again for the same op after its changes were undone.
	 */
	int (*plan)(struct plan *plan, struct op *op);
	/*
	 * NULL, or returns the index-th thing to look up before the plan; false: there are no more.
	 * found gets each thing that the store has, and returns as lookup_found. Index 0 comes
	 * first, and again if the op was put off to a later batch: what was found is old then.
	 */
	bool (*lookup)(const struct plan *plan, struct op *op, size_t index, struct lookup *ret);
	bool (*found)(struct op *op, size_t index, const struct found *found);
	/*
	 * NULL, or for calls that page through history, before the plan: returns the query, or NULL
	 * with op->error set. row gets each row, page the cursor of the next page.
	 */
	const struct history_query *(*query)(struct plan *plan, struct op *op);
	history_row *row; /* called with the op; within plan->answer_room of the query */
	void (*page)(struct op *op, int64_t more_outcome, int64_t more_event);
};

/*
 * Begins an op of the kind: everything that the call has is zero. Memory of an earlier op in the
 * same place is not freed.
 */
void op_start(struct op *op, const struct op_kind *kind);

#endif
