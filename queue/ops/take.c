/*
 * take.c - the calls that take events out: drain, consume, withdraw, purge. Each is one recorded
 * outcome, whatever the number of events; their rows stay in the store until retention forgets
 * them.
 */
#include <stdlib.h>

#include "queue/ops/id_list.h"
#include "queue/ops/idempotency.h"

static struct store_outcome
outcome(enum outcome_kind kind, struct id_list taking)
{
	return (struct store_outcome){ .kind = kind, .ids = taking.ids, .count = taking.count };
}

/*
 * Where nothing is taken nothing changes: the last context may stand for an event that was evicted.
 */
static void
take(struct plan *plan, struct queue *queue, enum outcome_kind kind, struct id_list taking)
{
	if (taking.count == 0)
		return;
	plan_settle(plan, queue, outcome(kind, taking));
	queue_refresh_last(&plan->catalog, queue);
}

static bool
drain_lookup(const struct plan *plan, const struct op *op, size_t index, struct lookup *ret)
{
	(void)plan;
	return index == 0 && idempotency_lookup(&op->idempotency, ret);
}

static void
drain_found(struct op *op, size_t index, const struct found *found)
{
	(void)index;
	idempotency_found(&op->idempotency, &op->arena, found->key);
}

static int
drain_again(struct plan *plan, struct drain_op *drain, const struct queue *queue, struct str answer)
{
	int64_t *numbers;
	size_t count = idempotency_numbers(&drain->op.arena, answer, &numbers);

	id_list_answer_again(plan, &drain->op, numbers, count, EVENT_STATE_SETTLED, OUTCOME_DRAINED,
			     &drain->taken);
	drain->remaining = queue != NULL ? queue->depth : 0;
	return 0;
}

/* Before the events leave the queue, which knows their attempts. */
static int
remember_drain(struct plan *plan, struct op *op, const struct queue *queue, struct id_list chosen)
{
	if (op->idempotency.key.s == NULL || chosen.count == 0)
		return 0;
	int64_t *numbers = arena_alloc(&op->arena, 2 * chosen.count * sizeof(*numbers));
	id_list_keep(queue, chosen, numbers);
	return idempotency_remember(plan, op, &op->idempotency, numbers, 2 * chosen.count);
}

static int
plan_drain(struct plan *plan, struct op *op)
{
	struct drain_op *drain = (struct drain_op *)op;
	struct choice choice = { text_fold(&op->arena, drain->context_key_prefix), drain->limit,
				 drain->prompt };
	struct queue *queue;
	struct str answer;

	if (plan_queue(plan, op, &drain->address, &drain->session_key, &queue) < 0)
		return -1;
	int recalled = idempotency_recall(plan, &op->idempotency, &answer, &op->error);
	if (recalled != 0)
		return recalled < 0 ? -1 : drain_again(plan, drain, queue, answer);
	if (queue == NULL)
		return 0;
	struct id_list chosen = id_list_choose(plan, op, queue, &choice);
	id_list_answer(plan, op, queue, chosen, EVENT_STATE_SETTLED, OUTCOME_DRAINED,
		       &drain->taken);
	if (remember_drain(plan, op, queue, chosen) < 0)
		return -1;
	take(plan, queue, OUTCOME_DRAINED, chosen);
	drain->remaining = queue->depth;
	return 0;
}

/*
 * The ids that are pending in the queue, in the order asked; one that is named twice is there
 * twice.
 */
static struct id_list
choose_ids(struct op *op, const struct queue *queue, const struct str *ids, size_t count)
{
	struct id_list chosen = id_list_room(&op->arena, count);

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
	struct id_list once = id_list_room(&op->arena, asked.count);

	memcpy(once.ids, asked.ids, asked.count * sizeof(*asked.ids));
	once.count = asked.count;
	id_list_sort(&once);
	return once;
}

/* Leaves only the first mention of each id. */
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

