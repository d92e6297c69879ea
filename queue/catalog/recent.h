/*
 * recent.h - the events that were appended last, in memory.
 *
 * Most events are taken young: their texts are still here then, and the store is not asked. What
 * has become of an event in the meantime makes no difference; it stays until newer ones need its
 * place.
 * Here: a ring of bytes with whole events as they were appended, found by id.
 * Not here: what is pending (catalog); anything that could be taken back: the engine adds events
 * once their commit is written, and if that does not become durable the process ends. Private to
 * queue/.
 *
 * What find gives is borrowed until the next add: the answer to an op is a copy.
 */
#ifndef QUEUE_CATALOG_RECENT_H
#define QUEUE_CATALOG_RECENT_H

#include "schema/event.h"

/*
 * Invariants:
 * 1. An event stands in one piece, at its position modulo bytes; positions only grow.
 * 2. The last bytes positions are intact, all before them are overwritten.
 * 3. An id has one slot, which it shares with those a multiple of slot_count away; the slot is the
 * latest one's.
 */
struct recent {
	char *ring;
	size_t bytes;
	uint64_t end; /* the position behind the newest */
	struct recent_slot {
		int64_t id; /* 0: never used */
		uint64_t at;
	} * slots;
	size_t slot_count;
};

/*
 * An empty ring of that many bytes, with a sixteenth of that for the slots; 0: none, which keeps
 * nothing. Memory is taken only as it fills.
 */
void recent_init(struct recent *recent, size_t bytes);
void recent_clear(struct recent *recent);

/*
 * Copies it. Pushes out as many of the oldest as that takes; an event too large for the ring is
 * passed over.
 */
void recent_add(struct recent *recent, const struct system_event *event);

/* NULL: not here any more, or never */
const struct system_event *recent_find(const struct recent *recent, int64_t id);

size_t recent_bytes(const struct recent *recent); /* of the ring, how much is in use */

#endif
