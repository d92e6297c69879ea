/*
 * lease.h - what a lease holds and gives back: shared by the calls (lease_take.c, lease_change.c)
 * and by the clock (tick.c). Private to queue/.
 */
#ifndef QUEUE_OPS_LEASE_H
#define QUEUE_OPS_LEASE_H

#include "queue/ops/id_list.h"

/* The lease holds this event for so long from now. */
void lease_hold(struct plan *plan, struct lease *lease, int64_t id, int64_t lease_ms);

/*
 * A lease has one timer that counts. One that comes up before the end sets the next, so that
 * extending often sets none.
 */
void lease_set_timer(struct plan *plan, struct lease *lease, int64_t at_boot_ms);

/* Events on their way back to their queue, sorted by what becomes of them. */
struct lease_returned {
	struct id_list queued, dead, expired;
};
struct lease_returned lease_returned_alloc(struct arena *arena, size_t count);

/*
 * One event leaves its lease: back in its place, perhaps after a delay; dead after its last
 * attempt; or expired, which is none.
 */
void lease_return_event(struct plan *plan, struct queue *queue, int64_t id, bool count,
			int64_t delay_ms, struct lease_returned *returned);
/* Records the returned: what came back under its kind, what did not as settled. */
void lease_record_returned(struct plan *plan, struct queue *queue,
			   const struct lease_returned *returned, struct store_outcome kind);

/*
 * Gives back whatever of the lease has reached its end: in its old place, an attempt counted if
 * count, a dead letter after the last attempt, expired if its time to live is over. Scratch and ids
 * are taken from the arena until the batch is done.
 */
void lease_lapse(struct plan *plan, struct arena *arena, struct lease *lease, bool count);

#endif
