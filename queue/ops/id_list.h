/*
 * id_list.h - lists of the ids of pending events, on an op's arena.
 *
 * Here: choosing a prefix of the deliverable events, asking for listed events as an answer,
 * removing them from their queue. Shared by the calls that take events, for good or under a lease.
 * Private to queue/.
 */
#ifndef QUEUE_OPS_ID_LIST_H
#define QUEUE_OPS_ID_LIST_H

#include "queue/plan.h"

struct id_list {
	int64_t *ids;
	size_t count;
};

/* An empty list with room for count ids, on the arena. */
struct id_list id_list_alloc(struct arena *arena, size_t count);
static inline void
id_list_add(struct id_list *list, int64_t id)
{
	list->ids[list->count++] = id;
}
/* Compares two int64_t, for qsort and bsearch. */
int id_compare(const void *a, const void *b);
/* Sorts the ids in ascending order and drops repeated ones. */
void id_list_sort(struct id_list *list);

/* Which events to choose: the oldest deliverable ones whose context key starts with the prefix. */
struct choice {
	struct str prefix; /* folded */
	size_t limit;      /* 0: as many as an answer holds */
	bool leave_exec;   /* leave out exec completions (ROUTING section 8) */
	bool wake_now;     /* only events with wake "now" */
};

/* How many events repeated calls with this choice could take now, whatever its limit. */
size_t id_list_count(struct plan *plan, const struct queue *queue, const struct choice *choice);
/* They are counted in op->answer, and no more are chosen than an answer has room for. */
struct id_list id_list_choose(struct plan *plan, struct op *op, const struct queue *queue,
			      const struct choice *choice);

/* Lists the events that the lease still holds, ascending. */
struct id_list id_list_held(const struct catalog *catalog, const struct lease *lease,
			    struct arena *arena);

/*
 * Asks for the listed events, which are pending, to be in *answer in that order, in the given state
 * and outcome.
 */
void id_list_answer(struct plan *plan, struct op *op, struct queue *queue, struct id_list list,
		    enum event_state state, enum outcome_kind outcome,
		    struct system_event_list *answer);
/*
 * For an answer that may be repeated, two numbers of each event are kept, its id and its
 * attempts. id_list_remember fills in numbers; id_list_answer_repeated asks for the events again,
 * pending or not, from that many numbers.
 */
void id_list_remember(const struct queue *queue, struct id_list list, int64_t *numbers);
void id_list_answer_repeated(struct plan *plan, struct op *op, const int64_t *numbers, size_t count,
			     enum event_state state, enum outcome_kind outcome,
			     struct system_event_list *answer);

/*
 * Settles the events, ascending and pending, with an outcome of that kind and detail (NULL: none).
 * Without events nothing changes.
 */
void id_list_take(struct plan *plan, struct queue *queue, enum outcome_kind kind, struct str detail,
		  struct id_list list);

/* Moves the events that a prompt takes but does not show from the list to the one answered. */
struct id_list id_list_left_out(struct op *op, const struct queue *queue, struct id_list *list);

#endif
