/*
 * rekey.c - moves the events of stranded queues to where the keys of these lead now.
 *
 * One outcome is recorded for each queue, whatever the number of its events, whose rows stay as
 * they are. All queues that lead to one are merged into it at once: its entries are moved aside
 * once, not for each queue. Where these are too many for one turn, places are made before, over
 * some turns and for more events than those of one call: then these only fill them.
 */
#include <stdlib.h>

#include "queue/budget.h"
#include "queue/catalog/move.h"
#include "queue/ops/id_list.h"
#include "queue/plan.h"

#define QUEUES_MAX 500  /* of one call: each is a row, and an item of the answer */
#define EVENTS_A_WORK 2 /* events that are moved for a microsecond */

/* Entries of a queue that a turn moves aside. */
#define SHIFTS_MAX 65536
#define ROOM_WORK (WORK_SMALL_MAX + 1 + SHIFTS_MAX / WORK_ENTRIES)
#define WALKED_A_SEARCH 16 /* a search in a long array, as entries that are walked over */
#define ROOM_EVENTS 12000  /* that get places at once: more than one call moves */
#define ROOM_QUEUES 1500   /* that are looked at for them; as well */
#define ROOMS_MAX 32       /* of one call: after these it moves aside whatever it must */

/* Places for events in the queue that they go to. */
struct rekey_room {
	struct str to;
	struct places places;
};

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
	for (size_t i = 0; i < sources->count;)
		i += move_to_one(plan, op, &sources->items[i], sources->count - i);
}

/* --- room in the queues that events go to --- */

/* Adds the ids of the oldest events that may be moved, `most` at most. */
static void
add_ids(struct plan *plan, struct id_list *ids, const struct queue *queue, size_t most)
{
	for (const struct entry *e = queue_first(queue, 0); e != NULL && most > 0;
	     e = queue_next(queue, e)) {
		plan->walked++;
		if ((e->flags & ENTRY_LEASED) != 0)
			continue;
		id_list_add(ids, e->id);
		most--;
	}
}

/* How many entries of the queue a move from these sources, which all lead there, moves aside. */
static size_t
shifts(struct plan *plan, const struct queue *to, const struct source *sources, size_t count)
{
	struct arena scratch = { 0 };
	struct id_list ids;
	size_t most = 0, events = 0;

	for (size_t i = 0; i < count; i++)
		events += sources[i].told->moved;
	ids = id_list_alloc(&scratch, events);
	for (size_t i = 0; i < count; i++)
		add_ids(plan, &ids, sources[i].from, sources[i].told->moved);
	for (size_t i = 0; i < ids.count; i++) {
		size_t n = queue_shifts(to, ids.ids[i], events);

		most = n > most ? n : most;
	}
	plan->walked += WALKED_A_SEARCH * ids.count;
	arena_clear(&scratch);
	return most;
}

/* Plans places for the events of these sources and of those that later calls move there. */
static void
begin_room(struct plan *plan, struct rekey_op *rekey, const struct source *sources)
{
	struct rekey_room *room = arena_alloc(&rekey->op.arena, sizeof(*room));
	struct id_list ids = id_list_alloc(&rekey->op.arena, ROOM_EVENTS);
	struct queue *queue = sources[0].from;

	room->to = arena_dup(&rekey->op.arena, sources[0].told->to);
	for (size_t n = 0; n < ROOM_QUEUES && queue != NULL && ids.count < ROOM_EVENTS; n++) {
		size_t events = movable(plan, queue), left = ROOM_EVENTS - ids.count;

		if (events > 0 && str_eq(queue->strand->to, room->to))
			add_ids(plan, &ids, queue, events < left ? events : left);
		queue = rekey->queue_key.s == NULL
			    ? catalog_next_stranded(&plan->state->catalog, queue->session.key)
			    : NULL;
	}
	id_list_sort(&ids);
	room->places = (struct places){ .ids = ids.ids, .left = ids.count };
	rekey->room = room;
	rekey->rooms++;
}

/* Begins to make room where a turn cannot move aside what is in the way. False: it can. */
static bool
needs_room(struct plan *plan, struct rekey_op *rekey, const struct sources *sources)
{
	size_t n;

	for (size_t i = 0; i < sources->count && rekey->rooms < ROOMS_MAX; i += n) {
		const struct source *first = &sources->items[i];
		const struct queue *to = catalog_find(&plan->state->catalog, first->told->to);

		for (n = 1; i + n < sources->count &&
			    str_eq(sources->items[i + n].told->to, first->told->to);)
			n++;
		if (to == NULL || to->tail - to->head <= SHIFTS_MAX ||
		    shifts(plan, to, first, n) <= SHIFTS_MAX)
			continue;
		begin_room(plan, rekey, first);
		return true;
	}
	return false;
}

/* Goes on making room, while nothing is planned: the catalog has no changes that may be undone. */
static void
make_room(struct plan *plan, struct op *op)
{
	struct rekey_op *rekey = (struct rekey_op *)op;
	struct catalog *catalog = &plan->state->catalog;
	size_t shifted = 0;

	if (rekey->room == NULL)
		return;
	struct queue *to = catalog_find(catalog, rekey->room->to);
	if (to != NULL)
		catalog->entry_bytes +=
		    queue_keep_places(to, &rekey->room->places, SHIFTS_MAX, &shifted);
	if (to == NULL || rekey->room->places.left == 0)
		rekey->room = NULL;
	plan->state->stats.walked += shifted;
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
wait_for_room(struct rekey_op *rekey)
{
	rekey->op.work = ROOM_WORK;
	return PLAN_LATER;
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
	if (rekey->room != NULL)
		return wait_for_room(rekey);
	rekey->queues = arena_alloc(&op->arena, (most + 1) * sizeof(*rekey->queues));
	sources.items = arena_alloc(&op->arena, (most + 1) * sizeof(*sources.items));
	if (rekey->queue_key.s != NULL)
		choose_named(plan, rekey, &sources);
	else if (choose(plan, rekey, &sources))
		rekey->more = true;
	if (rekey->more && sources.count == 0)
		return look_further(rekey);
	if (rekey->dry_run)
		return PLAN_DONE;
	if (sources.count > 1)
		qsort(sources.items, sources.count, sizeof(*sources.items), by_target);
	if (needs_room(plan, rekey, &sources))
		return wait_for_room(rekey);
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
					     .work = rekey_work, .look = make_room,
					     .plan = plan_rekey };

	op_start(&op->op, &kind);
	op->limit = REKEY_EVENTS_MAX;
}
