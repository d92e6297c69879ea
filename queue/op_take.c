/*
 * op_take.c - the calls that take events out: drain, consume, withdraw, purge. Each is one recorded outcome, whatever the
 * number of events; their rows stay in the store until retention forgets them.
 */
#include "queue/plan.h"

#include <stdlib.h>

/* What a call takes: ids on the op's arena, to be settled and read. */
struct taking {
	int64_t *ids;
	size_t count;
};

static struct taking
room_for(struct sevq_op *op, size_t count)
{
	return (struct taking){ sevq_arena_alloc(&op->arena, (count + 1) * sizeof(int64_t)), 0 };
}

/* Asks for the events, in the order of ids, as the answer's list. */
static void
answer_with(struct sevq_plan *plan, struct sevq_op *op, const int64_t *ids, size_t count, struct sevq_event_list *list)
{
	list->events = sevq_arena_alloc(&op->arena, (count + 1) * sizeof *list->events);
	list->count = count;
	for (size_t i = 0; i < count; i++)
		sevq_plan_want(plan, op, ids[i], &list->events[i]);
}

/* Where nothing is taken nothing changes: the last context may stand for an event that was evicted. */
static void
take(struct sevq_plan *plan, struct sevq_queue *queue, enum sevq_outcome_kind kind, struct taking taking)
{
	if (taking.count == 0)
		return;
	sevq_plan_settle(plan, queue, kind, taking.ids, taking.count);
	sevq_queue_refresh_last(&plan->catalog, queue);
}

static size_t
at_most(size_t a, size_t b)
{
	return a < b ? a : b;
}

/* The oldest events whose context key starts with the prefix, as many as limit and the size of an answer allow. */
static struct taking
choose_prefix(struct sevq_plan *plan, struct sevq_op *op, const struct sevq_queue *queue, struct sevq_str prefix, size_t limit)
{
	struct taking chosen = room_for(op, at_most(queue->depth, limit));
	size_t bytes = 0;
	for (const struct sevq_entry *e = sevq_queue_first(queue, 0); e != NULL && chosen.count < limit;
	     e = sevq_queue_next(queue, e)) {
		if (!sevq_str_starts(sevq_tags_get(&plan->catalog.tags, e->tag)->context_key, prefix))
			continue;
		bytes += sevq_entry_text_bytes(e);
		if (bytes > SEVQ_ANSWER_TEXT_BYTES_MAX && chosen.count > 0)
			break;
		chosen.ids[chosen.count++] = e->id;
	}
	return chosen;
}

static int
plan_drain(struct sevq_plan *plan, struct sevq_op *op)
{
	struct sevq_drain *drain = (struct sevq_drain *)op;
	struct sevq_queue *queue;
	if (sevq_plan_queue(plan, op, &drain->address, &drain->session_key, &queue) < 0)
		return -1;
	if (queue == NULL)
		return 0;
	struct sevq_str prefix = sevq_fold(&op->arena, drain->context_key_prefix);
	size_t limit = drain->limit > 0 ? drain->limit : SEVQ_ANSWER_EVENTS_MAX;
	struct taking chosen = choose_prefix(plan, op, queue, prefix, limit);
	answer_with(plan, op, chosen.ids, chosen.count, &drain->taken);
	take(plan, queue, SEVQ_OUTCOME_DRAINED, chosen);
	drain->remaining = queue->depth;
	return 0;
}

static int
by_value(const void *a, const void *b)
{
	int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
	return (x > y) - (x < y);
}

/* The ids that are pending in the queue, in the order asked; one that is named twice is there twice. */
static struct taking
choose_ids(struct sevq_op *op, const struct sevq_queue *queue, const struct sevq_str *ids, size_t count)
{
	struct taking chosen = room_for(op, count);
	for (size_t i = 0; i < count; i++) {
		int64_t id;
		if (sevq_event_id_parse(ids[i], &id) && sevq_queue_entry(queue, id) != NULL)
			chosen.ids[chosen.count++] = id;
	}
	return chosen;
}

static struct taking
ascending_once(struct sevq_op *op, struct taking asked)
{
	struct taking once = room_for(op, asked.count);
	memcpy(once.ids, asked.ids, asked.count * sizeof *asked.ids);
	qsort(once.ids, asked.count, sizeof *once.ids, by_value);
	for (size_t i = 0; i < asked.count; i++)
		if (i == 0 || once.ids[i] != once.ids[i - 1])
			once.ids[once.count++] = once.ids[i];
	return once;
}

