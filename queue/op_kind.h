/*
 * op_kind.h - how an op is carried out: one constant for each call, in ops/.
 *
 * Here: the functions of a kind, and how a plan can end. Not here: the ops (op.h), what their plans
 * may do (plan.h). Private to queue/.
 */
#ifndef QUEUE_OP_KIND_H
#define QUEUE_OP_KIND_H

#include "queue/op.h"

struct plan;

/* How an op's plan ended. */
enum plan_result {
	PLAN_REFUSED = -1, /* op->error says why: undone */
	PLAN_DONE = 0,
	PLAN_PARKED = 1, /* nothing to say yet: it waits at op->queue_key until that is woken */
	/* it must look something up in the store first: undone, and tried again next turn */
	PLAN_AGAIN = 2,
	/* it is more work than is left of this turn: undone, and tried again next turn */
	PLAN_LATER = 3,
};

/* One constant per call, begun by OP_KIND: the op's struct, the first member of its answer. */
#define OP_KIND(call, first) .bytes = sizeof(struct call), .answer = offsetof(struct call, first)

struct op_kind {
	/* the size of the op's own struct, and where its answer begins, which goes to the end */
	size_t bytes, answer;
	bool appends; /* needs disk space: refused when the store is full */
	/*
	 * NULL, or estimates the work in microseconds from what the op asks for; 0: only the plan
	 * can tell.
	 */
	size_t (*work)(const struct op *op);
	/*
	 * Carries the op out against the plan, from an empty answer: enum plan_result. The batch
	 * undoes what it did where that says so. May be called again for the same op, after
	 * everything it did was undone.
	 */
	int (*plan)(struct plan *plan, struct op *op);
	/*
	 * NULL, or returns the index-th thing to look up before the plan; false: there are no more.
	 * found gets each thing that the store has.
	 */
	bool (*lookup)(const struct plan *plan, const struct op *op, size_t index,
		       struct lookup *ret);
	void (*found)(struct op *op, size_t index, const struct found *found);
	/*
	 * NULL, or for calls that page through history, before the plan: returns the query, or NULL
	 * with op->error set. row gets each row, page the cursor of the next page.
	 */
	const struct history_query *(*query)(struct plan *plan, struct op *op);
	history_row *row; /* called with the op */
	void (*page)(struct op *op, int64_t more_outcome, int64_t more_event);
};

/*
 * Begins an op of the kind: everything that the call has is zero. Memory of an earlier op in the
 * same place is not freed.
 */
void op_start(struct op *op, const struct op_kind *kind);

#endif
