/*
 * move.h - takes events out of some queues and merges them into another, in the order of their ids.
 *
 * An event keeps its id, times, attempts, delay, time to live and place by id. Its original key
 * stays: that of an event without one is the key of the first queue that it stood in. All is
 * journaled. Here: one move, of whoever carries it out (queue/ops/rekey.c) or loads it
 * (queue/load.c). Not here: which events are moved where, records.
 */
#ifndef QUEUE_CATALOG_MOVE_H
#define QUEUE_CATALOG_MOVE_H

#include "queue/catalog/journal.h"

/* All zero but for `to` is a move without events. */
struct move {
	struct queue *to;
	struct entry *entries; /* taken out already; each has a reference to its tag in `to` */
	size_t count, cap;
	struct carried { /* what entries have beside them */
		int64_t id;
		struct extra extra;
		struct deliveries deliveries;
	} * carried;
	size_t carried_count, carried_cap;
};

/* Takes the entry, which no lease holds, out of its queue. The last context there is the caller's
 * to refresh. */
void move_take(struct move *move, struct catalog *catalog, struct queue *from, struct entry *entry);
/*
 * Merges what was taken into `to`, whose last context becomes that of its newest event with a
 * context key if one came with a context key; and ends the move. Returns how many entries it has
 * moved or looked at.
 */
size_t move_finish(struct move *move, struct catalog *catalog);

#endif
