/* lease_take.c - take a prefix of what is deliverable under a lease. */
#include <assert.h>

#include "queue/ops/id_list.h"
#include "queue/ops/idempotency.h"
#include "queue/ops/lease.h"

static bool
lease_take_lookup(const struct plan *plan, struct op *op, size_t index, struct lookup *ret)
{
	(void)plan;
	return index == 0 && idempotency_lookup(&op->idempotency, ret);
}

static bool
lease_take_found(struct op *op, size_t index, const struct found *found)
{
	(void)index;
	idempotency_found(&op->idempotency, &op->arena, found->key);
	return true;
}

/* Repeats the answer that was kept under the key: the lease, its end, its events with their
 * attempts. */
static int
lease_take_repeated(struct plan *plan, struct lease_take_op *take, struct str answer)
{
	struct kept_answer kept = idempotency_read(&take->op.arena, answer);
	struct queue *queue;

	assert(kept.count >= 2);
	if (plan_kept_queue(plan, &take->op, &take->address, kept.queue_key, &take->session_key,
			    &queue) < 0)
		return -1;
	const struct lease *lease = catalog_lease(&plan->state->catalog, kept.numbers[0]);
	take->lease_id = kept.numbers[0];
	take->until_ms = kept.numbers[1];
	id_list_answer_repeated(plan, &take->op, kept.numbers + 2, kept.count - 2,
				EVENT_STATE_LEASED, 0, &take->taken);
	take->remaining = queue != NULL ? queue->depth : 0;
	if (lease != NULL && lease->queue == queue)
		take->remaining -= lease->live;
	return 0;
}

static int
lease_take_remember(struct plan *plan, struct lease_take_op *take, const struct queue *queue,
		    struct id_list chosen)
{
	size_t count = 2 + 2 * chosen.count;

	if (take->op.idempotency.key.s == NULL)
		return 0;
	int64_t *numbers = arena_alloc(&take->op.arena, count * sizeof(*numbers));
	numbers[0] = take->lease_id;
	numbers[1] = take->until_ms;
	id_list_remember(queue, chosen, numbers + 2);
	return idempotency_remember(plan, &take->op, &take->op.idempotency, queue->session.key,
				    &(struct kept_answer){ queue->session.key, numbers, count });
}

static void
lease_events(struct plan *plan, struct lease_take_op *take, struct queue *queue,
	     struct id_list chosen)
{
	struct lease new = { .queue = queue,
			     .exclusive = take->exclusive,
			     .ids = chosen.ids,
			     .count = chosen.count };

	take->until_ms = plan->state->now_ms + take->lease_ms;
	take->lease_id = new.id =
	    plan_record(plan, queue,
			(struct store_outcome){ .kind = OUTCOME_LEASED,
						.until_ms = take->until_ms,
						.detail = take->consumer,
						.lease = take->exclusive ? LEASE_EXCLUSIVE : 0,
						.ids = chosen.ids,
						.count = chosen.count });
	struct lease *lease = journal_add_lease(&plan->state->catalog, &new, take->consumer);
	for (size_t i = 0; i < chosen.count; i++)
		lease_hold(plan, lease, chosen.ids[i], take->lease_ms);
	lease_set_timer(plan, lease, plan->state->boot_ms + take->lease_ms);
}

static int
check_exact(struct plan *plan, struct lease_take_op *take)
{
	struct cached_route route;

	if (plan_route(plan, &take->op, &take->address, &route) < 0)
		return -1;
	if (route.rule != RULE_DIRECT_MAIN && route.rule != RULE_CRON_RUN)
		return 0;
	return plan_refuse_rerouted(&take->op, &take->address, &route);
}

static int
plan_lease_take(struct plan *plan, struct op *op)
{
	struct lease_take_op *take = (struct lease_take_op *)op;
	struct queue *queue;
	struct str answer;

	int recalled = idempotency_recall(plan, &op->idempotency, &answer, &op->error);
	if (recalled != 0)
		return recalled < 0 ? -1 : lease_take_repeated(plan, take, answer);
	if (plan_queue(plan, op, &take->address, &take->session_key, &queue) < 0 ||
	    (take->exact && check_exact(plan, take) < 0))
		return -1;
	if (queue == NULL || (take->exclusive && queue->leased > 0)) {
		take->remaining = queue != NULL ? queue->depth : 0;
		return 0;
	}
	struct choice choice = { .prefix = text_fold(&op->arena, take->context_key_prefix),
				 .limit = take->limit,
				 .leave_exec = take->prompt && !take->exec_completions };
	struct id_list chosen = id_list_choose(plan, op, queue, &choice);
	take->remaining = queue->depth - chosen.count;
	if (chosen.count == 0)
		return 0;
	lease_events(plan, take, queue, chosen);
	id_list_answer(plan, op, queue, chosen, EVENT_STATE_LEASED, 0, &take->taken);
	return lease_take_remember(plan, take, queue, chosen);
}

void
lease_take_op_init(struct lease_take_op *op)
{
	static const struct op_kind kind = { OP_KIND(lease_take_op, session_key),
					     .plan = plan_lease_take, .lookup = lease_take_lookup,
					     .found = lease_take_found };

	op_start(&op->op, &kind);
	op->lease_ms = LEASE_MS_DEFAULT;
}
