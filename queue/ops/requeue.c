/* requeue.c - enqueue dead letters anew, as new events at the end of their queues. */
#include <inttypes.h>
#include <stdio.h>

#include "queue/budget.h"
#include "queue/ops/dead_letter.h"

static bool
requeue_lookup(const struct plan *plan, struct op *op, size_t index, struct lookup *ret)
{
	struct requeue_op *requeue = (struct requeue_op *)op;

	(void)plan;
	if (index == 0) {
		requeue->text_bytes = 0;
		for (size_t i = 0; requeue->items != NULL && i < requeue->id_count; i++)
			requeue->items[i].dead = false; /* it was in an earlier batch */
	}
	return dead_letter_lookup(requeue->ids, requeue->id_count, index, ret);
}

static bool
requeue_found(struct op *op, size_t index, const struct found *found)
{
	struct requeue_op *requeue = (struct requeue_op *)op;

	requeue->text_bytes += found->event->text.len;
	if (requeue->text_bytes > ANSWER_TEXT_BYTES_MAX)
		return true; /* the plan refuses the request */
	if (requeue->items == NULL)
		requeue->items =
		    arena_alloc(&op->arena, requeue->id_count * sizeof(*requeue->items));
	struct requeue_item *item = &requeue->items[index];
	if (item->event.id == 0) /* else it is copied already, and an event does not change */
		system_event_copy(&item->event, found->event, &op->arena);
	item->dead = true;
	return true;
}

static bool
named_before(const struct requeue_op *requeue, size_t index)
{
	for (size_t i = 0; i < index; i++)
		if (requeue->items[i].event.id == requeue->items[index].event.id)
			return true;
	return false;
}

static int
make_room(struct plan *plan, struct op *op, const struct queue *queue)
{
	const struct engine_options *limit = &plan->state->options;

	const char *reached =
	    plan->state->catalog.pending >= limit->pending_max ? "--max-pending-total"
	    : queue->depth >= limit->session_pending_max       ? "--max-pending"
	    : queue->depth == 0 && plan->state->catalog.sessions >= limit->sessions_max
		? "--max-sessions"
		: NULL;

	if (reached == NULL)
		return 0;
	return error_set(&op->error, ERROR_QUEUE_FULL,
			 "there is no room for these dead letters in %.*s: %s is reached",
			 (int)queue->session.key.len, queue->session.key.s, reached);
}

/*
 * Appends a copy of the dead letter as a new event to the queue that the key of its old one leads
 * to now; the outcome of the dead letter keeps the new event's id as its detail.
 */
static int
requeue_one(struct plan *plan, struct requeue_op *requeue, const struct system_event *dead)
{
	struct arena *arena = &requeue->op.arena;
	struct address address = { .session_key = dead->session_key };
	struct cached_route route;

	if (plan_route(plan, &requeue->op, &address, &route) < 0 ||
	    queue_key_check(route.queue_key, &requeue->op.error) < 0)
		return -1;
	struct queue *queue =
	    catalog_find_or_add_hashed(&plan->state->catalog, route.queue_key, route.hash);
	if (make_room(plan, &requeue->op, queue) < 0)
		return -1;
	struct str sent = text_trim(dead->original_session_key);
	bool rekeyed = !str_eq(sent, route.queue_key);
	struct system_event *event = arena_alloc(arena, sizeof(*event));
	*event = *dead;
	event->session_key = route.queue_key;
	if (!str_eq(route.queue_key, dead->session_key))
		event->rule = route.rule;
	uint32_t tag = tags_intern(&plan->state->catalog.tags, event->context_key,
				   rekeyed ? sent : STR_NULL, &event->delivery);
	plan_append(plan, queue, event, text_hash(event->text), tag,
		    (int64_t)requeue->requeued * requeue->spacing_ms, 0);
	if (event->context_key.len > 0)
		journal_set_last(&plan->state->catalog, queue, tag);
	char text[24];
	int len = snprintf(text, sizeof(text), "%" PRId64, event->id);
	int64_t *id = arena_alloc(arena, sizeof(*id));
	*id = dead->id;
	plan_record(
	    plan, queue,
	    (struct store_outcome){ .kind = OUTCOME_REQUEUED,
				    .detail = arena_dup(arena, (struct str){ text, (size_t)len }),
				    .died_in = dead->session_key,
				    .ids = id,
				    .count = 1 });
	return 0;
}

static size_t
requeue_work(const struct op *op)
{
	size_t ids = ((const struct requeue_op *)op)->id_count;

	return WORK_OP + (WORK_LOOKUP + 3 * WORK_RECORD) * ids;
}

static int
plan_requeue(struct plan *plan, struct op *op)
{
	struct requeue_op *requeue = (struct requeue_op *)op;

	if (requeue->text_bytes > ANSWER_TEXT_BYTES_MAX)
		return error_set(&op->error, ERROR_TOO_LARGE,
				 "these dead letters hold more than %d bytes of text; name fewer",
				 ANSWER_TEXT_BYTES_MAX);
	for (size_t i = 0; requeue->items != NULL && i < requeue->id_count; i++) {
		const struct requeue_item *item = &requeue->items[i];

		if (!item->dead || !caller_may_touch(op->caller, item->event.session_key) ||
		    named_before(requeue, i) || dead_letter_is_over(plan, item->event.id))
			continue;
		if (!requeue->dry_run && requeue_one(plan, requeue, &item->event) < 0)
			return -1;
		requeue->requeued++;
	}
	requeue->passed_over = requeue->id_count - requeue->requeued;
	return PLAN_DONE;
}

void
requeue_op_init(struct requeue_op *op)
{
	static const struct op_kind kind = {
		OP_KIND(requeue_op, requeued), .appends = true,          .work = requeue_work,
		.plan = plan_requeue,          .lookup = requeue_lookup, .found = requeue_found
	};

	op_start(&op->op, &kind);
}
