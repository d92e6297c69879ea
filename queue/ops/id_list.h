/*
 * id_list.h - a handful of pending events on their way into an answer: which, and how they get
 * there.
 *
 * Here: lists of ids on an op's arena, choosing a prefix of what is deliverable, asking for the
 * events. Shared by the calls that take and lend. Private to queue/.
 */
#ifndef QUEUE_OPS_ID_LIST_H
#define QUEUE_OPS_ID_LIST_H

#include "queue/plan.h"

struct id_list {
	int64_t *ids;
	size_t count;
};

struct id_list id_list_alloc(struct arena *arena,
			     size_t count); /* empty, with room for that many */
static inline void
id_list_add(struct id_list *list, int64_t id)
{
	list->ids[list->count++] = id;
}
int id_compare(const void *a, const void *b); /* of two int64_t, for qsort and bsearch */
void id_list_sort(struct id_list *list);      /* ascending, each once */

/* What to choose: the oldest deliverable events whose context key starts with the prefix. */
struct choice {
	struct str prefix; /* folded */
	size_t limit;      /* 0: as many as an answer holds */
	bool leave_exec;   /* leave exec completions where they are */
	bool wake_now;     /* only events with wake "now" */
};

/*
 * How many events calls with the choice could take now, one after the other, whatever its limit.
 */
size_t id_list_count(const struct plan *plan, const struct queue *queue,
		     const struct choice *choice);
struct id_list id_list_choose(const struct plan *plan, struct op *op, const struct queue *queue,
			      const struct choice *choice);

/* The events that the lease still holds. */
struct id_list id_list_held(const struct catalog *catalog, const struct lease *lease,
			    struct arena *arena);

/*
 * Asks for the events, which are pending, in that order, as the answer's list and in the state
 * given.
 */
void id_list_answer(struct plan *plan, struct op *op, const struct queue *queue,
		    struct id_list list, enum event_state state, enum outcome_kind outcome,
		    struct system_event_list *answer);
/*
 * What an answer keeps of each event, to be given again: its id and its attempts. Into numbers,
 * which have room for two an event, and from them, as id_list_answer, wherever the events are now.
 */
void id_list_remember(const struct queue *queue, struct id_list list, int64_t *numbers);
void id_list_answer_repeated(struct plan *plan, struct op *op, const int64_t *numbers, size_t count,
			     enum event_state state, enum outcome_kind outcome,
			     struct system_event_list *answer);

/*
 * Takes events, ascending and pending, out of their queue with a recorded reason; detail NULL: it
 * has no more to tell.
 */
void id_list_take(struct plan *plan, struct queue *queue, enum outcome_kind kind, struct str detail,
		  struct id_list list);

/* Moves those that a prompt takes without showing them from the list to the one returned. */
struct id_list id_list_left_out(struct op *op, const struct queue *queue, struct id_list *list);

#endif