static size_t
text_bytes(const struct queue *queue, struct id_list taking)
{
	size_t bytes = 0;

	for (size_t i = 0; i < taking.count; i++)
		bytes += entry_text_bytes(queue_entry(queue, taking.ids[i]));
	return bytes;
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
	if (text_bytes(queue, once) > ANSWER_TEXT_BYTES_MAX)
		return error_set(&op->error, ERROR_TOO_LARGE,
				 "these events hold more than %d bytes of text; name fewer",
				 ANSWER_TEXT_BYTES_MAX);
	asked = first_mentions(op, asked, once);
	id_list_answer(plan, op, queue, asked, EVENT_STATE_SETTLED, OUTCOME_CONSUMED,
		       &consume->taken);
	take(plan, queue, OUTCOME_CONSUMED, once);
	consume->remaining = queue->depth;
	return 0;
}

static int64_t
withdraw_id(const struct op *op)
{
	int64_t id;

	return event_id_parse(((const struct withdraw_op *)op)->id, &id) ? id : 0;
}

static bool
withdraw_lookup(const struct plan *plan, const struct op *op, size_t index, struct lookup *ret)
{
	(void)plan;
	*ret = (struct lookup){ .kind = LOOKUP_EVENT, .id = withdraw_id(op) };
	return index == 0 && ret->id != 0;
}

/* An id alone does not say where the event is filed; its row does. */
static void
withdraw_found(struct op *op, size_t index, const struct found *found)
{
	(void)index;
	((struct withdraw_op *)op)->session_key = arena_dup(&op->arena, found->event->session_key);
}

static int
plan_withdraw(struct plan *plan, struct op *op)
{
	struct withdraw_op *withdraw = (struct withdraw_op *)op;
	struct queue *queue = catalog_find(&plan->catalog, withdraw->session_key);
	struct id_list one = id_list_room(&op->arena, 1);

	id_list_add(&one, withdraw_id(op));
	const struct entry *entry = queue != NULL ? queue_entry(queue, one.ids[0]) : NULL;
	if (entry == NULL)
		return error_set(&op->error, ERROR_NOT_FOUND, "no pending event has this id");
	plan_want(plan, op, entry, EVENT_STATE_SETTLED, OUTCOME_WITHDRAWN, &withdraw->event);
	take(plan, queue, OUTCOME_WITHDRAWN, one);
	return 0;
}

static int
plan_purge(struct plan *plan, struct op *op)
{
	struct purge_op *purge = (struct purge_op *)op;
	struct queue *queue;
	struct str context_key = text_fold(&op->arena, purge->context_key);

	/* whoever says it, does not mean everything */
	if (purge->context_key.s != NULL && context_key.len == 0)
		return error_set_field(&op->error, "/contextKey", "contextKey is blank");
	if (plan_queue(plan, op, &purge->address, &purge->session_key, &queue) < 0)
		return -1;
	if (queue == NULL)
		return 0;
	struct id_list chosen = id_list_room(&op->arena, queue->depth);
	for (const struct entry *e = queue_first(queue, 0); e != NULL; e = queue_next(queue, e))
		if (context_key.len == 0 ||
		    str_eq(tags_get(&plan->catalog.tags, e->tag)->context_key, context_key))
			id_list_add(&chosen, e->id);
	take(plan, queue, OUTCOME_PURGED, chosen);
	purge->purged = chosen.count;
	purge->remaining = queue->depth;
	return 0;
}

void
drain_op_init(struct drain_op *op)
{
	static const struct op_kind kind = { OP_KIND(drain_op, session_key), .plan = plan_drain,
					     .lookup = drain_lookup, .found = drain_found };

	op_start(&op->op, &kind);
}

void
consume_op_init(struct consume_op *op)
{
	static const struct op_kind kind = { OP_KIND(consume_op, session_key),
					     .plan = plan_consume };

	op_start(&op->op, &kind);
}

void
withdraw_op_init(struct withdraw_op *op)
{
	static const struct op_kind kind = { OP_KIND(withdraw_op, event), .plan = plan_withdraw,
					     .lookup = withdraw_lookup, .found = withdraw_found };

	op_start(&op->op, &kind);
}

void
purge_op_init(struct purge_op *op)
{
	static const struct op_kind kind = { OP_KIND(purge_op, session_key), .plan = plan_purge };

	op_start(&op->op, &kind);
}
