/*
 * idempotency.h - the answers that requests with an idempotency key were given (DESIGN section 4, C3).
 *
 * Here: whether a key was used before, in the store or in this batch, and what for; keeping an answer, as a list of numbers of
 * which each call knows the meaning. Shared by the calls that enqueue, take and lend. Private to queue/.
 * Not here: keys as clients send them (server/idempotency).
 */
#ifndef SEVQ_QUEUE_OPS_IDEMPOTENCY_H
#define SEVQ_QUEUE_OPS_IDEMPOTENCY_H

#include "queue/plan.h"

/* For an op's lookup: the request's key, or false where it has none. Then what was found under it, copied into the arena. */
bool sevq_answers_lookup(const struct sevq_idempotency *request, struct sevq_lookup *ret);
void sevq_answers_found(struct sevq_idempotency *request, struct sevq_arena *arena, const struct sevq_store_key *key);

/*
 * Under a key that was used before: 1 with its answer in *answer; -1 SEVQ_IDEMPOTENCY_MISMATCH, or SEVQ_CONFLICT when another
 * version kept it in a form that is not ours; else 0.
 */
int sevq_answers_recall(struct sevq_plan *plan, struct sevq_idempotency *request, struct sevq_str *answer, struct sevq_error *err);

/* What was remembered, in the arena. How many there are. */
size_t sevq_answers_numbers(struct sevq_arena *arena, struct sevq_str answer, int64_t **numbers);

/* Keeps an answer with the records of the batch, if the request has a key. -1 SEVQ_IDEMPOTENCY_MISMATCH. */
int sevq_answers_remember(struct sevq_plan *plan, struct sevq_op *op, const struct sevq_idempotency *request,
			  const int64_t *numbers, size_t count);

/* Takes back what this batch has remembered but for the first count. */
void sevq_answers_forget(struct sevq_plan *plan, size_t count);

#endif
