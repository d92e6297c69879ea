/*
 * tick.h - what time does by itself: leases run out, delays end, events expire. Private to queue/.
 *
 * An op like the others, which the engine submits when a timer is due: so what time does is batched, durable and in order with
 * everything else.
 */
#ifndef SEVQ_QUEUE_OPS_TICK_H
#define SEVQ_QUEUE_OPS_TICK_H

#include "queue/plan.h"

struct sevq_tick {
	struct sevq_op op;
	bool blind;  /* events are not read for their wakes: that has failed, and must not stop time */
	char end[1]; /* it has no answer */
};
void sevq_tick_init(struct sevq_tick *op);

/* Timers for everything in the catalog that is due some day; once, after loading. */
void sevq_tick_start(struct sevq_plan *plan);

#endif
