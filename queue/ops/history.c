/* history.c - pages of settled events and of dead letters. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "queue/plan.h"
#include "schema/number.h"

/* A cursor is the position where the page before ended: "<outcome>:<event>". */
static int
read_cursor(struct history_op *history)
{
	const struct str cursor = history->cursor;
	struct history_query *query = &history->query;

	if (cursor.s == NULL)
		return 0;
	const char *colon = memchr(cursor.s, ':', cursor.len);
	size_t len = colon != NULL ? (size_t)(colon - cursor.s) : cursor.len;
	if (colon == NULL ||
	    number_parse((struct str){ cursor.s, len }, 1, INT64_MAX, &query->before_outcome) !=
		NUMBER_PARSED ||
	    number_parse((struct str){ colon + 1, cursor.len - len - 1 }, 1, INT64_MAX,
			 &query->before_event) != NUMBER_PARSED)
		return error_set_field(&history->op.error, "cursor",
				       "not a cursor of an earlier page");
	return 0;
}

static const struct history_query *
query(struct plan *plan, struct op *op)
{
	struct history_op *history = (struct history_op *)op;
	struct cached_route route = { 0 };

	if (history->address.session_key.s != NULL &&
	    plan_route(plan, op, &history->address, &route) < 0)
		return NULL;
	history->query = (struct history_query){ .session_key = route.queue_key,
						 .source = history->source,
						 .kind = history->kind,
						 .dead_letters = history->dead_letters,
						 .since_ms = history->since_ms,
						 .until_ms = history->until_ms,
						 .limit = history->limit };
	if (read_cursor(history) < 0)
		return NULL;
	history->items = arena_alloc(&op->arena, (history->limit + 1) * sizeof(*history->items));
	history->count = 0;
	history->room = plan->answer_room;
	return &history->query;
}

static bool
row(void *arg, const struct system_event *event, const struct store_outcome *outcome)
{
	struct history_op *history = arg;
	struct answer_size size = history->op.answer;

	answer_add_event(&size, event);
	answer_add_other(&size, outcome->detail.len);
	if (history->count > 0 && !answer_fits(&size, history->room))
		return false;
	history->op.answer = size;
	struct history_item *item = &history->items[history->count++];
	system_event_copy(&item->event, event, &history->op.arena);
	item->event.state = EVENT_STATE_SETTLED;
	item->event.outcome = outcome->kind;
	item->end = (struct timeline_entry){ outcome->kind, outcome->ts_ms, outcome->until_ms,
					     outcome_lease(outcome),
					     arena_dup(&history->op.arena, outcome->detail) };
	return true;
}

static void
page(struct op *op, int64_t more_outcome, int64_t more_event)
{
	struct history_op *history = (struct history_op *)op;
	char text[48];

	if (more_outcome == 0)
		return;
	int len = snprintf(text, sizeof(text), "%" PRId64 ":%" PRId64, more_outcome, more_event);
	history->next_cursor = arena_dup(&op->arena, (struct str){ text, (size_t)len });
}

static int
plan_history(struct plan *plan, struct op *op)
{
	(void)plan, (void)op;
	return PLAN_DONE; /* the page is there already */
}

void
history_op_init(struct history_op *op)
{
	static const struct op_kind kind = { OP_KIND(history_op, end), .plan = plan_history,
					     .query = query, .row = row, .page = page };

	op_start(&op->op, &kind);
}
