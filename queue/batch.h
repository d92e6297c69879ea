/*
 * batch.h - one batch: everything that was submitted for a turn, from looking up to answering.
 *
 * Here: the steps of a batch and the store calls between them. One batch is under way at a time.
 * Not here: when a batch starts, chores, the policy (engine); what an op does (ops/).
 * Private to queue/.
 */
#ifndef QUEUE_BATCH_H
#define QUEUE_BATCH_H

#include "queue/budget.h"
#include "queue/ops/tick.h"
#include "queue/plan.h"
#include "queue/state.h"

enum step {
	STEP_LOOK_UP,
	STEP_PAGES,
	STEP_PLAN,
	STEP_READ,
	STEP_COMMIT,
	STEP_FINISH,
	STEP_OVER, /* no batch is under way */
	/* what a step returns instead of the next one: the store was asked, and will call back */
	STEP_ASKED,
};

/*
 * Invariants: 1. between turns, without a store call that is still to be answered, step is
 * STEP_OVER and ops is empty, unless state->stopped. 2. called_back is set only between the store's
 * call and the answered half of the step that asked.
 */
struct batch {
	struct queue_state *state;
	struct store *store;
	struct plan plan;
	struct op_list ops;   /* under way, in the order they came */
	struct tick_op tick;  /* the first of them, where a timer is due */
	struct budget budget; /* of the turn, which may have several batches */
	size_t parked;        /* of ops, how many will wait to be woken */
	size_t answer_budget;
	bool answer_alone; /* the first answer of a batch may have more */
	wake_callback *on_wake;
	void *on_wake_arg;

	enum step step;
	bool inside;        /* batch_go_on runs: a store that calls back must not run it again */
	bool asked;         /* the store owes a call-back for this step */
	bool called_back;   /* it has called */
	struct error error; /* how the call ended */

	struct lookup *lookups;
	struct looker {
		struct op *op;
		size_t index; /* among the op's own lookups */
	} * lookers;          /* one for each lookup */
	size_t lookup_count, lookup_cap, looker_cap;
	struct op *paging;                /* whose page of history comes next, or is being read */
	int64_t more_outcome, more_event; /* the cursor that came with it */
	int64_t *read_ids;
	size_t read_cap;
	size_t read_at;  /* the want that the next event read belongs to */
	bool written;    /* the records are written; what follows from them is done */
	bool full_store; /* the store was full: this is the second try, without what appends */
	int64_t commit_began_us;
};

/* The state is borrowed. The store is set before the first batch. */
void batch_init(struct batch *batch, struct queue_state *state);
void batch_clear(struct batch *batch);

/*
 * Takes as many of the submitted ops as the turn has room for, and time where something is due, and
 * carries them out: to the end, or until the store owes a call-back, which goes on with it. Nothing
 * submitted, nothing due: nothing happens. To be called only when no batch is under way.
 */
void batch_start(struct batch *batch);

/* Ops have been taken and not answered yet. */
static inline bool
batch_is_under_way(const struct batch *batch)
{
	return batch->ops.count > 0;
}

#endif
