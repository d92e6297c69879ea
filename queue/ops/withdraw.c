/* withdraw.c - remove one pending event by its id. */
#include "queue/ops/id_list.h"

static int64_t
withdraw_id(const struct op *op)
{
	int64_t id;

	return event_id_parse(((const struct withdraw_op *)op)->id, &id) ? id : 0;
}

static bool
withdraw_lookup(const struct plan *plan, struct op *op, size_t index, struct lookup *ret)
{
	(void)plan;
	*ret = (struct lookup){ .kind = LOOKUP_EVENT, .id = withdraw_id(op), .as_stored = true };
	return index == 0 && ret->id != 0;
}

/* The queue that the event is in is known from its row only, not from its id. */
static bool
withdraw_found(struct op *op, size_t index, const struct found *found)
{
	(void)index;
	((struct withdraw_op *)op)->session_key = arena_dup(&op->arena, found->event->session_key);
	return true;
}

static int
plan_withdraw(struct plan *plan, struct op *op)
{
	struct withdraw_op *withdraw = (struct withdraw_op *)op;
	const struct catalog *catalog = &plan->state->catalog;
	struct queue *queue = moved_find(&catalog->moved, withdraw_id(op));
	struct id_list one = id_list_alloc(&op->arena, 1);

	if (queue == NULL)
		queue = catalog_find(catalog, withdraw->session_key);
	id_list_add(&one, withdraw_id(op));
	const struct entry *entry = queue != NULL ? queue_entry(queue, one.ids[0]) : NULL;
	if (entry == NULL || !caller_may_touch(op->caller, queue->session.key))
		return error_set(&op->error, ERROR_NOT_FOUND, "no pending event has this id");
	answer_add_entry(&op->answer, &plan->state->catalog, queue, entry);
	plan_want(plan, op, queue, entry, EVENT_STATE_SETTLED, OUTCOME_WITHDRAWN, &withdraw->event);
	id_list_take(plan, queue, OUTCOME_WITHDRAWN, plan_caller_name(op), one);
	return 0;
}

void
withdraw_op_init(struct withdraw_op *op)
{
	static const struct op_kind kind = { OP_KIND(withdraw_op, event), .plan = plan_withdraw,
					     .lookup = withdraw_lookup, .found = withdraw_found };

	op_start(&op->op, &kind);
}
