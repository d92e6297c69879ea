/*
 * outcome_walk.h - a lookup that goes through outcomes of a session over as many batches as it
 * takes (struct lookup, queue/store.h).
 *
 * Here: how much of it one batch does, and what is known between batches. Shared by find and
 * lease_change. Private to queue/. Not here: what the outcomes say.
 *
 * An op that walks returns outcome_walk_lookup from its lookup, gives every result to
 * outcome_walk_is_end, and lets its plan end with outcome_walk_go_on while walk->next says that
 * there is more. The first lookup is small, so that most ops need no other; the others are large
 * ops (budget.h).
 */
#ifndef QUEUE_OPS_OUTCOME_WALK_H
#define QUEUE_OPS_OUTCOME_WALK_H

#include "queue/op.h"

/* The estimated work of the first lookup. */
extern const size_t outcome_walk_first_work;

struct lookup outcome_walk_lookup(const struct outcome_walk *walk, enum lookup_kind kind,
				  int64_t id);

/* Whether the result is the first of a walk: what an earlier one has found does not count. */
bool outcome_walk_begins(struct outcome_walk *walk);
/* Whether the result is the end of a lookup and nothing else. */
bool outcome_walk_is_end(struct outcome_walk *walk, const struct found *found);

/* Has the op planned again after the next lookup. Returns PLAN_AGAIN. */
int outcome_walk_go_on(struct op *op);

#endif
