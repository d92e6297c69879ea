/*
 * wait.c - wait until an event of a kind is deliverable. A wait takes no event and reserves none:
 * whoever drains or leases first gets it.
 */
#include "queue/ops/id_list.h"

#define WAIT_WORK 20 /* microseconds: one event may wake thousands, and each has a timer to end */

static int
plan_wait(struct plan *plan, struct op *op)
{
	struct wait_op *wait = (struct wait_op *)op;
	struct choice choice = { .prefix = text_fold(&op->arena, wait->context_key_prefix),
				 .leave_exec = wait->prompt && !wait->exec_completions,
				 .wake_now = wait->wake_now };
	struct queue *queue;

	if (plan_queue(plan, op, &wait->address, &wait->session_key, &queue) < 0)
		return -1;
	if (queue != NULL && !(wait->exclusive && queue->leased > 0))
		wait->deliverable = id_list_count(plan, queue, &choice);
	if (wait->deliverable > 0)
		return PLAN_DONE;
	op->queue_key = wait->session_key = arena_dup(&op->arena, wait->session_key);
	return PLAN_PARKED;
}

void
wait_op_init(struct wait_op *op)
{
	static const struct op_kind kind = { OP_KIND(wait_op, session_key), .least_work = WAIT_WORK,
					     .plan = plan_wait };

	op_start(&op->op, &kind);
}
