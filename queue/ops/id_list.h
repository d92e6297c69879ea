/*
 * id_list.h - a handful of pending events on their way into an answer: which, and how they get there.
 *
 * Here: lists of ids on an op's arena, choosing a prefix of what is deliverable, asking for the events. Shared by the calls
 * that take (op_take.c) and lend (op_lease.c). Private to queue/.
 */
#ifndef SEVQ_QUEUE_OPS_ID_LIST_H
#define SEVQ_QUEUE_OPS_ID_LIST_H

#include "queue/plan.h"

struct sevq_taking {
	int64_t *ids;
	size_t count;
};

struct sevq_taking sevq_taking_room(struct sevq_arena *arena, size_t count); /* empty, with room for that many */
static inline void
sevq_taking_add(struct sevq_taking *taking, int64_t id)
{
	taking->ids[taking->count++] = id;
}
int sevq_id_compare(const void *a, const void *b); /* of two int64_t, for qsort and bsearch */
void sevq_taking_sort(struct sevq_taking *taking); /* ascending, each once */

/* What to choose: the oldest deliverable events whose context key starts with the prefix. */
struct sevq_choice {
	struct sevq_str prefix; /* folded */
	size_t limit;           /* 0: as many as an answer holds */
	bool prompt;            /* leave exec completions */
};
struct sevq_taking sevq_taking_choose(const struct sevq_plan *plan, struct sevq_op *op, const struct sevq_queue *queue,
				      const struct sevq_choice *choice);

/* The events that the lease still holds. */
struct sevq_taking sevq_taking_held(const struct sevq_catalog *catalog, const struct sevq_lease *lease, struct sevq_arena *arena);

/* Asks for the events, which are pending, in that order, as the answer's list and in the state given. */
void sevq_taking_answer(struct sevq_plan *plan, struct sevq_op *op, const struct sevq_queue *queue, struct sevq_taking taking,
			enum sevq_state state, enum sevq_outcome_kind outcome, struct sevq_event_list *list);
/*
 * What an answer keeps of each event, to be given again: its id and its attempts. Into numbers, which have room for two an event,
 * and from them, as sevq_taking_answer, wherever the events are now.
 */
void sevq_taking_keep(const struct sevq_queue *queue, struct sevq_taking taking, int64_t *numbers);
void sevq_taking_answer_again(struct sevq_plan *plan, struct sevq_op *op, const int64_t *numbers, size_t count,
			      enum sevq_state state, enum sevq_outcome_kind outcome, struct sevq_event_list *list);

#endif
