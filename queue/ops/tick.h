/*
 * tick.h - leases that run out, delays that end, events that expire. Private to queue/.
 *
 * A tick is an op like the others, which the engine submits when a timer is due: so the changes
 * that it makes are batched, durable and in order with all others.
 */
#ifndef QUEUE_OPS_TICK_H
#define QUEUE_OPS_TICK_H

#include "queue/plan.h"

struct tick_op {
	struct op op;
	/* events are not read for their wakes: reading has failed, and must not stop the timers */
	bool skip_reads;
	char end[1]; /* it has no answer */
};
void tick_op_init(struct tick_op *op);

/* Adds the timers of all leases, delays and times to live in the catalog; once, after loading. */
void tick_start(struct queue_state *state);

#endif
