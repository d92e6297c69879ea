/*
 * take.c - the calls that take events out: drain, consume, withdraw, purge. Each is one recorded outcome, whatever the
 * number of events; their rows stay in the store until retention forgets them.
 */
#include "queue/ops/id_list.h"

#include <stdlib.h>

#include "queue/ops/idempotency.h"

static struct sevq_store_outcome
outcome(enum sevq_outcome_kind kind, struct sevq_taking taking)
{
	return (struct sevq_store_outcome){ .kind = kind, .ids = taking.ids, .count = taking.count };
}

/* Where nothing is taken nothing changes: the last context may stand for an event that was evicted. */
static void
take(struct sevq_plan *plan, struct sevq_queue *queue, enum sevq_outcome_kind kind, struct sevq_taking taking)
{
	if (taking.count == 0)
		return;
	sevq_plan_settle(plan, queue, outcome(kind, taking));
	sevq_queue_refresh_last(&plan->catalog, queue);
}

static bool
drain_lookup(const struct sevq_plan *plan, const struct sevq_op *op, size_t index, struct sevq_lookup *ret)
{
	(void)plan;
	return index == 0 && sevq_answers_lookup(&op->idempotency, ret);
}

static void
drain_found(struct sevq_op *op, size_t index, const struct sevq_found *found)
{
	(void)index;
	sevq_answers_found(&op->idempotency, &op->arena, found->key);
}

static int
drain_again(struct sevq_plan *plan, struct sevq_drain *drain, const struct sevq_queue *queue, struct sevq_str answer)
{
	int64_t *numbers;
	size_t count = sevq_answers_numbers(&drain->op.arena, answer, &numbers);
	sevq_taking_answer_again(plan, &drain->op, numbers, count, SEVQ_STATE_SETTLED, SEVQ_OUTCOME_DRAINED, &drain->taken);
	drain->remaining = queue != NULL ? queue->depth : 0;
	return 0;
}

/* Before the events leave the queue, which knows their attempts. */
static int
remember_drain(struct sevq_plan *plan, struct sevq_op *op, const struct sevq_queue *queue, struct sevq_taking chosen)
{
	if (op->idempotency.key.s == NULL || chosen.count == 0)
		return 0;
	int64_t *numbers = sevq_arena_alloc(&op->arena, 2 * chosen.count * sizeof *numbers);
	sevq_taking_keep(queue, chosen, numbers);
	return sevq_answers_remember(plan, op, &op->idempotency, numbers, 2 * chosen.count);
}

static int
plan_drain(struct sevq_plan *plan, struct sevq_op *op)
{
	struct sevq_drain *drain = (struct sevq_drain *)op;
	struct sevq_choice choice = { sevq_fold(&op->arena, drain->context_key_prefix), drain->limit, drain->prompt };
	struct sevq_queue *queue;
	struct sevq_str answer;
	if (sevq_plan_queue(plan, op, &drain->address, &drain->session_key, &queue) < 0)
		return -1;
	int recalled = sevq_answers_recall(plan, &op->idempotency, &answer, &op->error);
	if (recalled != 0)
		return recalled < 0 ? -1 : drain_again(plan, drain, queue, answer);
	if (queue == NULL)
		return 0;
	struct sevq_taking chosen = sevq_taking_choose(plan, op, queue, &choice);
	sevq_taking_answer(plan, op, queue, chosen, SEVQ_STATE_SETTLED, SEVQ_OUTCOME_DRAINED, &drain->taken);
	if (remember_drain(plan, op, queue, chosen) < 0)
		return -1;
	take(plan, queue, SEVQ_OUTCOME_DRAINED, chosen);
	drain->remaining = queue->depth;
	return 0;
}

/* The ids that are pending in the queue, in the order asked; one that is named twice is there twice. */
static struct sevq_taking
choose_ids(struct sevq_op *op, const struct sevq_queue *queue, const struct sevq_str *ids, size_t count)
{
	struct sevq_taking chosen = sevq_taking_room(&op->arena, count);
	for (size_t i = 0; i < count; i++) {
		int64_t id;
		if (sevq_event_id_parse(ids[i], &id) && sevq_queue_entry(queue, id) != NULL)
			sevq_taking_add(&chosen, id);
	}
	return chosen;
}

static struct sevq_taking
ascending_once(struct sevq_op *op, struct sevq_taking asked)
{
	struct sevq_taking once = sevq_taking_room(&op->arena, asked.count);
	memcpy(once.ids, asked.ids, asked.count * sizeof *asked.ids);
	once.count = asked.count;
	sevq_taking_sort(&once);
	return once;
}

/* Leaves only the first mention of each id. */
static struct sevq_taking
first_mentions(struct sevq_op *op, struct sevq_taking asked, struct sevq_taking once)
{
	bool *seen = sevq_arena_alloc(&op->arena, once.count + 1);
	struct sevq_taking first = { asked.ids, 0 };
	for (size_t i = 0; i < asked.count; i++) {
		const int64_t *at = bsearch(&asked.ids[i], once.ids, once.count, sizeof *once.ids, sevq_id_compare);
		if (!seen[at - once.ids])
			first.ids[first.count++] = asked.ids[i];
		seen[at - once.ids] = true;
	}
	return first;
}

