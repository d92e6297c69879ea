/*
 * peek.c - the pending events of a session, oldest first. Peek is an op like the others, so that it
 * shows only what has been committed; it costs no commit of its own.
 */
#include "queue/plan.h"

static int
plan_peek(struct plan *plan, struct op *op)
{
	struct peek_op *peek = (struct peek_op *)op;
	struct queue *queue;
	int64_t after = 0;

	if (peek->after.s != NULL && !event_id_parse(peek->after, &after))
		return error_set_field(&op->error, "after", "not an event id");
	if (plan_queue(plan, op, &peek->address, &peek->session_key, &queue) < 0)
		return -1;
	if (queue == NULL)
		return 0;
	size_t limit = peek->limit < queue->depth ? peek->limit : queue->depth;
	peek->depth = queue->depth;
	peek->found.events = arena_alloc(&op->arena, (limit + 1) * sizeof(*peek->found.events));
	for (const struct entry *e = queue_first(queue, after); e != NULL;
	     e = queue_next(queue, e)) {
		if ((e->flags & ENTRY_DAMAGED) != 0)
			continue;
		peek->more = peek->found.count == limit || !plan_answer_entry(plan, op, queue, e);
		if (peek->more)
			break;
		plan_want(plan, op, queue, e, entry_state(e), 0,
			  &peek->found.events[peek->found.count++]);
	}
	return 0;
}

void
peek_op_init(struct peek_op *op)
{
	static const struct op_kind kind = { OP_KIND(peek_op, session_key), .plan = plan_peek };

	op_start(&op->op, &kind);
}
