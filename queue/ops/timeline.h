/*
 * timeline.h - what the timeline of an event keeps while the event is pending.
 *
 * Leases that are extended, and deliveries that are given back without an attempt counted, may come
 * without end. So of the extensions in one lease only the newest is kept; and of the deliveries
 * that ended without an attempt counted, the first ones (options.returns_kept) and the newest. Each
 * says how often it has happened. All other kinds of outcomes are bounded by the number of
 * attempts.
 *
 * Here: recording such outcomes, and which earlier ones give way. Shared by the ops on leases and
 * by load. Private to queue/. Not here: what a lease or an attempt is (ops/lease.h).
 */
#ifndef QUEUE_OPS_TIMELINE_H
#define QUEUE_OPS_TIMELINE_H

#include "queue/plan.h"

/* Records that a lease is extended for these events. */
void timeline_record_extended(struct plan *plan, struct queue *queue, struct store_outcome outcome);
/* Records that these events were given back from their lease without an attempt counted. */
void timeline_record_given_back(struct plan *plan, struct queue *queue,
				struct store_outcome outcome);
/* Notes that the event has left its lease with an attempt counted. */
void timeline_end_delivery(struct plan *plan, struct queue *queue, int64_t event);

/* Notes what a stored outcome, which names the pending event in this place, means for later ones.
 */
void timeline_load(struct queue_state *state, struct queue *queue,
		   const struct store_outcome *outcome, size_t place);

#endif
