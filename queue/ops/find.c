/*
 * find.c - one event by its id, pending or not, and its timeline. Find is an op like the others, so
 * that it shows only what has been committed; it costs no commit of its own.
 */
#include <inttypes.h>
#include <stdio.h>

#include "queue/budget.h"
#include "queue/ops/outcome_walk.h"
#include "queue/plan.h"
#include "schema/number.h"

/* A cursor is the id of the outcome that the page begins with. */
static bool
read_cursor(const struct find_op *find, int64_t *page_at)
{
	*page_at = 0;
	return find->cursor.s == NULL ||
	       number_parse(find->cursor, 1, INT64_MAX, page_at) == NUMBER_PARSED;
}

static bool
find_lookup(const struct plan *plan, struct op *op, size_t index, struct lookup *ret)
{
	const struct find_op *find = (const struct find_op *)op;
	int64_t id, page_at;

	(void)plan;
	if (index > 0 || !event_id_parse(find->id, &id) || !read_cursor(find, &page_at))
		return false;
	*ret = outcome_walk_lookup(&find->walk, LOOKUP_TIMELINE, id);
	return true;
}

static void
begin(struct find_op *find)
{
	read_cursor(find, &find->page_at);
	find->timeline_count = 0;
	find->next_cursor = STR_NULL;
	find->settled = 0;
	find->attempts = 0;
	find->found = (struct system_event){ 0 };
}

/* Whether the page has an entry as yet for the outcome; if it is full, that begins the next page.
 */
static bool
has_room(struct find_op *find, const struct store_outcome *outcome)
{
	size_t before = find->cursor.s == NULL ? 1 : 0; /* the enqueue */
	char text[24];

	if (outcome->id < find->page_at || find->next_cursor.s != NULL)
		return false;
	if (find->timeline_count + before < find->limit)
		return true;
	int len = snprintf(text, sizeof(text), "%" PRId64, outcome->id);
	find->next_cursor = arena_dup(&find->op.arena, (struct str){ text, (size_t)len });
	return false;
}

/* 0: such an outcome does not say. */
static uint32_t
times_of(const struct store_outcome *outcome)
{
	bool counts = outcome->kind == OUTCOME_RETURNED || outcome->kind == OUTCOME_EXTENDED;

	return counts && outcome->counts != NULL ? outcome->counts[0] : 0;
}

static void
add_entry(struct find_op *find, const struct store_outcome *outcome)
{
	struct arena *arena = &find->op.arena;
	bool moved = outcome->kind == OUTCOME_MOVED;

	if (find->timeline_count == find->timeline_cap) {
		struct timeline_entry *more =
		    arena_alloc(arena, (find->timeline_cap + 1) * 2 * sizeof(*more));

		if (find->timeline_count > 0)
			memcpy(more, find->timeline, find->timeline_count * sizeof(*more));
		find->timeline = more;
		find->timeline_cap = (find->timeline_cap + 1) * 2;
	}
	find->timeline[find->timeline_count++] = (struct timeline_entry){
		.kind = outcome->kind,
		.ts_ms = outcome->ts_ms,
		.until_ms = outcome->until_ms,
		.lease = outcome_lease(outcome),
		.detail = arena_dup(arena, outcome->detail),
		.from = moved ? arena_dup(arena, outcome->session->key) : STR_NULL,
		.to = moved ? arena_dup(arena, outcome->target->key) : STR_NULL,
		.times = times_of(outcome)
	};
}

/*
 * What settles an event is the end of its timeline, but for what ends a dead letter, which the
 * store adds.
 */
static bool
find_found(struct op *op, size_t index, const struct found *found)
{
	struct find_op *find = (struct find_op *)op;

	(void)index;
	if (outcome_walk_begins(&find->walk)) {
		begin(find);
		find->walks++;
	}
	if (outcome_walk_is_end(&find->walk, found))
		return true;
	if (found->event != NULL) {
		system_event_copy(&find->found, found->event, &op->arena);
		return true;
	}
	if (has_room(find, found->outcome))
		add_entry(find, found->outcome);
	if (found->outcome->kind > OUTCOME_LAST_SETTLING)
		return true;
	find->settled = found->outcome->kind;
	find->attempts = found->outcome->counts != NULL ? (int)found->outcome->counts[0] : 0;
	return false;
}

/* The queue that the event stands in, if it is pending. An earlier op of this batch may have moved
 * it. */
static const struct queue *
queue_of(const struct plan *plan, struct find_op *find)
{
	const struct catalog *catalog = &plan->state->catalog;
	const struct queue *moved = moved_find(&catalog->moved, find->event.id);

	if (moved == NULL)
		return catalog_find(catalog, find->event.session_key);
	find->event.session_key = arena_dup(&find->op.arena, moved->session.key);
	return moved;
}

/*
 * The walk found the timeline, then the event. Whether it is pending, and in which state, is in the
 * catalog; how it ended is in the timeline.
 */
static int
plan_find(struct plan *plan, struct op *op)
{
	struct find_op *find = (struct find_op *)op;

	int64_t page_at;

	if (!read_cursor(find, &page_at))
		return error_set_field(&op->error, "cursor", "not a cursor of an earlier page");
	if (find->walk.next > 0)
		return outcome_walk_go_on(op);
	find->event = find->found;
	answer_add_event(&op->answer, &find->found);
	for (size_t i = 0; i < find->timeline_count; i++)
		answer_add_other(&op->answer, find->timeline[i].detail.len +
						  find->timeline[i].from.len +
						  find->timeline[i].to.len);
	const struct queue *queue = find->event.id != 0 ? queue_of(plan, find) : NULL;
	if (find->event.id == 0 || !caller_may_touch(op->caller, find->event.session_key))
		return error_set(&op->error, ERROR_NOT_FOUND,
				 "no event has this id, or it has been forgotten");
	const struct entry *entry = queue != NULL ? queue_entry(queue, find->event.id) : NULL;
	find->event.state = entry != NULL ? entry_state(entry) : EVENT_STATE_SETTLED;
	find->event.attempts = entry != NULL ? entry->attempts : find->attempts;
	find->event.outcome = find->settled;
	if (entry != NULL && entry_available_at(plan, entry) > 0)
		find->event.available_at_ms = entry_available_at(plan, entry);
	bool told = str_eq(find->event.session_key, find->found.session_key);
	if ((entry != NULL && (told || find->walks > 1)) || find->settled != 0)
		return PLAN_DONE;
	if (entry == NULL && find->walks > 1)
		return error_set(&op->error, ERROR_NOT_FOUND,
				 "how this event ended has been forgotten");
	return PLAN_AGAIN; /* an earlier op of this batch settled or moved it: another walk finds
			      that */
}

static size_t
find_work(const struct op *op)
{
	(void)op;
	return WORK_OP + outcome_walk_first_work;
}

void
find_op_init(struct find_op *op)
{
	static const struct op_kind kind = { OP_KIND(find_op, event), .work = find_work,
					     .plan = plan_find, .lookup = find_lookup,
					     .found = find_found };

	op_start(&op->op, &kind);
	op->limit = TIMELINE_PAGE_DEFAULT;
}
