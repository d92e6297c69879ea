/*
 * dead_letter.h - finding the dead letters that a call names.
 *
 * Shared by the calls that end them: requeue and discard. Private to queue/.
 */
#ifndef QUEUE_OPS_DEAD_LETTER_H
#define QUEUE_OPS_DEAD_LETTER_H

#include "queue/plan.h"

/* The lookup of the index-th id, as op_kind.lookup. */
bool dead_letter_lookup(const struct str *ids, size_t count, size_t index, struct lookup *ret);

/* Whether an op of this batch has requeued or discarded it, which later ops cannot look up. */
bool dead_letter_is_over(const struct plan *plan, int64_t id);

#endif
