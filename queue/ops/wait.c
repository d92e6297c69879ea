/*
 * wait.c - wait until something is deliverable. Consumes nothing and promises nothing: whoever
 * leases first has it.
 */
#include "queue/plan.h"

static int
plan_wait(struct plan *plan, struct op *op)
{
	struct wait_op *wait = (struct wait_op *)op;
	struct queue *queue;

	if (plan_queue(plan, op, &wait->address, &wait->session_key, &queue) < 0)
		return -1;
	wait->deliverable = queue != NULL ? queue_deliverable(queue) : 0;
	if (wait->deliverable > 0)
		return PLAN_DONE;
	op->queue_key = wait->session_key = arena_dup(&op->arena, wait->session_key);
	return PLAN_PARKED;
}

void
wait_op_init(struct wait_op *op)
{
	static const struct op_kind kind = { OP_KIND(wait_op, session_key), .plan = plan_wait };

	op_start(&op->op, &kind);
}
