/*
 * rekey.c - moves the events of stranded queues to where the keys of these lead now.
 *
 * One outcome is recorded for each queue, whatever the number of its events, whose rows stay as
 * they are. All queues that lead to one are merged into it at once: its entries are moved aside
 * once, not for each queue.
 */
#include <stdlib.h>

#include "queue/budget.h"
#include "queue/catalog/move.h"
#include "queue/plan.h"

#define QUEUES_MAX 500  /* of one call: each is a row, and an item of the answer */
#define EVENTS_A_WORK 2 /* events that are moved for a microsecond */

/* A queue to be moved from. */
struct source {
	struct queue *from;
	struct rekeyed *told;
};

struct sources {
	struct source *items; /* in the order of their keys, until they are carried out */
	size_t count;
};

/* How many events could be moved. A target that is stranded itself would only be on the way. */
static size_t
movable(const struct plan *plan, const struct queue *queue)
{
	const struct catalog *catalog = &plan->state->catalog;
	const struct queue *to =
	    queue->strand->to.s != NULL ? catalog_find(catalog, queue->strand->to) : NULL;

	if (queue->strand->to.s == NULL || (to != NULL && to->strand != NULL))
		return 0;
	return queue->depth - queue->leased;
}

/* Adds the queue, with as many events as the call has left. False: the answer has no room. */
static bool
add_source(struct plan *plan, struct rekey_op *rekey, struct sources *sources, struct queue *queue)
{
	size_t left = rekey->limit - rekey->moved, events = movable(plan, queue);
	struct answer_size size = rekey->op.answer;
	struct rekeyed *told = &rekey->queues[rekey->count];

	answer_add_other(&size, queue->session.key.len + queue->strand->to.len);
	if (rekey->count > 0 && !rekey->quiet && !answer_fits(&size, plan->answer_room))
		return false;
	if (!rekey->quiet)
		rekey->op.answer = size;
	*told = (struct rekeyed){ .from = arena_dup(&rekey->op.arena, queue->session.key),
				  .to = arena_dup(&rekey->op.arena, queue->strand->to),
				  .rule = queue->strand->rule,
				  .moved = events < left ? events : left,
				  .leased = queue->leased };
	rekey->count++;
	rekey->moved += told->moved;
	rekey->leased += told->leased;
	rekey->more = rekey->more || told->moved < events;
	if (told->moved > 0)
		sources->items[sources->count++] = (struct source){ queue, told };
	return true;
}

/* Chooses stranded queues from the cursor on. Returns whether any are left behind the last. */
static bool
choose(struct plan *plan, struct rekey_op *rekey, struct sources *sources)
{
	const struct catalog *catalog = &plan->state->catalog;
	struct queue *queue = catalog_next_stranded(catalog, rekey->from);

	while (queue != NULL && rekey->moved < rekey->limit && rekey->count < QUEUES_MAX &&
	       add_source(plan, rekey, sources, queue))
		queue = catalog_next_stranded(catalog, queue->session.key);
	return queue != NULL;
}

static void
choose_named(struct plan *plan, struct rekey_op *rekey, struct sources *sources)
{
	struct queue *queue = catalog_find(&plan->state->catalog, rekey->queue_key);

	if (queue != NULL && queue->strand != NULL)
		add_source(plan, rekey, sources, queue);
}

/* --- carrying out --- */

static int
by_target(const void *a, const void *b)
{
	const struct source *x = a, *y = b;
	int order = str_cmp(x->told->to, y->told->to);

	return order != 0 ? order : str_cmp(x->told->from, y->told->from);
}

/* Takes the queue's oldest events out, and records that. */
static void
take(struct plan *plan, struct op *op, struct move *move, const struct source *source, bool *now)
{
	struct queue *from = source->from;
	size_t count = 0, most = source->told->moved;
	int64_t *ids = arena_alloc(&op->arena, most * sizeof(*ids));

	for (struct entry *e = queue_first(from, 0); count < most; e = queue_next(from, e)) {
		plan->walked++;
		if ((e->flags & ENTRY_LEASED) != 0)
			continue;
		*now = *now || (entry_deliverable(e) && (e->flags & ENTRY_NOW) != 0);
		ids[count++] = e->id;
		move_take(move, &plan->state->catalog, from, e);
	}
	plan_record(plan, from,
		    (struct store_outcome){ .kind = OUTCOME_MOVED,
					    .target = &move->to->session,
					    .detail = str_of(rule_name(source->told->rule)),
					    .ids = ids,
					    .count = count });
	plan_refresh_last(plan, from);
}

/* Moves everything that goes to the target of the first source. Returns how many sources that were.
 */
static size_t
move_to_one(struct plan *plan, struct op *op, const struct source *sources, size_t count)
{
	struct str key = sources[0].told->to;
	struct queue *to = catalog_find_or_add(&plan->state->catalog, key);
	struct move move = { .to = to };
	bool now = false;
	size_t n = 0;

	for (; n < count && str_eq(sources[n].told->to, key); n++)
		take(plan, op, &move, &sources[n], &now);
	plan->walked += move_finish(&move, &plan->state->catalog);
	if (now)
		plan_wake_now(plan, to, NULL);
	else
		plan_wake(plan, to, NULL);
	return n;
}

static void
carry_out(struct plan *plan, struct op *op, struct sources *sources)
{
	if (sources->count > 1)
		qsort(sources->items, sources->count, sizeof(*sources->items), by_target);
	for (size_t i = 0; i < sources->count;)
		i += move_to_one(plan, op, &sources->items[i], sources->count - i);
}

/* Where nothing could be moved of so many queues, the next turn looks behind them. */
static int
look_further(struct rekey_op *rekey)
{
	rekey->from = rekey->queues[rekey->count - 1].from;
	rekey->op.work = QUEUES_MAX;
	return PLAN_AGAIN;
}

static int
plan_rekey(struct plan *plan, struct op *op)
{
	struct rekey_op *rekey = (struct rekey_op *)op;
	const struct catalog *catalog = &plan->state->catalog;
	size_t most = catalog->stranded.count < QUEUES_MAX ? catalog->stranded.count : QUEUES_MAX;
	struct sources sources = { 0 };

	if (catalog->walks[WALK_JUDGE].left > 0)
		return PLAN_LATER; /* chores judge them */
	rekey->queues = arena_alloc(&op->arena, (most + 1) * sizeof(*rekey->queues));
	sources.items = arena_alloc(&op->arena, (most + 1) * sizeof(*sources.items));
	if (rekey->queue_key.s != NULL)
		choose_named(plan, rekey, &sources);
	else if (choose(plan, rekey, &sources))
		rekey->more = true;
	if (rekey->more && sources.count == 0)
		return look_further(rekey);
	if (!rekey->dry_run)
		carry_out(plan, op, &sources);
	return PLAN_DONE;
}

static size_t
rekey_work(const struct op *op)
{
	const struct rekey_op *rekey = (const struct rekey_op *)op;

	return WORK_SMALL_MAX + 1 + rekey->limit / EVENTS_A_WORK;
}

void
rekey_op_init(struct rekey_op *op)
{
	static const struct op_kind kind = { OP_KIND(rekey_op, queues), .appends = true,
					     .work = rekey_work, .plan = plan_rekey };

	op_start(&op->op, &kind);
	op->limit = REKEY_EVENTS_MAX;
}
