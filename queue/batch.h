/*
 * batch.h - one batch: the ops that were submitted for a turn, from looking up to answering.
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
	/* never in batch->step: returned by the start of a step that waits for the store's
	   call-back */
	STEP_ASKED,
};

/*
 * Invariants: 1. between turns, unless asked or state->stopped, step is STEP_OVER and ops is empty.
 * 2. called_back implies asked: it is set only from the store's call-back until the answered half
 * of the step begins.
 */
struct batch {
	struct queue_state *state;
	struct store *store;
	struct plan plan;
	struct op_list ops;   /* of the batch, in the order they were submitted */
	struct tick_op tick;  /* the first of ops if a timer is due */
	struct budget budget; /* of the turn, which may have several batches */
	size_t kept_before;   /* budget.kept when the batch began */
	size_t parked;        /* how many of ops are PLAN_PARKED */
	size_t answer_budget; /* see engine_set_answer_budget */
	bool answer_alone;    /* the first answer of a batch may be larger */
	size_t answer_bytes;  /* that the answers planned so far need */
	size_t page_bytes;    /* of it pages of history */
	struct op *reader;    /* whose texts are read ahead; NULL: none. One at a time */
	wake_callback *on_wake;
	void *on_wake_arg;

	enum step step;
	bool inside;        /* go_on runs, so a call-back must not run it again */
	bool asked;         /* the store has been asked, and take_answer has not run yet */
	bool called_back;   /* the store has called back */
	struct error error; /* how the store's call ended */

	struct lookup *lookups;
	struct looker {
		struct op *op;
		size_t index; /* among the op's own lookups */
	} * lookers;          /* one for each lookup */
	size_t lookup_count, lookup_cap, looker_cap;
	struct op *paging;                /* the op whose page of history is next, or being read */
	int64_t more_outcome, more_event; /* the cursor that came with that page */
	struct wanted_event *wanted;
	size_t wanted_cap;
	size_t read_at;          /* index of the first want that an event read next can be for */
	bool written;            /* make_final has run for this batch */
	bool full_store;         /* the store was full: second try, without ops that append */
	int64_t commit_began_us; /* 0: the batch has no records */
};

/* The state is borrowed. The store is set before the first batch. */
void batch_init(struct batch *batch, struct queue_state *state);
void batch_clear(struct batch *batch);

/*
 * Takes as many of the submitted ops as the turn has room for, and a tick if a timer is due, and
 * carries them out: to the end, or until the store has to call back, which continues the batch.
 * Does nothing if nothing is submitted or due. Call it only when no batch is under way.
 */
void batch_start(struct batch *batch);

/* Whether ops of the batch are still to be answered. */
static inline bool
batch_is_under_way(const struct batch *batch)
{
	return batch->ops.count > 0;
}

#endif
