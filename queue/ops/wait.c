/* wait.c - wait until something is deliverable. Consumes nothing and promises nothing: whoever leases first has it. */
#include "queue/plan.h"

static int
plan_wait(struct sevq_plan *plan, struct sevq_op *op)
{
	struct sevq_wait *wait = (struct sevq_wait *)op;
	struct sevq_queue *queue;
	if (sevq_plan_queue(plan, op, &wait->address, &wait->session_key, &queue) < 0)
		return -1;
	wait->deliverable = queue != NULL ? sevq_queue_deliverable(queue) : 0;
	if (wait->deliverable > 0)
		return SEVQ_PLANNED;
	op->queue_key = wait->session_key = sevq_arena_dup(&op->arena, wait->session_key);
	return SEVQ_PLAN_PARKED;
}

void
sevq_wait_init(struct sevq_wait *op)
{
	static const struct sevq_op_kind kind = { SEVQ_OP_KIND(wait, session_key), .plan = plan_wait };
	sevq_op_start(&op->op, &kind);
}
