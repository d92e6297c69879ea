/*
 * census.c - looks at every queue, for figures that are shown.
 *
 * A few queues are looked at for each reader. Many are looked at once a second at most and in
 * slices, one in each turn, by the reader who found the figures too old; those who ask meanwhile
 * wait for the end of that walk. A queue that is there all the time is counted once, as it is when
 * it is looked at.
 */
#include "queue/budget.h"
#include "queue/plan.h"

#define FRESH_MS 1000
#define READER_WORK 150  /* with writing all figures; a large op, which small ones pass */
#define QUEUE_STEPS 16   /* a queue, anywhere in memory, takes as long as so many entries */
#define FIRST_STEPS 8192 /* what is looked at for one reader */
#define SLICE_WORK 2000  /* and in a turn, in microseconds */
#define SLICE_STEPS (SLICE_WORK * WORK_ENTRIES)
#define STEP_SLOTS 16 /* of the index: then the steps are counted */

static void
keep_older(const struct entry *entry, struct census_event *oldest)
{
	if (oldest->id == 0 || entry->id < oldest->id)
		*oldest = (struct census_event){ entry->id, entry->ts_ms };
}

static void
look_at(void *arg, void *item)
{
	struct census_walk *walk = arg;
	const struct queue *queue = item;
	const struct entry *entry = queue_first(queue, 0);

	walk->steps += QUEUE_STEPS;
	walk->found.ready += queue_deliverable(queue);
	keep_older(entry, &walk->found.oldest);
	if (queue->ready_ts_ms > 0 && queue->ready_steady_ms < walk->found.ready_since_ms)
		walk->found.ready_since_ms = queue->ready_steady_ms;
}

/* Whether all of them have been looked at. */
static bool
look_at_some(struct queue_state *state, size_t steps)
{
	struct census_walk *walk = &state->census;
	size_t before = walk->steps;

	while (!walk->scan.over && walk->steps - before < steps)
		table_scan(&state->catalog.index, &walk->scan, STEP_SLOTS, look_at, walk);
	state->stats.walked += walk->steps - before;
	return walk->scan.over;
}

static bool
is_fresh(const struct queue_state *state)
{
	const struct census_walk *walk = &state->census;

	return walk->steps > FIRST_STEPS && walk->ended_boot_ms > 0 &&
	       state->boot_ms - walk->ended_boot_ms < FRESH_MS;
}

static int64_t
age_since(const struct queue_state *state, int64_t since_ms)
{
	int64_t now_ms = state->steady.steady_ms;

	return since_ms < now_ms ? now_ms - since_ms : 0;
}

static int
answer(const struct queue_state *state, const struct census *seen, struct census *ret)
{
	*ret = *seen;
	if (ret->oldest.id != 0)
		ret->oldest_age_ms = age_since(
		    state, steady_of_event(&state->steady, ret->oldest.id, ret->oldest.ts_ms));
	ret->oldest_ready_age_ms = age_since(state, ret->ready_since_ms);
	return PLAN_DONE;
}

static void
look_for_census(struct plan *plan, struct op *op)
{
	struct queue_state *state = plan->state;
	struct census_walk *walk = &state->census;
	struct census_op *call = (struct census_op *)op;
	bool goes_on = walk->by == op;

	if (!goes_on && (walk->by != NULL || is_fresh(state)))
		return;
	if (!goes_on)
		*walk = (struct census_walk){ .found.ready_since_ms = INT64_MAX };
	call->complete = look_at_some(state, goes_on ? SLICE_STEPS : FIRST_STEPS);
	call->seen = walk->found;
	walk->by = call->complete ? NULL : op;
	walk->ended_boot_ms = call->complete ? state->boot_ms : 0;
}

static int
plan_census(struct plan *plan, struct op *op)
{
	const struct queue_state *state = plan->state;
	const struct census_walk *walk = &state->census;
	struct census_op *call = (struct census_op *)op;

	if (call->complete)
		return answer(state, &call->seen, &call->census);
	if (walk->by == NULL && is_fresh(state))
		return answer(state, &walk->found, &call->census);
	if (walk->by == op)
		op->work = SLICE_WORK;
	return PLAN_LATER;
}

static size_t
census_work(const struct op *op)
{
	(void)op;
	return READER_WORK;
}

void
census_op_init(struct census_op *op)
{
	static const struct op_kind kind = { OP_KIND(census_op, census), .work = census_work,
					     .look = look_for_census, .plan = plan_census };

	op_start(&op->op, &kind);
}
