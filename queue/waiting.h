/*
 * waiting.h - ops that wait until a queue has something deliverable.
 *
 * Waiting is an ordinary outcome of an op. A waiting op is parked here under its queue key; whoever
 * makes something deliverable there wakes all of them. A wake is a level, not an edge: an op is
 * parked only when there is nothing to have, so one that comes later, or after a restart, is
 * answered at once.
 * Here: who waits where. Not here: deadlines of waiting (the caller's), what is deliverable
 * (catalog). Private to queue/.
 */
#ifndef QUEUE_WAITING_H
#define QUEUE_WAITING_H

#include "queue/catalog/table.h"
#include "queue/op.h"

/* All zero: nobody waits. */
struct waiting {
	struct table by_key; /* struct waiters by queue key; owned */
	size_t count;        /* ops */
};

void waiting_add(struct waiting *waiting, struct op *op);    /* at op->queue_key, which is copied */
void waiting_remove(struct waiting *waiting, struct op *op); /* op->parked holds */
/* Takes all that wait at the key, or anywhere (key NULL), one at a time; NULL: nobody more. */
struct op *waiting_take(struct waiting *waiting, struct str queue_key);
size_t waiting_count(const struct waiting *waiting, struct str queue_key);
void waiting_clear(struct waiting *waiting); /* forgets them all; the ops are not touched */

#endif
