/*
 * drain.c - take a prefix of the deliverable events for good: one recorded outcome, whatever the
 * number of events. Their rows stay in the store until retention forgets them.
 */
#include "queue/ops/id_list.h"
#include "queue/ops/idempotency.h"

static bool
drain_lookup(const struct plan *plan, struct op *op, size_t index, struct lookup *ret)
{
	(void)plan;
	return index == 0 && idempotency_lookup(&op->idempotency, ret);
}

static bool
drain_found(struct op *op, size_t index, const struct found *found)
{
	(void)index;
	idempotency_found(&op->idempotency, &op->arena, found->key);
	return true;
}

static int
drain_repeated(struct plan *plan, struct drain_op *drain, struct str answer)
{
	struct kept_answer kept = idempotency_read(&drain->op.arena, answer);
	struct queue *queue;

	if (plan_kept_queue(plan, &drain->op, &drain->address, kept.queue_key, &drain->session_key,
			    &queue) < 0)
		return -1;
	id_list_answer_repeated(plan, &drain->op, kept.numbers, kept.count, EVENT_STATE_SETTLED,
				OUTCOME_DRAINED, &drain->taken);
	drain->remaining = queue != NULL ? queue->depth : 0;
	return 0;
}

/* Keeps the answer under the key; call while the queue still has the events' attempts. */
static int
drain_remember(struct plan *plan, struct op *op, const struct queue *queue, struct id_list chosen)
{
	if (op->idempotency.key.s == NULL || chosen.count == 0)
		return 0;
	int64_t *numbers = arena_alloc(&op->arena, 2 * chosen.count * sizeof(*numbers));
	id_list_remember(queue, chosen, numbers);
	return idempotency_remember(
	    plan, op, &op->idempotency, queue->session.key,
	    &(struct kept_answer){ queue->session.key, numbers, 2 * chosen.count });
}

static int
plan_drain(struct plan *plan, struct op *op)
{
	struct drain_op *drain = (struct drain_op *)op;
	struct choice choice = { .prefix = text_fold(&op->arena, drain->context_key_prefix),
				 .limit = drain->limit,
				 .leave_exec = drain->prompt && !drain->exec_completions };
	struct queue *queue;
	struct str answer;

	int recalled = idempotency_recall(plan, &op->idempotency, &answer, &op->error);
	if (recalled != 0)
		return recalled < 0 ? -1 : drain_repeated(plan, drain, answer);
	if (plan_queue(plan, op, &drain->address, &drain->session_key, &queue) < 0)
		return -1;
	if (queue == NULL)
		return 0;
	struct id_list chosen = id_list_choose(plan, op, queue, &choice);
	id_list_answer(plan, op, queue, chosen, EVENT_STATE_SETTLED, OUTCOME_DRAINED,
		       &drain->taken);
	if (drain_remember(plan, op, queue, chosen) < 0)
		return -1;
	if (drain->prompt)
		id_list_take(plan, queue, OUTCOME_DRAINED, STR("left out of the prompt"),
			     id_list_left_out(op, queue, &chosen));
	id_list_take(plan, queue, OUTCOME_DRAINED, STR_NULL, chosen);
	drain->remaining = queue->depth;
	return 0;
}

void
drain_op_init(struct drain_op *op)
{
	static const struct op_kind kind = { OP_KIND(drain_op, session_key), .plan = plan_drain,
					     .lookup = drain_lookup, .found = drain_found };

	op_start(&op->op, &kind);
}
