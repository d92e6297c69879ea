/*
 * history.c - pages of settled events and of dead letters.
 *
 * What is asked for may be rare, so a page is read in slices, over as many batches as it takes. A
 * page goes on while its answer is small: it is in memory meanwhile, and only small answers need no
 * room (answer.h).
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "queue/budget.h"
#include "queue/plan.h"
#include "schema/number.h"

#define FIRST_LOOKS 20 /* beside those at the rows of a full page: to go on at a clock mark */
#define SLICE_LOOKS 1000
#define SLICES_MAX 20 /* then the page ends, even if it is empty */

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

/* The first slice is enough where most rows match. */
static size_t
slice_looks(const struct history_op *history)
{
	return history->slices == 0 ? FIRST_LOOKS + history->limit : SLICE_LOOKS;
}

/* Each look is at an outcome and an event. */
static size_t
slice_work(const struct history_op *history)
{
	return 2 * WORK_ROW * slice_looks(history) +
	       (history->slices == 0 ? WORK_RECORD * history->limit : 0);
}

/* Fills in the query of the first slice. */
static int
begin(struct plan *plan, struct history_op *history)
{
	struct cached_route route = { 0 };

	const struct address *address = &history->address;
	bool all = address->session_key.s == NULL && address->agent_id.s == NULL &&
		   address->queue_key.s == NULL;

	if ((all ? address_check_optional(address, &history->op.error)
		 : plan_route(plan, &history->op, address, &route)) < 0)
		return -1;
	history->query = (struct history_query){ .session_key = route.queue_key,
						 .source = history->source,
						 .reason = history->reason,
						 .kind = history->kind,
						 .dead_letters = history->dead_letters,
						 .since_ms = history->since_ms,
						 .until_ms = history->until_ms };
	history->items =
	    arena_alloc(&history->op.arena, (history->limit + 1) * sizeof(*history->items));
	history->op.answer = (struct answer_size){ 0 };
	return read_cursor(history);
}

static const struct history_query *
query(struct plan *plan, struct op *op)
{
	struct history_op *history = (struct history_op *)op;

	if (history->slices == 0 && begin(plan, history) < 0)
		return NULL;
	history->query.limit = history->limit - history->count;
	history->query.looks = slice_looks(history);
	history->query.text_bytes = HISTORY_TEXT_BYTES_MAX;
	history->room = plan->answer_room;
	return &history->query;
}

static bool
row(void *arg, const struct system_event *event, const struct store_outcome *outcome)
{
	struct history_op *history = arg;
	struct answer_size size = history->op.answer;
	bool moved = outcome->kind == OUTCOME_MOVED;
	struct str from = moved ? outcome->session->key : STR_NULL,
		   to = moved ? outcome->target->key : STR_NULL;

	if (!caller_may_touch(history->op.caller, event->session_key))
		return true; /* passed over */
	answer_add_event(&size, event);
	answer_add_other(&size, outcome->detail.len + from.len + to.len);
	history->full = history->count > 0 &&
			(size.text > HISTORY_TEXT_BYTES_MAX || !answer_fits(&size, history->room));
	if (history->full)
		return false;
	history->op.answer = size;
	struct history_item *item = &history->items[history->count++];
	system_event_copy(&item->event, event, &history->op.arena);
	item->event.state = EVENT_STATE_SETTLED;
	item->event.outcome = outcome->kind <= OUTCOME_LAST_SETTLING ? outcome->kind : 0;
	item->end =
	    (struct timeline_entry){ .kind = outcome->kind,
				     .ts_ms = outcome->ts_ms,
				     .until_ms = outcome->until_ms,
				     .lease = outcome_lease(outcome),
				     .detail = arena_dup(&history->op.arena, outcome->detail),
				     .from = arena_dup(&history->op.arena, from),
				     .to = arena_dup(&history->op.arena, to) };
	return true;
}

static void
page(struct op *op, int64_t more_outcome, int64_t more_event)
{
	struct history_op *history = (struct history_op *)op;

	history->slices++;
	history->more = more_outcome != 0;
	history->query.before_outcome = more_outcome;
	history->query.before_event = more_event;
}

static bool
goes_on(const struct history_op *history)
{
	return history->more && !history->full && history->count < history->limit &&
	       history->slices < SLICES_MAX &&
	       answer_bytes(&history->op.answer) <= ANSWER_SMALL_BYTES;
}

/* A move leaves its event pending: only the catalog knows how it stands. */
static void
tell_pending(const struct plan *plan, struct system_event *event)
{
	const struct queue *queue = moved_find(&plan->state->catalog.moved, event->id);
	const struct entry *entry = queue != NULL ? queue_entry(queue, event->id) : NULL;

	if (entry == NULL)
		return;
	event->state = entry_state(entry);
	event->attempts = entry->attempts;
	if (entry_available_at(plan, entry) > 0)
		event->available_at_ms = entry_available_at(plan, entry);
}

/* The page is there already, or its next slice is still to be read. */
static int
plan_history(struct plan *plan, struct op *op)
{
	struct history_op *history = (struct history_op *)op;
	char text[48];

	if (goes_on(history)) {
		op->work = slice_work(history);
		return PLAN_AGAIN;
	}
	for (size_t i = 0; i < history->count; i++)
		if (history->items[i].end.kind == OUTCOME_MOVED)
			tell_pending(plan, &history->items[i].event);
	if (!history->more)
		return PLAN_DONE;
	int len = snprintf(text, sizeof(text), "%" PRId64 ":%" PRId64,
			   history->query.before_outcome, history->query.before_event);
	history->next_cursor = arena_dup(&op->arena, (struct str){ text, (size_t)len });
	return PLAN_DONE;
}

static size_t
history_work(const struct op *op)
{
	return slice_work((const struct history_op *)op);
}

void
history_op_init(struct history_op *op)
{
	static const struct op_kind kind = {
		OP_KIND(history_op, end), .work = history_work, .plan = plan_history,
		.query = query,           .row = row,           .page = page
	};

	op_start(&op->op, &kind);
}
