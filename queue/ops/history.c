/*
 * history.c - what happened: pages of settled events and of dead letters, and dead letters enqueued anew.
 */
#include "queue/plan.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

/* --- pages ---------------------------------------------------------------------------------------------------------- */

/* A cursor is where the page before ended: "<outcome>:<event>". */
static int
read_cursor(struct sevq_history *history)
{
	char text[48], *end = text;
	struct sevq_history_query *query = &history->query;
	if (history->cursor.s == NULL)
		return 0;
	if (history->cursor.len > 0 && history->cursor.len < sizeof text) {
		memcpy(text, history->cursor.s, history->cursor.len);
		text[history->cursor.len] = '\0';
		query->before_outcome = strtoll(text, &end, 10);
		if (*end == ':')
			query->before_event = strtoll(end + 1, &end, 10);
	}
	if (end == text || *end != '\0' || query->before_outcome <= 0 || query->before_event <= 0)
		return sevq_fail_field(&history->op.error, "cursor", "not a cursor of an earlier page");
	return 0;
}

static const struct sevq_history_query *
query(struct sevq_plan *plan, struct sevq_op *op)
{
	struct sevq_history *history = (struct sevq_history *)op;
	struct sevq_place place = { 0 };
	if (history->address.session_key.s != NULL && sevq_plan_route(plan, op, &history->address, &place) < 0)
		return NULL;
	history->query = (struct sevq_history_query){ .session_key = place.queue_key,
						      .source = history->source,
						      .kind = history->kind,
						      .dead_letters = history->dead_letters,
						      .since_ms = history->since_ms,
						      .until_ms = history->until_ms,
						      .limit = history->limit };
	if (read_cursor(history) < 0)
		return NULL;
	history->items = sevq_arena_alloc(&op->arena, (history->limit + 1) * sizeof *history->items);
	history->count = 0;
	return &history->query;
}

static void
row(void *arg, const struct sevq_event *event, const struct sevq_store_outcome *outcome)
{
	struct sevq_history *history = arg;
	struct sevq_history_item *item = &history->items[history->count++];
	sevq_event_copy(&item->event, event, &history->op.arena);
	item->event.state = SEVQ_STATE_SETTLED;
	item->event.outcome = outcome->kind;
	item->end = (struct sevq_timeline_entry){ outcome->kind, outcome->ts_ms, outcome->until_ms, sevq_outcome_lease(outcome),
						  sevq_arena_dup(&history->op.arena, outcome->detail) };
}

static void
page(struct sevq_op *op, int64_t more_outcome, int64_t more_event)
{
	struct sevq_history *history = (struct sevq_history *)op;
	char text[48];
	if (more_outcome == 0)
		return;
	int len = snprintf(text, sizeof text, "%" PRId64 ":%" PRId64, more_outcome, more_event);
	history->next_cursor = sevq_arena_dup(&op->arena, (struct sevq_str){ text, (size_t)len });
}

static int
plan_history(struct sevq_plan *plan, struct sevq_op *op)
{
	(void)plan, (void)op;
	return SEVQ_PLANNED; /* the page is there already */
}

/* --- requeue -------------------------------------------------------------------------------------------------------- */

static bool
requeue_lookup(const struct sevq_plan *plan, const struct sevq_op *op, size_t index, struct sevq_lookup *ret)
{
	const struct sevq_requeue *requeue = (const struct sevq_requeue *)op;
	(void)plan;
	*ret = (struct sevq_lookup){ .kind = SEVQ_LOOKUP_DEAD };
	if (index >= requeue->id_count)
		return false;
	if (!sevq_event_id_parse(requeue->ids[index], &ret->id))
		ret->kind = SEVQ_LOOKUP_NONE;
	return true;
}

static void
requeue_found(struct sevq_op *op, size_t index, const struct sevq_found *found)
{
	struct sevq_requeue *requeue = (struct sevq_requeue *)op;
	requeue->text_bytes += found->event->text.len;
	if (requeue->text_bytes > SEVQ_ANSWER_TEXT_BYTES_MAX)
		return; /* it will be refused */
	if (requeue->items == NULL)
		requeue->items = sevq_arena_alloc(&op->arena, requeue->id_count * sizeof *requeue->items);
	sevq_event_copy(&requeue->items[index].event, found->event, &op->arena);
	requeue->items[index].dead = true;
}

