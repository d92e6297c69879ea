/*
 * lease.h - what the clock and the start need of leases. The calls themselves are ops (queue/op.h).
 * Private to queue/.
 */
#ifndef QUEUE_OPS_LEASE_H
#define QUEUE_OPS_LEASE_H

#include "queue/plan.h"

/*
 * Gives back whatever of the lease has reached its end: in its old place, an attempt counted if
 * count, a dead letter after the last attempt, expired if its time to live is over. Scratch and ids
 * are taken from the arena until the batch is done.
 */
void lease_lapse(struct plan *plan, struct arena *arena, struct lease *lease, bool count);

#endif
