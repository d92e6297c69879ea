/* read_ahead.c - a list of events to look up, and the events that were found. */
#include "queue/read_ahead.h"

#include <stdlib.h>

#define ROUNDS_MAX (ANSWER_TEXT_BYTES_MAX / READ_AHEAD_BYTES + 2)

static int
by_id(const void *a, const void *b)
{
	const struct system_event *x = *(struct system_event *const *)a,
				  *y = *(struct system_event *const *)b;

	return (x->id > y->id) - (x->id < y->id);
}

/* Finds the event among the first count, which are in order. */
static const struct system_event *
find_among(const struct op *op, size_t count, int64_t id)
{
	const struct system_event wanted = { .id = id }, *key = &wanted;
	struct system_event **found =
	    count > 0 ? bsearch(&key, op->ahead.events, count, sizeof(*found), by_id) : NULL;

	return found != NULL ? *found : NULL;
}

const struct system_event *
read_ahead_find(const struct op *op, int64_t id)
{
	return find_among(op, op->ahead.event_count, id);
}

void
read_ahead_add(struct op *op, const struct system_event *event)
{
	struct system_event *copy = arena_alloc(&op->arena, sizeof(*copy));

	system_event_copy(copy, event, &op->arena);
	op->ahead.events[op->ahead.event_count++] = copy;
}

/*
 * Whether the want's text is still to be copied or read: the event is not of this batch, nor among
 * the first count that are read.
 */
static bool
is_to_be_read(const struct plan *plan, const struct op *op, size_t count, const struct want *want)
{
	const struct store_batch *records = &plan->records;

	return !(records->event_count > 0 && want->id >= records->events[0].event.id) &&
	       find_among(op, count, want->id) == NULL;
}

bool
read_ahead_is_needed(const struct plan *plan, struct op *op, size_t first_want)
{
	size_t bytes = 0;

	op->ahead.wanted_count = 0;
	if (op->ahead.event_count > 0)
		qsort(op->ahead.events, op->ahead.event_count, sizeof(*op->ahead.events), by_id);
	if (op->answer.text <= READ_AHEAD_BYTES || op->ahead.rounds == ROUNDS_MAX)
		return false;
	for (size_t i = first_want; i < plan->want_count; i++)
		if (is_to_be_read(plan, op, op->ahead.event_count, &plan->wants[i]))
			bytes += plan->wants[i].text_bytes;
	return bytes > READ_AHEAD_BYTES;
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
}

void
read_ahead_go_on(const struct plan *plan, struct op *op, size_t first_want)
{
	size_t bytes = 0, count = op->ahead.event_count;

	make_room(op, plan->want_count - first_want);
	for (size_t i = first_want; i < plan->want_count && bytes <= READ_AHEAD_BYTES; i++) {
		const struct want *want = &plan->wants[i];

		if (!is_to_be_read(plan, op, count, want))
			continue;
		const struct system_event *recent =
		    want->old ? NULL : recent_find(&plan->state->recent, want->id);
		if (recent != NULL)
			read_ahead_add(op, recent);
		else
			op->ahead.wanted[op->ahead.wanted_count++] = plan_wanted(want);
		bytes += want->text_bytes;
	}
	op->ahead.rounds++;
}
