/*
 * idempotency.h - the answers to requests with an idempotency key, kept to be repeated (DESIGN
 * section 4, C3).
 *
 * Here: finding a key that was used before, in the store or in this batch; keeping an answer as a
 * queue key and numbers whose meaning each call knows. Shared by enqueue, drain and lease_take.
 * Private to queue/. Not here: keys as clients send them (server/calls/idempotency.h).
 */
#ifndef QUEUE_OPS_IDEMPOTENCY_H
#define QUEUE_OPS_IDEMPOTENCY_H

#include "queue/plan.h"

/*
 * The lookup and found functions of an op: the first looks up the request's key, false if it has
 * none; the second copies what was found under it into the arena.
 */
bool idempotency_lookup(const struct idempotency *request, struct lookup *ret);
void idempotency_found(struct idempotency *request, struct arena *arena,
		       const struct store_key *key);

/*
 * Whether the request's key was used before: 0 if not; 1 with the kept answer in *answer; -1
 * ERROR_IDEMPOTENCY_MISMATCH if it was used for another request, or ERROR_CONFLICT if another
 * version of sevq kept an answer that this one cannot read.
 */
int idempotency_recall(struct plan *plan, struct idempotency *request, struct str *answer,
		       struct error *err);

/* What is kept of an answer. */
struct kept_answer {
	/*
	 * The queue that the request was routed to, which another policy may route elsewhere by
	 * now; NULL: none, as of an enqueue, or an older version has kept the answer.
	 */
	struct str queue_key;
	const int64_t *numbers;
	size_t count;
};

/* Reads a kept answer into the arena. */
struct kept_answer idempotency_read(struct arena *arena, struct str answer);

/* The answer as the text that is stored, on the arena. */
struct str idempotency_answer(struct arena *arena, const struct kept_answer *kept);

/*
 * Keeps an answer with the records of the batch, if the request has a key. queue_key: the session
 * that the key counts for. -1 ERROR_IDEMPOTENCY_MISMATCH.
 */
int idempotency_remember(struct plan *plan, struct op *op, const struct idempotency *request,
			 struct str queue_key, const struct kept_answer *kept);

#endif
