/*
 * tick.h - what time does by itself: leases run out, delays end, events expire. Private to queue/.
 *
 * An op like the others, which the engine submits when a timer is due: so what time does is
 * batched, durable and in order with everything else.
 */
#ifndef QUEUE_OPS_TICK_H
#define QUEUE_OPS_TICK_H

#include "queue/plan.h"

struct tick_op {
	struct op op;
	/* events are not read for their wakes: that has failed, and must not stop time */
	bool blind;
	char end[1]; /* it has no answer */
};
void tick_op_init(struct tick_op *op);

/* Timers for everything in the catalog that is due some day; once, after loading. */
void tick_start(struct plan *plan);

#endif
