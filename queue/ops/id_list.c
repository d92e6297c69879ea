/* id_list.c - lists of ids, from the catalog to an answer. */
#include "queue/ops/id_list.h"

#include <stdlib.h>

struct id_list
id_list_room(struct arena *arena, size_t count)
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
id_list_sort(struct id_list *taking)
{
	size_t once = 0;

	qsort(taking->ids, taking->count, sizeof(*taking->ids), id_compare);
	for (size_t i = 0; i < taking->count; i++)
		if (i == 0 || taking->ids[i] != taking->ids[i - 1])
			taking->ids[once++] = taking->ids[i];
	taking->count = once;
}

/* Its time is over, though nobody has recorded that yet: time does only so much in one turn. */
static bool
has_expired(const struct plan *plan, const struct entry *entry)
{
	return (entry->flags & ENTRY_EXPIRES) != 0 &&
	       catalog_extra(&plan->catalog, entry->id).expires_boot_ms <= plan->boot_ms;
}

static bool
wanted(const struct plan *plan, const struct entry *entry, const struct choice *choice)
{
	return entry_deliverable(entry) && !has_expired(plan, entry) &&
	       !(choice->prompt && (entry->flags & ENTRY_EXEC)) &&
	       str_starts(tags_get(&plan->catalog.tags, entry->tag)->context_key, choice->prefix);
}

struct id_list
id_list_choose(const struct plan *plan, struct op *op, const struct queue *queue,
	       const struct choice *choice)
{
	size_t deliverable = queue_deliverable(queue), bytes = 0;
	size_t limit = choice->limit > 0 ? choice->limit : ANSWER_EVENTS_MAX;

	if (limit > deliverable)
		limit = deliverable;
	struct id_list chosen = id_list_room(&op->arena, limit);
	for (const struct entry *e = queue_first(queue, 0); e != NULL && chosen.count < limit;
	     e = queue_next(queue, e)) {
		if (!wanted(plan, e, choice))
			continue;
		bytes += entry_text_bytes(e);
		if (bytes > ANSWER_TEXT_BYTES_MAX && chosen.count > 0)
			break;
		id_list_add(&chosen, e->id);
	}
	return chosen;
}

struct id_list
id_list_held(const struct catalog *catalog, const struct lease *lease, struct arena *arena)
{
	struct id_list held = id_list_room(arena, lease->count);

	for (size_t i = 0; i < lease->count; i++)
		if (catalog_extra(catalog, lease->ids[i]).lease == lease)
			id_list_add(&held, lease->ids[i]);
	return held;
}

static void
make_list(struct op *op, size_t count, struct system_event_list *list)
{
	list->events = arena_alloc(&op->arena, (count + 1) * sizeof(*list->events));
	list->count = count;
}

void
id_list_answer(struct plan *plan, struct op *op, const struct queue *queue, struct id_list taking,
	       enum event_state state, enum outcome_kind outcome, struct system_event_list *list)
{
	make_list(op, taking.count, list);
	for (size_t i = 0; i < taking.count; i++)
		plan_want(plan, op, queue_entry(queue, taking.ids[i]), state, outcome,
			  &list->events[i]);
}

void
id_list_keep(const struct queue *queue, struct id_list taking, int64_t *numbers)
{
	for (size_t i = 0; i < taking.count; i++) {
		numbers[2 * i] = taking.ids[i];
		numbers[2 * i + 1] = queue_entry(queue, taking.ids[i])->attempts;
	}
}

void
id_list_answer_again(struct plan *plan, struct op *op, const int64_t *numbers, size_t count,
		     enum event_state state, enum outcome_kind outcome,
		     struct system_event_list *list)
{
	size_t each = ANSWER_TEXT_BYTES_MAX / (count / 2 + 1); /* all of them were one answer */

	make_list(op, count / 2, list);
	for (size_t i = 0; i < list->count; i++) {
		list->events[i].attempts = (int)numbers[2 * i + 1];
		list->events[i].state = state;
		list->events[i].outcome = outcome;
		plan_want_again(plan, op, numbers[2 * i],
				each < TEXT_BYTES_MAX ? each : TEXT_BYTES_MAX, &list->events[i]);
	}
}

static struct store_outcome
outcome(enum outcome_kind kind, struct id_list taking)
{
	return (struct store_outcome){ .kind = kind, .ids = taking.ids, .count = taking.count };
}

/*
 * Where nothing is taken nothing changes: the last context may stand for an event that was evicted.
 */
void
id_list_take(struct plan *plan, struct queue *queue, enum outcome_kind kind, struct id_list taking)
{
	if (taking.count == 0)
		return;
	plan_settle(plan, queue, outcome(kind, taking));
	queue_refresh_last(&plan->catalog, queue);
}
