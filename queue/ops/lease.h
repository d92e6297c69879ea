/*
 * lease.h - holding events under a lease, and returning them to their queue.
 *
 * Here: what lease_take.c, lease_change.c and tick.c share. Not here: what a lease is in memory
 * (catalog/leases.h), the rules of the calls. Private to queue/.
 */
#ifndef QUEUE_OPS_LEASE_H
#define QUEUE_OPS_LEASE_H

#include "queue/ops/id_list.h"

/* Puts the event under the lease until lease_ms from now, also if the lease holds it already. */
void lease_hold(struct plan *plan, struct lease *lease, int64_t id, int64_t lease_ms);

/*
 * Sets the lease's timer; a lease has one that counts. If a timer comes up before the end of the
 * lease, it sets the next: so an extend rarely has to set one.
 */
void lease_set_timer(struct plan *plan, struct lease *lease, int64_t at_boot_ms);

/* Events that leave a lease, by what becomes of them. All three lists are on the arena. */
struct lease_returned {
	struct id_list queued, dead, expired;
};
struct lease_returned lease_returned_alloc(struct arena *arena, size_t count);

/*
 * Takes one event out of its lease and adds it to one of the lists: queued, deliverable again after
 * delay_ms; dead after its last attempt; or expired, which counts no attempt.
 * lease_record_returned must follow.
 */
void lease_return_event(struct plan *plan, struct queue *queue, int64_t id, bool count_attempt,
			int64_t delay_ms, struct lease_returned *returned);
/* Records the outcome `kind` for the queued events, and settles the dead and the expired ones. */
void lease_record_returned(struct plan *plan, struct queue *queue,
			   const struct lease_returned *returned, struct store_outcome kind);

/*
 * Returns the events whose time under the lease is over, with an attempt counted if count_attempt.
 * The ids are on the arena, which must live until the batch is done.
 */
void lease_lapse(struct plan *plan, struct arena *arena, struct lease *lease, bool count_attempt);

#endif
