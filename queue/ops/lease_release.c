/*
 * lease_release.c - returns everything that a consumer holds, after it has died.
 *
 * The consumer's next run calls this when it starts, instead of waiting for the ends of the leases.
 * No attempt is counted: the events were in the hands of a program that crashed, and may have
 * nothing to do with it.
 */
#include "queue/ops/lease.h"

/* Returns all that the lease holds. */
static void
release(struct plan *plan, struct arena *arena, struct lease *lease)
{
	struct id_list held = id_list_held(&plan->state->catalog, lease, arena);
	struct lease_returned returned = lease_returned_alloc(arena, held.count);

	for (size_t i = 0; i < held.count; i++)
		lease_return_event(plan, lease->queue, held.ids[i], false, 0, &returned);
	lease_record_returned(plan, lease->queue, &returned,
			      (struct store_outcome){ .kind = OUTCOME_RETURNED,
						      .lease = lease->id,
						      .detail = STR("released") });
}

static int
plan_lease_release(struct plan *plan, struct op *op)
{
	struct lease_release_op *call = (struct lease_release_op *)op;
	const struct consumer *consumer =
	    leases_consumer(&plan->state->catalog.leases, call->consumer);
	struct lease *lease;

	if (consumer == NULL)
		return PLAN_DONE;
	LIST_FOREACH(lease, &consumer->leases, beside)
	{
		if (lease->live == 0 || !caller_may_touch(op->caller, lease->queue->session.key))
			continue;
		call->more = call->events > 0 && call->events + lease->live > RELEASE_EVENTS_MAX;
		if (call->more)
			break;
		call->leases++;
		call->events += lease->live;
		release(plan, &op->arena, lease);
	}
	return PLAN_DONE;
}

void
lease_release_op_init(struct lease_release_op *op)
{
	static const struct op_kind kind = { OP_KIND(lease_release_op, leases),
					     .plan = plan_lease_release };

	op_start(&op->op, &kind);
}
