/* lease_take.c - take a prefix of what is deliverable under a lease. */
#include <assert.h>

#include "queue/ops/id_list.h"
#include "queue/ops/idempotency.h"
#include "queue/ops/lease.h"

static bool
lend_lookup(const struct plan *plan, const struct op *op, size_t index, struct lookup *ret)
{
	(void)plan;
	return index == 0 && idempotency_lookup(&op->idempotency, ret);
}

static void
lend_found(struct op *op, size_t index, const struct found *found)
{
	(void)index;
	idempotency_found(&op->idempotency, &op->arena, found->key);
}

/* The answer that the key was given: lease, its end, its events with their attempts. */
static int
lend_again(struct plan *plan, struct lease_take_op *lend, const struct queue *queue,
	   struct str answer)
{
	int64_t *numbers;
	size_t count = idempotency_numbers(&lend->op.arena, answer, &numbers);

	assert(count >= 2);
	const struct lease *lease = catalog_lease(&plan->catalog, numbers[0]);
	lend->lease_id = numbers[0];
	lend->until_ms = numbers[1];
	id_list_answer_again(plan, &lend->op, numbers + 2, count - 2, EVENT_STATE_LEASED, 0,
			     &lend->taken);
	lend->remaining = queue != NULL ? queue->depth : 0;
	if (lease != NULL && lease->queue == queue) /* the key may be routed elsewhere since */
		lend->remaining -= lease->live;
	return 0;
}

static int
remember_lend(struct plan *plan, struct lease_take_op *lend, const struct queue *queue,
	      struct id_list chosen)
{
	size_t count = 2 + 2 * chosen.count;

	if (lend->op.idempotency.key.s == NULL)
		return 0;
	int64_t *numbers = arena_alloc(&lend->op.arena, count * sizeof(*numbers));
	numbers[0] = lend->lease_id;
	numbers[1] = lend->until_ms;
	id_list_keep(queue, chosen, numbers + 2);
	return idempotency_remember(plan, &lend->op, &lend->op.idempotency, numbers, count);
}

static void
lend_events(struct plan *plan, struct lease_take_op *lend, struct queue *queue,
	    struct id_list chosen)
{
	struct lease new = { .queue = queue,
			     .exclusive = lend->exclusive,
			     .ids = chosen.ids,
			     .count = chosen.count };

	lend->until_ms = plan->now_ms + lend->lease_ms;
	lend->lease_id = new.id =
	    plan_record(plan, queue,
			(struct store_outcome){ .kind = OUTCOME_LEASED,
						.until_ms = lend->until_ms,
						.detail = lend->consumer,
						.lease = lend->exclusive ? LEASE_EXCLUSIVE : 0,
						.ids = chosen.ids,
						.count = chosen.count });
	struct lease *lease = catalog_add_lease(&plan->catalog, &new);
	for (size_t i = 0; i < chosen.count; i++)
		lease_hold(plan, lease, chosen.ids[i], lend->lease_ms);
	lease_set_timer(plan, lease, plan->boot_ms + lend->lease_ms);
}

static int
plan_lend(struct plan *plan, struct op *op)
{
	struct lease_take_op *lend = (struct lease_take_op *)op;
	struct queue *queue;
	struct str answer;

	if (plan_queue(plan, op, &lend->address, &lend->session_key, &queue) < 0)
		return -1;
	int recalled = idempotency_recall(plan, &op->idempotency, &answer, &op->error);
	if (recalled != 0)
		return recalled < 0 ? -1 : lend_again(plan, lend, queue, answer);
	if (queue == NULL || (lend->exclusive && queue->leased > 0)) {
		lend->remaining = queue != NULL ? queue->depth : 0;
		return 0;
	}
	struct choice choice = { .prefix = text_fold(&op->arena, lend->context_key_prefix),
				 .limit = lend->limit,
				 .prompt = lend->prompt };
	struct id_list chosen = id_list_choose(plan, op, queue, &choice);
	lend->remaining = queue->depth - chosen.count;
	if (chosen.count == 0)
		return 0;
	lend_events(plan, lend, queue, chosen);
	id_list_answer(plan, op, queue, chosen, EVENT_STATE_LEASED, 0, &lend->taken);
	return remember_lend(plan, lend, queue, chosen);
}

void
lease_take_op_init(struct lease_take_op *op)
{
	static const struct op_kind kind = { OP_KIND(lease_take_op, session_key), .plan = plan_lend,
					     .lookup = lend_lookup, .found = lend_found };

	op_start(&op->op, &kind);
	op->lease_ms = LEASE_MS_DEFAULT;
}
