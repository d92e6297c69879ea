/* id_list.c - lists of ids, from the catalog to an answer. */
#include "queue/ops/id_list.h"

#include <stdlib.h>

struct sevq_taking
sevq_taking_room(struct sevq_arena *arena, size_t count)
{
	return (struct sevq_taking){ sevq_arena_alloc(arena, (count + 1) * sizeof(int64_t)), 0 };
}

int
sevq_id_compare(const void *a, const void *b)
{
	int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
	return (x > y) - (x < y);
}

void
sevq_taking_sort(struct sevq_taking *taking)
{
	size_t once = 0;
	qsort(taking->ids, taking->count, sizeof *taking->ids, sevq_id_compare);
	for (size_t i = 0; i < taking->count; i++)
		if (i == 0 || taking->ids[i] != taking->ids[i - 1])
			taking->ids[once++] = taking->ids[i];
	taking->count = once;
}

/* Its time is over, though nobody has recorded that yet: time does only so much in one turn. */
static bool
has_expired(const struct sevq_plan *plan, const struct sevq_entry *entry)
{
	return (entry->flags & SEVQ_ENTRY_EXPIRES) != 0 &&
	       sevq_catalog_extra(&plan->catalog, entry->id).expires_boot_ms <= plan->boot_ms;
}

static bool
wanted(const struct sevq_plan *plan, const struct sevq_entry *entry, const struct sevq_choice *choice)
{
	return sevq_entry_deliverable(entry) && !has_expired(plan, entry) &&
	       !(choice->prompt && (entry->flags & SEVQ_ENTRY_EXEC)) &&
	       sevq_str_starts(sevq_tags_get(&plan->catalog.tags, entry->tag)->context_key, choice->prefix);
}

struct sevq_taking
sevq_taking_choose(const struct sevq_plan *plan, struct sevq_op *op, const struct sevq_queue *queue,
		   const struct sevq_choice *choice)
{
	size_t deliverable = sevq_queue_deliverable(queue), bytes = 0;
	size_t limit = choice->limit > 0 ? choice->limit : SEVQ_ANSWER_EVENTS_MAX;
	if (limit > deliverable)
		limit = deliverable;
	struct sevq_taking chosen = sevq_taking_room(&op->arena, limit);
	for (const struct sevq_entry *e = sevq_queue_first(queue, 0); e != NULL && chosen.count < limit;
	     e = sevq_queue_next(queue, e)) {
		if (!wanted(plan, e, choice))
			continue;
		bytes += sevq_entry_text_bytes(e);
		if (bytes > SEVQ_ANSWER_TEXT_BYTES_MAX && chosen.count > 0)
			break;
		sevq_taking_add(&chosen, e->id);
	}
	return chosen;
}

struct sevq_taking
sevq_taking_held(const struct sevq_catalog *catalog, const struct sevq_lease *lease, struct sevq_arena *arena)
{
	struct sevq_taking held = sevq_taking_room(arena, lease->count);
	for (size_t i = 0; i < lease->count; i++)
		if (sevq_catalog_extra(catalog, lease->ids[i]).lease == lease)
			sevq_taking_add(&held, lease->ids[i]);
	return held;
}

static void
make_list(struct sevq_op *op, size_t count, struct sevq_event_list *list)
{
	list->events = sevq_arena_alloc(&op->arena, (count + 1) * sizeof *list->events);
	list->count = count;
}

void
sevq_taking_answer(struct sevq_plan *plan, struct sevq_op *op, const struct sevq_queue *queue, struct sevq_taking taking,
		   enum sevq_state state, enum sevq_outcome_kind outcome, struct sevq_event_list *list)
{
	make_list(op, taking.count, list);
	for (size_t i = 0; i < taking.count; i++)
		sevq_plan_want(plan, op, sevq_queue_entry(queue, taking.ids[i]), state, outcome, &list->events[i]);
}

void
sevq_taking_keep(const struct sevq_queue *queue, struct sevq_taking taking, int64_t *numbers)
{
	for (size_t i = 0; i < taking.count; i++) {
		numbers[2 * i] = taking.ids[i];
		numbers[2 * i + 1] = sevq_queue_entry(queue, taking.ids[i])->attempts;
	}
}

void
sevq_taking_answer_again(struct sevq_plan *plan, struct sevq_op *op, const int64_t *numbers, size_t count, enum sevq_state state,
			 enum sevq_outcome_kind outcome, struct sevq_event_list *list)
{
	size_t each = SEVQ_ANSWER_TEXT_BYTES_MAX / (count / 2 + 1); /* all of them were one answer */
	make_list(op, count / 2, list);
	for (size_t i = 0; i < list->count; i++) {
		list->events[i].attempts = (int)numbers[2 * i + 1];
		list->events[i].state = state;
		list->events[i].outcome = outcome;
		sevq_plan_want_again(plan, op, numbers[2 * i], each < SEVQ_TEXT_BYTES_MAX ? each : SEVQ_TEXT_BYTES_MAX,
				     &list->events[i]);
	}
}
