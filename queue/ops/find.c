/*
 * find.c - one event by its id, pending or not, and its timeline. Find is an op like the others, so
 * that it shows only what has been committed; it costs no commit of its own.
 */
#include "queue/plan.h"

static bool
find_lookup(const struct plan *plan, const struct op *op, size_t index, struct lookup *ret)
{
	(void)plan;
	*ret = (struct lookup){ .kind = LOOKUP_TIMELINE };
	return index == 0 && event_id_parse(((const struct find_op *)op)->id, &ret->id);
}

static void
find_found(struct op *op, size_t index, const struct found *found)
{
	struct find_op *find = (struct find_op *)op;
	const struct store_outcome *outcome = found->outcome;

	(void)index;
	if (found->event != NULL) {
		system_event_copy(&find->found, found->event, &op->arena);
		find->timeline_count = 0;
		return;
	}
	if (find->timeline_count == find->timeline_cap) {
		struct timeline_entry *more =
		    arena_alloc(&op->arena, (find->timeline_cap + 1) * 2 * sizeof(*more));

		if (find->timeline_count > 0)
			memcpy(more, find->timeline, find->timeline_count * sizeof(*more));
		find->timeline = more;
		find->timeline_cap = (find->timeline_cap + 1) * 2;
	}
	find->timeline[find->timeline_count++] =
	    (struct timeline_entry){ outcome->kind, outcome->ts_ms, outcome->until_ms,
				     outcome_lease(outcome),
				     arena_dup(&op->arena, outcome->detail) };
}

/*
 * The lookup found the event and its timeline. Whether it is pending, and in which state, is in the
 * catalog; how it ended is in the timeline.
 */
static int
plan_find(struct plan *plan, struct op *op)
{
	struct find_op *find = (struct find_op *)op;

	find->event = find->found;
	if (find->event.id == 0)
		return error_set(&op->error, ERROR_NOT_FOUND,
				 "no event has this id, or it has been forgotten");
	const struct queue *queue = catalog_find(&plan->state->catalog, find->event.session_key);
	const struct entry *entry = queue != NULL ? queue_entry(queue, find->event.id) : NULL;
	find->event.state = entry != NULL ? entry_state(entry) : EVENT_STATE_SETTLED;
	find->event.attempts = entry != NULL ? entry->attempts : 0;
	if (entry != NULL && entry_available_at(plan, entry) > 0)
		find->event.available_at_ms = entry_available_at(plan, entry);
	for (size_t i = 0; i < find->timeline_count; i++) {
		enum outcome_kind kind = find->timeline[i].kind;

		if (kind <= OUTCOME_LAST_SETTLING)
			find->event.outcome = kind;
		if (entry == NULL &&
		    (kind == OUTCOME_NACKED || kind == OUTCOME_LAPSED || kind == OUTCOME_DEAD))
			find->event.attempts++;
	}
	if (entry != NULL || find->event.outcome != 0)
		return PLAN_DONE;
	if (op->again)
		return error_set(&op->error, ERROR_NOT_FOUND,
				 "how this event ended has been forgotten");
	/* An earlier op of this batch settled the event: the next turn finds that outcome. */
	return PLAN_AGAIN;
}

void
find_op_init(struct find_op *op)
{
	static const struct op_kind kind = { OP_KIND(find_op, event), .plan = plan_find,
					     .lookup = find_lookup, .found = find_found };

	op_start(&op->op, &kind);
}
