/*
 * idempotency.h - the answers that requests with an idempotency key were given (DESIGN section 4,
 * C3).
 *
 * Here: whether a key was used before, in the store or in this batch, and what for; keeping an
 * answer, as a list of numbers of which each call knows the meaning. Shared by the calls that
 * enqueue, take and lend. Private to queue/.
 * Not here: keys as clients send them (server/idempotency).
 */
#ifndef QUEUE_OPS_IDEMPOTENCY_H
#define QUEUE_OPS_IDEMPOTENCY_H

#include "queue/plan.h"

/*
 * For an op's lookup: the request's key, or false where it has none. Then what was found under it,
 * copied into the arena.
 */
bool idempotency_lookup(const struct idempotency *request, struct lookup *ret);
void idempotency_found(struct idempotency *request, struct arena *arena,
		       const struct store_key *key);

/*
 * Under a key that was used before: 1 with its answer in *answer; -1 ERROR_IDEMPOTENCY_MISMATCH, or
 * ERROR_CONFLICT when another version kept it in a form that is not ours; else 0.
 */
int idempotency_recall(struct plan *plan, struct idempotency *request, struct str *answer,
		       struct error *err);

/* What was remembered, in the arena. How many there are. */
size_t idempotency_numbers(struct arena *arena, struct str answer, int64_t **numbers);

/*
 * Keeps an answer with the records of the batch, if the request has a key. -1
 * ERROR_IDEMPOTENCY_MISMATCH.
 */
int idempotency_remember(struct plan *plan, struct op *op, const struct idempotency *request,
			 const int64_t *numbers, size_t count);

/* Takes back what this batch has remembered but for the first count. */
void idempotency_forget(struct plan *plan, size_t count);

#endif
