/*
 * ready.h - since when queues have had something to take that nobody has taken.
 *
 * A queue is ready while it has a deliverable event: one that is delayed or leased does not count.
 * It is ready since its first such event became deliverable, or since something was last taken.
 * What was taken before the server started is known only of leases that still hold events. Here:
 * keeping these times up with what batches change, and judging what is wrong with a queue. Not
 * here: who is told of it (ops/sessions.c). Private to queue/.
 */
#ifndef QUEUE_READY_H
#define QUEUE_READY_H

#include "queue/plan.h"

/*
 * Follows the batch, once it is written: before the catalog's journal is committed. Counts the dead
 * letters that it makes and ends, too.
 */
void ready_follow(struct plan *plan);

/* A pending event that was delayed or leased, and until when: steady time, and as rows are stamped.
 */
struct held_back {
	int64_t id, until_steady_ms, until_ts_ms;
};

/*
 * Sets the times of all queues after a load, from when their events came or, if they were held
 * back, could be had. Sorts the array; of several entries of an event the latest time counts.
 */
void ready_load(struct queue_state *state, struct held_back *held, size_t count);

/*
 * Since when (steady time) the queue is ready and nobody waits for it; INT64_MAX: it is not ready,
 * or somebody waits.
 */
int64_t ready_unattended_since(const struct queue_state *state, const struct queue *queue);

/* What is wrong with the queue: a set of SESSION_PROBLEM() bits. */
unsigned ready_problems(const struct queue_state *state, const struct queue *queue);

#endif
