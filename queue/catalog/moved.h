/*
 * moved.h - which queue holds an event that was moved there from another.
 *
 * An event's row says which queue it was stored in. Moved events are the only pending ones that
 * stand in another; calls that have an id and no queue look here first.
 * Here: the table. Not here: moving (move.h), what settled events have been moved (the store).
 */
#ifndef QUEUE_CATALOG_MOVED_H
#define QUEUE_CATALOG_MOVED_H

#include "queue/catalog/queue.h"

/* All zero is empty. */
struct moved_events {
	struct table by_id; /* owned */
};

void moved_clear(struct moved_events *moved);
size_t moved_bytes(const struct moved_events *moved);

/* NULL: the event was not moved, or is not pending. */
struct queue *moved_find(const struct moved_events *moved, int64_t event);
/* Notes that the queue holds the event; NULL: that it was not moved. Keeps queue->moved right. */
void moved_put(struct moved_events *moved, int64_t event, struct queue *queue);

#endif