static size_t
text_bytes(const struct sevq_queue *queue, struct sevq_taking taking)
{
	size_t bytes = 0;
	for (size_t i = 0; i < taking.count; i++)
		bytes += sevq_entry_text_bytes(sevq_queue_entry(queue, taking.ids[i]));
	return bytes;
}

static int
plan_consume(struct sevq_plan *plan, struct sevq_op *op)
{
	struct sevq_consume *consume = (struct sevq_consume *)op;
	struct sevq_queue *queue;
	if (sevq_plan_queue(plan, op, &consume->address, &consume->session_key, &queue) < 0)
		return -1;
	if (queue == NULL)
		return 0;
	struct sevq_taking asked = choose_ids(op, queue, consume->ids, consume->id_count);
	struct sevq_taking once = ascending_once(op, asked);
	if (text_bytes(queue, once) > SEVQ_ANSWER_TEXT_BYTES_MAX)
		return sevq_fail(&op->error, SEVQ_TOO_LARGE, "these events hold more than %d bytes of text; name fewer",
				 SEVQ_ANSWER_TEXT_BYTES_MAX);
	asked = first_mentions(op, asked, once);
	sevq_taking_answer(plan, op, queue, asked, SEVQ_STATE_SETTLED, SEVQ_OUTCOME_CONSUMED, &consume->taken);
	take(plan, queue, SEVQ_OUTCOME_CONSUMED, once);
	consume->remaining = queue->depth;
	return 0;
}

static int64_t
withdraw_id(const struct sevq_op *op)
{
	int64_t id;
	return sevq_event_id_parse(((const struct sevq_withdraw *)op)->id, &id) ? id : 0;
}

static bool
withdraw_lookup(const struct sevq_plan *plan, const struct sevq_op *op, size_t index, struct sevq_lookup *ret)
{
	(void)plan;
	*ret = (struct sevq_lookup){ .kind = SEVQ_LOOKUP_EVENT, .id = withdraw_id(op) };
	return index == 0 && ret->id != 0;
}

/* An id alone does not say where the event is filed; its row does. */
static void
withdraw_found(struct sevq_op *op, size_t index, const struct sevq_found *found)
{
	(void)index;
	((struct sevq_withdraw *)op)->session_key = sevq_arena_dup(&op->arena, found->event->session_key);
}

static int
plan_withdraw(struct sevq_plan *plan, struct sevq_op *op)
{
	struct sevq_withdraw *withdraw = (struct sevq_withdraw *)op;
	struct sevq_queue *queue = sevq_catalog_find(&plan->catalog, withdraw->session_key);
	struct sevq_taking one = sevq_taking_room(&op->arena, 1);
	sevq_taking_add(&one, withdraw_id(op));
	const struct sevq_entry *entry = queue != NULL ? sevq_queue_entry(queue, one.ids[0]) : NULL;
	if (entry == NULL)
		return sevq_fail(&op->error, SEVQ_NOT_FOUND, "no pending event has this id");
	sevq_plan_want(plan, op, entry, SEVQ_STATE_SETTLED, SEVQ_OUTCOME_WITHDRAWN, &withdraw->event);
	take(plan, queue, SEVQ_OUTCOME_WITHDRAWN, one);
	return 0;
}

static int
plan_purge(struct sevq_plan *plan, struct sevq_op *op)
{
	struct sevq_purge *purge = (struct sevq_purge *)op;
	struct sevq_queue *queue;
	struct sevq_str context_key = sevq_fold(&op->arena, purge->context_key);
	if (purge->context_key.s != NULL && context_key.len == 0) /* whoever says it, does not mean everything */
		return sevq_fail_field(&op->error, "/contextKey", "contextKey is blank");
	if (sevq_plan_queue(plan, op, &purge->address, &purge->session_key, &queue) < 0)
		return -1;
	if (queue == NULL)
		return 0;
	struct sevq_taking chosen = sevq_taking_room(&op->arena, queue->depth);
	for (const struct sevq_entry *e = sevq_queue_first(queue, 0); e != NULL; e = sevq_queue_next(queue, e))
		if (context_key.len == 0 || sevq_str_eq(sevq_tags_get(&plan->catalog.tags, e->tag)->context_key, context_key))
			sevq_taking_add(&chosen, e->id);
	take(plan, queue, SEVQ_OUTCOME_PURGED, chosen);
	purge->purged = chosen.count;
	purge->remaining = queue->depth;
	return 0;
}

void
sevq_drain_init(struct sevq_drain *op)
{
	static const struct sevq_op_kind kind = { SEVQ_OP_KIND(drain, session_key), .plan = plan_drain, .lookup = drain_lookup,
						  .found = drain_found };
	sevq_op_start(&op->op, &kind);
}

void
sevq_consume_init(struct sevq_consume *op)
{
	static const struct sevq_op_kind kind = { SEVQ_OP_KIND(consume, session_key), .plan = plan_consume };
	sevq_op_start(&op->op, &kind);
}

void
sevq_withdraw_init(struct sevq_withdraw *op)
{
	static const struct sevq_op_kind kind = { SEVQ_OP_KIND(withdraw, event), .plan = plan_withdraw, .lookup = withdraw_lookup,
						  .found = withdraw_found };
	sevq_op_start(&op->op, &kind);
}

void
sevq_purge_init(struct sevq_purge *op)
{
	static const struct sevq_op_kind kind = { SEVQ_OP_KIND(purge, session_key), .plan = plan_purge };
	sevq_op_start(&op->op, &kind);
}
