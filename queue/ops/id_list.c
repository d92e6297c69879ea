/* id_list.c - lists of event ids: chosen in the catalog, answered, removed from their queue. */
#include "queue/ops/id_list.h"

#include <stdlib.h>

struct id_list
id_list_alloc(struct arena *arena, size_t count)
{
	return (struct id_list){ arena_alloc(arena, (count + 1) * sizeof(int64_t)), 0 };
}

int
id_compare(const void *a, const void *b)
{
	int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

	return (x > y) - (x < y);
}

void
id_list_sort(struct id_list *list)
{
	size_t once = 0;

	qsort(list->ids, list->count, sizeof(*list->ids), id_compare);
	for (size_t i = 0; i < list->count; i++)
		if (i == 0 || list->ids[i] != list->ids[i - 1])
			list->ids[once++] = list->ids[i];
	list->count = once;
}

/* A tick handles only so many timers a turn, so an expired event may still be in its queue. */
static bool
has_expired(const struct plan *plan, const struct entry *entry)
{
	return (entry->flags & ENTRY_EXPIRES) != 0 &&
	       catalog_extra(&plan->state->catalog, entry->id).expires_boot_ms <=
		   plan->state->boot_ms;
}

static bool
is_chosen(const struct plan *plan, const struct entry *entry, const struct choice *choice)
{
	return entry_deliverable(entry) && !has_expired(plan, entry) &&
	       !(choice->leave_exec && (entry->flags & ENTRY_EXEC)) &&
	       !(choice->wake_now && !(entry->flags & ENTRY_NOW)) &&
	       str_starts(tags_get(&plan->state->catalog.tags, entry->tag)->context_key,
			  choice->prefix);
}

struct id_list
id_list_choose(struct plan *plan, struct op *op, const struct queue *queue,
	       const struct choice *choice)
{
	size_t deliverable = queue_deliverable(queue);
	size_t limit = choice->limit > 0 ? choice->limit : ANSWER_EVENTS_MAX;

	if (limit > deliverable)
		limit = deliverable;
	struct id_list chosen = id_list_alloc(&op->arena, limit);
	for (const struct entry *e = queue_first(queue, 0); e != NULL && chosen.count < limit;
	     e = queue_next(queue, e)) {
		plan->walked++;
		if (!is_chosen(plan, e, choice))
			continue;
		if (!plan_answer_entry(plan, op, queue, e))
			break;
		id_list_add(&chosen, e->id);
	}
	return chosen;
}

size_t
id_list_count(struct plan *plan, const struct queue *queue, const struct choice *choice)
{
	bool all = choice->prefix.len == 0 && !choice->leave_exec && !choice->wake_now;
	size_t deliverable = queue_deliverable(queue), count = 0;

	if (deliverable == 0)
		return 0;
	for (const struct entry *e = queue_first(queue, 0); e != NULL; e = queue_next(queue, e)) {
		plan->walked++;
		if (!is_chosen(plan, e, choice))
			continue;
		if (all) /* one is deliverable: the count may include expired ones */
			return deliverable;
		count++;
	}
	return count;
}

struct id_list
id_list_left_out(struct op *op, const struct queue *queue, struct id_list *list)
{
	struct id_list left_out = id_list_alloc(&op->arena, list->count);
	size_t shown = 0;

	for (size_t i = 0; i < list->count; i++) {
		int64_t id = list->ids[i];

		if (queue_entry(queue, id)->flags & ENTRY_LEFT_OUT)
			id_list_add(&left_out, id);
		else
			list->ids[shown++] = id;
	}
	list->count = shown;
	return left_out;
}

struct id_list
id_list_held(const struct catalog *catalog, const struct lease *lease, struct arena *arena)
{
	struct id_list held = id_list_alloc(arena, lease->count);

	for (size_t i = 0; i < lease->count; i++)
		if (catalog_extra(catalog, lease->ids[i]).lease == lease)
			id_list_add(&held, lease->ids[i]);
	return held;
}

/* Room for the events. The caller gives each the id 0, which it has until it is delivered. */
static void
make_answer(struct op *op, size_t count, struct system_event_list *answer)
{
	answer->events = arena_room(&op->arena, (count + 1) * sizeof(*answer->events));
	answer->count = count;
}

void
id_list_answer(struct plan *plan, struct op *op, struct queue *queue, struct id_list list,
	       enum event_state state, enum outcome_kind outcome, struct system_event_list *answer)
{
	make_answer(op, list.count, answer);
	for (size_t i = 0; i < list.count; i++) {
		const struct entry *entry = queue_entry(queue, list.ids[i]);

		answer->events[i].id = 0;
		plan_want(plan, op, queue, entry, state, outcome, &answer->events[i]);
		if (entry->attempts == 0)
			plan->wants[plan->want_count - 1].first_taken_since_ms = entry->ts_ms;
	}
}

void
id_list_remember(const struct queue *queue, struct id_list list, int64_t *numbers)
{
	for (size_t i = 0; i < list.count; i++) {
		numbers[2 * i] = list.ids[i];
		numbers[2 * i + 1] = queue_entry(queue, list.ids[i])->attempts;
	}
}

void
id_list_answer_repeated(struct plan *plan, struct op *op, const int64_t *numbers, size_t count,
			enum event_state state, enum outcome_kind outcome,
			struct system_event_list *answer)
{
	make_answer(op, count / 2, answer);
	/* they were one answer */
	answer_add_unknown(&op->answer, answer->count,
			   answer->count < ANSWER_TEXT_BYTES_MAX / TEXT_BYTES_MAX
			       ? answer->count * TEXT_BYTES_MAX
			       : ANSWER_TEXT_BYTES_MAX);
	for (size_t i = 0; i < answer->count; i++) {
		answer->events[i] = (struct system_event){ .attempts = (int)numbers[2 * i + 1],
							   .state = state,
							   .outcome = outcome };
		plan_want_repeated(plan, op, numbers[2 * i], &answer->events[i]);
	}
}

static struct store_outcome
outcome(enum outcome_kind kind, struct id_list list)
{
	return (struct store_outcome){ .kind = kind, .ids = list.ids, .count = list.count };
}

/*
 * If no event is taken the last context must stay as it is: it may be one that was kept although
 * its event was evicted, and a refresh would drop it.
 */
void
id_list_take(struct plan *plan, struct queue *queue, enum outcome_kind kind, struct str detail,
	     struct id_list list)
{
	struct store_outcome taken = outcome(kind, list);

	if (list.count == 0)
		return;
	taken.detail = detail;
	plan_settle(plan, queue, taken);
	plan_refresh_last(plan, queue);
}
