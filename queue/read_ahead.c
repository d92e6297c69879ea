/* read_ahead.c - a list of events to look up, and the events that were found. */
#include "queue/read_ahead.h"

#include <stdlib.h>

#define ROUNDS_MAX (ANSWER_TEXT_BYTES_MAX / READ_AHEAD_BYTES + 2)

void
read_ahead_put_off(struct op *op)
{
	op->ahead.wanted_count = 0;
	op->ahead.rounds--;
}

static int
by_id(const void *a, const void *b)
{
	const struct system_event *x = *(struct system_event *const *)a,
				  *y = *(struct system_event *const *)b;

	return (x->id > y->id) - (x->id < y->id);
}

const struct system_event *
read_ahead_find(const struct op *op, int64_t id)
{
	const struct system_event wanted = { .id = id }, *key = &wanted;
	struct system_event **found = NULL;

	if (op->ahead.event_count > 0)
		found =
		    bsearch(&key, op->ahead.events, op->ahead.event_count, sizeof(*found), by_id);
	return found != NULL ? *found : NULL;
}

void
read_ahead_add(struct op *op, const struct system_event *event)
{
	struct system_event *copy = arena_alloc(&op->arena, sizeof(*copy));

	system_event_copy(copy, event, &op->arena);
	op->ahead.events[op->ahead.event_count++] = copy;
}

/* Whether the want has to be read from the store. */
static bool
is_far(const struct plan *plan, const struct op *op, const struct want *want)
{
	const struct store_batch *records = &plan->records;

	return !(records->event_count > 0 && want->id >= records->events[0].event.id) &&
	       read_ahead_find(op, want->id) == NULL &&
	       (want->old || recent_find(&plan->state->recent, want->id) == NULL);
}

static void
make_room(struct op *op, size_t more)
{
	struct system_event **events =
	    arena_alloc(&op->arena, (op->ahead.event_count + more) * sizeof(*events));

	if (op->ahead.event_count > 0)
		memcpy(events, op->ahead.events, op->ahead.event_count * sizeof(*events));
	op->ahead.events = events;
	op->ahead.wanted = arena_alloc(&op->arena, more * sizeof(*op->ahead.wanted));
	op->ahead.wanted_count = 0;
}

bool
read_ahead_is_needed(struct plan *plan, struct op *op, size_t first_want)
{
	size_t bytes = 0;

	op->ahead.wanted_count = 0;
	if (op->answer.text <= READ_AHEAD_BYTES || op->ahead.rounds == ROUNDS_MAX)
		return false;
	if (op->ahead.event_count > 0)
		qsort(op->ahead.events, op->ahead.event_count, sizeof(*op->ahead.events), by_id);
	make_room(op, plan->want_count - first_want);
	for (size_t i = first_want; i < plan->want_count; i++) {
		const struct want *want = &plan->wants[i];

		if (!is_far(plan, op, want))
			continue;
		if (bytes <= READ_AHEAD_BYTES)
			op->ahead.wanted[op->ahead.wanted_count++] = plan_wanted(want);
		bytes += want->text_bytes;
	}
	if (bytes <= READ_AHEAD_BYTES) {
		op->ahead.wanted_count = 0;
		return false;
	}
	op->ahead.rounds++;
	return true;
}
