/*
 * consume.c - take exactly the events that a request names: one recorded outcome, whatever their
 * number.
 */
#include <stdlib.h>

#include "queue/ops/id_list.h"

/*
 * Lists the asked ids that are pending in the queue, in the order asked; an id that is named twice
 * is listed twice.
 */
static struct id_list
choose_ids(struct op *op, const struct queue *queue, const struct str *ids, size_t count)
{
	struct id_list chosen = id_list_alloc(&op->arena, count);

	for (size_t i = 0; i < count; i++) {
		int64_t id;

		if (event_id_parse(ids[i], &id) && queue_entry(queue, id) != NULL)
			id_list_add(&chosen, id);
	}
	return chosen;
}

static struct id_list
ascending_once(struct op *op, struct id_list asked)
{
	struct id_list once = id_list_alloc(&op->arena, asked.count);

	memcpy(once.ids, asked.ids, asked.count * sizeof(*asked.ids));
	once.count = asked.count;
	id_list_sort(&once);
	return once;
}

/* Keeps only the first mention of each id. once: the same ids, ascending. */
static struct id_list
first_mentions(struct op *op, struct id_list asked, struct id_list once)
{
	bool *seen = arena_alloc(&op->arena, once.count + 1);
	struct id_list first = { asked.ids, 0 };

	for (size_t i = 0; i < asked.count; i++) {
		const int64_t *at =
		    bsearch(&asked.ids[i], once.ids, once.count, sizeof(*once.ids), id_compare);

		if (!seen[at - once.ids])
			first.ids[first.count++] = asked.ids[i];
		seen[at - once.ids] = true;
	}
	return first;
}

/* Counts the events in op->answer. False: they are more than one answer may have. */
static bool
is_one_answer(struct plan *plan, struct op *op, const struct queue *queue, struct id_list list)
{
	for (size_t i = 0; i < list.count; i++)
		answer_add_entry(&op->answer, &plan->state->catalog, queue,
				 queue_entry(queue, list.ids[i]));
	return list.count <= 1 || answer_fits(&op->answer, plan->state->options.answer_bytes_max);
}

static int
plan_consume(struct plan *plan, struct op *op)
{
	struct consume_op *consume = (struct consume_op *)op;
	struct queue *queue;

	if (plan_queue(plan, op, &consume->address, &consume->session_key, &queue) < 0)
		return -1;
	if (queue == NULL)
		return 0;
	struct id_list asked = choose_ids(op, queue, consume->ids, consume->id_count);
	struct id_list once = ascending_once(op, asked);
	if (!is_one_answer(plan, op, queue, once))
		return error_set(&op->error, ERROR_TOO_LARGE,
				 "these events are more than one answer may have (%d bytes of "
				 "text); name fewer",
				 ANSWER_TEXT_BYTES_MAX);
	asked = first_mentions(op, asked, once);
	id_list_answer(plan, op, queue, asked, EVENT_STATE_SETTLED, OUTCOME_CONSUMED,
		       &consume->taken);
	id_list_take(plan, queue, OUTCOME_CONSUMED, STR_NULL, once);
	consume->remaining = queue->depth;
	return 0;
}

void
consume_op_init(struct consume_op *op)
{
	static const struct op_kind kind = { OP_KIND(consume_op, session_key),
					     .plan = plan_consume };

	op_start(&op->op, &kind);
}