/* Leaves only the first mention of each id. */
static struct taking
first_mentions(struct sevq_op *op, struct taking asked, struct taking once)
{
	bool *seen = sevq_arena_alloc(&op->arena, once.count + 1);
	struct taking first = { asked.ids, 0 };
	for (size_t i = 0; i < asked.count; i++) {
		const int64_t *at = bsearch(&asked.ids[i], once.ids, once.count, sizeof *once.ids, by_value);
		if (!seen[at - once.ids])
			first.ids[first.count++] = asked.ids[i];
		seen[at - once.ids] = true;
	}
	return first;
}

static size_t
text_bytes(const struct sevq_queue *queue, struct taking taking)
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
	struct taking asked = choose_ids(op, queue, consume->ids, consume->id_count);
	struct taking once = ascending_once(op, asked);
	if (text_bytes(queue, once) > SEVQ_ANSWER_TEXT_BYTES_MAX)
		return sevq_fail(&op->error, SEVQ_TOO_LARGE, "these events hold more than %d bytes of text; name fewer",
				 SEVQ_ANSWER_TEXT_BYTES_MAX);
	asked = first_mentions(op, asked, once);
	answer_with(plan, op, asked.ids, asked.count, &consume->taken);
	take(plan, queue, SEVQ_OUTCOME_CONSUMED, once);
	consume->remaining = queue->depth;
	return 0;
}

static int64_t
locate_withdraw(const struct sevq_op *op)
{
	int64_t id;
	return sevq_event_id_parse(((const struct sevq_withdraw *)op)->id, &id) ? id : 0;
}

static int
plan_withdraw(struct sevq_plan *plan, struct sevq_op *op)
{
	struct sevq_withdraw *withdraw = (struct sevq_withdraw *)op;
	struct sevq_queue *queue = sevq_catalog_find(&plan->catalog, op->located);
	struct taking one = room_for(op, 1);
	one.ids[one.count++] = locate_withdraw(op);
	if (queue == NULL || sevq_queue_entry(queue, one.ids[0]) == NULL)
		return sevq_fail(&op->error, SEVQ_NOT_FOUND, "no pending event has this id");
	sevq_plan_want(plan, op, one.ids[0], &withdraw->event);
	take(plan, queue, SEVQ_OUTCOME_WITHDRAWN, one);
	return 0;
}

static int
plan_purge(struct sevq_plan *plan, struct sevq_op *op)
{
	struct sevq_purge *purge = (struct sevq_purge *)op;
	struct sevq_queue *queue;
	if (sevq_plan_queue(plan, op, &purge->address, &purge->session_key, &queue) < 0)
		return -1;
	if (queue == NULL)
		return 0;
	struct sevq_str context_key = sevq_fold(&op->arena, purge->context_key);
	struct taking chosen = room_for(op, queue->depth);
	for (const struct sevq_entry *e = sevq_queue_first(queue, 0); e != NULL; e = sevq_queue_next(queue, e))
		if (context_key.len == 0 || sevq_str_eq(sevq_tags_get(&plan->catalog.tags, e->tag)->context_key, context_key))
			chosen.ids[chosen.count++] = e->id;
	take(plan, queue, SEVQ_OUTCOME_PURGED, chosen);
	purge->purged = chosen.count;
	purge->remaining = queue->depth;
	return 0;
}

void
sevq_drain_init(struct sevq_drain *op)
{
	static const struct sevq_op_kind kind = { SEVQ_OP_KIND(drain, session_key), .plan = plan_drain };
	*op = (struct sevq_drain){ .op.kind = &kind };
}

void
sevq_consume_init(struct sevq_consume *op)
{
	static const struct sevq_op_kind kind = { SEVQ_OP_KIND(consume, session_key), .plan = plan_consume };
	*op = (struct sevq_consume){ .op.kind = &kind };
}

void
sevq_withdraw_init(struct sevq_withdraw *op)
{
	static const struct sevq_op_kind kind = { SEVQ_OP_KIND(withdraw, event), .plan = plan_withdraw, .locate = locate_withdraw };
	*op = (struct sevq_withdraw){ .op.kind = &kind };
}

void
sevq_purge_init(struct sevq_purge *op)
{
	static const struct sevq_op_kind kind = { SEVQ_OP_KIND(purge, session_key), .plan = plan_purge };
	*op = (struct sevq_purge){ .op.kind = &kind };
}