static bool
named_before(const struct sevq_requeue *requeue, size_t index)
{
	for (size_t i = 0; i < index; i++)
		if (requeue->items[i].event.id == requeue->items[index].event.id)
			return true;
	return false;
}

/* By a call before this one in the batch, which its lookup could not see. */
static bool
requeued_meanwhile(const struct sevq_plan *plan, int64_t id)
{
	for (size_t i = 0; i < plan->batch.outcome_count; i++)
		if (plan->batch.outcomes[i].kind == SEVQ_OUTCOME_REQUEUED && plan->batch.outcomes[i].ids[0] == id)
			return true;
	return false;
}

static int
make_room(struct sevq_plan *plan, struct sevq_op *op, const struct sevq_queue *queue)
{
	const struct sevq_engine_options *limit = plan->options;
	if (plan->catalog.pending >= limit->pending_max || queue->depth >= limit->session_pending_max ||
	    (queue->depth == 0 && plan->catalog.sessions >= limit->sessions_max))
		return sevq_fail(&op->error, SEVQ_QUEUE_FULL, "there is no room for these dead letters in %.*s",
				 (int)queue->session.key.len, queue->session.key.s);
	return 0;
}

/* The dead letter's text as a new event where it was queued; the old event remembers the new one's id. */
static int
requeue_one(struct sevq_plan *plan, struct sevq_requeue *requeue, const struct sevq_event *dead)
{
	struct sevq_arena *arena = &requeue->op.arena;
	struct sevq_queue *queue = sevq_catalog_need(&plan->catalog, dead->session_key);
	if (make_room(plan, &requeue->op, queue) < 0)
		return -1;
	struct sevq_str sent = sevq_trim(dead->original_session_key);
	bool rekeyed = !sevq_str_eq(sent, dead->session_key);
	struct sevq_event *event = sevq_arena_alloc(arena, sizeof *event);
	*event = *dead;
	uint32_t tag = sevq_tags_intern(&plan->catalog.tags, event->context_key, rekeyed ? sent : SEVQ_STR_NULL, &event->delivery);
	sevq_plan_append(plan, queue, event, sevq_text_hash(event->text), tag, (int64_t)requeue->requeued * requeue->spacing_ms, 0);
	if (event->context_key.len > 0)
		sevq_queue_set_last(&plan->catalog, queue, tag);
	char text[24];
	int len = snprintf(text, sizeof text, "%" PRId64, event->id);
	int64_t *id = sevq_arena_alloc(arena, sizeof *id);
	*id = dead->id;
	sevq_plan_record(plan, queue,
			 (struct sevq_store_outcome){ .kind = SEVQ_OUTCOME_REQUEUED,
						      .detail = sevq_arena_dup(arena, (struct sevq_str){ text, (size_t)len }),
						      .ids = id,
						      .count = 1 });
	return 0;
}

static int
plan_requeue(struct sevq_plan *plan, struct sevq_op *op)
{
	struct sevq_requeue *requeue = (struct sevq_requeue *)op;
	if (requeue->text_bytes > SEVQ_ANSWER_TEXT_BYTES_MAX)
		return sevq_fail(&op->error, SEVQ_TOO_LARGE, "these dead letters hold more than %d bytes of text; name fewer",
				 SEVQ_ANSWER_TEXT_BYTES_MAX);
	for (size_t i = 0; requeue->items != NULL && i < requeue->id_count; i++) {
		const struct sevq_requeue_item *item = &requeue->items[i];
		if (!item->dead || named_before(requeue, i) || requeued_meanwhile(plan, item->event.id))
			continue;
		if (!requeue->dry_run && requeue_one(plan, requeue, &item->event) < 0)
			return -1;
		requeue->requeued++;
	}
	requeue->passed_over = requeue->id_count - requeue->requeued;
	return SEVQ_PLANNED;
}

void
sevq_history_init(struct sevq_history *op)
{
	static const struct sevq_op_kind kind = { SEVQ_OP_KIND(history, end), .plan = plan_history, .query = query, .row = row,
						  .page = page };
	sevq_op_start(&op->op, &kind);
}

void
sevq_requeue_init(struct sevq_requeue *op)
{
	static const struct sevq_op_kind kind = { SEVQ_OP_KIND(requeue, requeued), .appends = true, .plan = plan_requeue,
						  .lookup = requeue_lookup, .found = requeue_found };
	sevq_op_start(&op->op, &kind);
}
