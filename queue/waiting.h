/*
 * waiting.h - ops that wait until a queue has something deliverable.
 *
 * Waiting is an ordinary end of an op's plan. A waiting op is parked here under its queue key. A
 * batch that makes an event deliverable in that queue takes all of the queue's ops out again, and
 * they are planned anew. An op is parked only while its queue has nothing for it; so a wait that
 * begins later, or after a restart, is answered at once.
 * Here: which op waits at which key. Not here: deadlines of waiting (the caller's), what is
 * deliverable (catalog). Private to queue/.
 */
#ifndef QUEUE_WAITING_H
#define QUEUE_WAITING_H

#include "queue/catalog/table.h"
#include "queue/op.h"

/* All zero: no op waits. */
struct waiting {
	struct table by_key; /* struct waiters by queue key; owned */
	size_t count;        /* ops */
};

void waiting_add(struct waiting *waiting, struct op *op);    /* at op->queue_key, which is copied */
void waiting_remove(struct waiting *waiting, struct op *op); /* op->parked holds */
/* Removes and returns one op that waits at the key, or anywhere (key NULL); NULL: there is none. */
struct op *waiting_take(struct waiting *waiting, struct str queue_key);
size_t waiting_count(const struct waiting *waiting, struct str queue_key);
/* The same with the hash of the key, for callers that have it already. */
size_t waiting_count_hashed(const struct waiting *waiting, struct str queue_key,
			    struct keyed_hash hash);
void waiting_clear(struct waiting *waiting); /* empties it; the ops themselves are not touched */

#endif
