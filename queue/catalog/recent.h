/*
 * recent.h - the events that were appended last, in memory.
 *
 * Most events are taken soon after they were appended: their texts are then still here, and the
 * store need not be read. An event stays until newer ones overwrite it, whether it is still pending
 * or not.
 * Here: a ring of bytes with whole events as they were appended, found by id.
 * Not here: which events are pending (catalog.h). Nor events that a rollback could remove: the
 * engine adds events once their commit is written, and if that does not become durable the process
 * ends. Private to queue/.
 */
#ifndef QUEUE_CATALOG_RECENT_H
#define QUEUE_CATALOG_RECENT_H

#include "schema/event.h"

/*
 * Invariants:
 * 1. An event is in one piece, at its position modulo bytes; positions only grow.
 * 2. The newest `bytes` positions are intact, all older ones are overwritten.
 * 3. Ids that are equal modulo slot_count share a slot; it holds the newest of them.
 */
struct recent {
	char *ring;
	size_t bytes;
	uint64_t end; /* the position behind the newest event */
	struct recent_slot {
		int64_t id; /* 0: never used */
		uint64_t at;
	} * slots;
	size_t slot_count;
};

/*
 * Makes an empty ring of that many bytes, and slots of a sixteenth of that; with 0 it keeps no
 * events. The kernel provides the memory only as the ring fills.
 */
void recent_init(struct recent *recent, size_t bytes);
void recent_clear(struct recent *recent);

/*
 * Adds a copy of the event, overwriting as many of the oldest as needed. An event that is larger
 * than the ring is not added.
 */
void recent_add(struct recent *recent, const struct system_event *event);

/* The event, borrowed until the next recent_add; NULL: overwritten, or never added. */
const struct system_event *recent_find(const struct recent *recent, int64_t id);

size_t recent_bytes(const struct recent *recent); /* of the ring, in use */

#endif
