/*
 * recent.c - one ring of bytes, and a table of slots, indexed by the event's id, that says where in
 * the ring an event begins.
 */
#include "queue/catalog/recent.h"

#include <stdalign.h>
#include <stddef.h>
#include <stdlib.h>

#include "schema/mem.h"

#define SLOT_FOR_BYTES 256 /* few events take less, so slots do not run out before the ring */

void
recent_init(struct recent *recent, size_t bytes)
{
	*recent = (struct recent){ .slot_count = bytes / SLOT_FOR_BYTES };
	recent->bytes = recent->slot_count * SLOT_FOR_BYTES;
	if (recent->bytes == 0)
		return;
	recent->ring = mem_realloc(
	    NULL, recent->bytes); /* not cleared: the kernel gives pages as they are written */
	recent->slots = mem_alloc(recent->slot_count * sizeof(*recent->slots));
}

void
recent_clear(struct recent *recent)
{
	free(recent->ring);
	free(recent->slots);
	*recent = (struct recent){ 0 };
}

static struct recent_slot *
slot_of(const struct recent *recent, int64_t id)
{
	return &recent->slots[(uint64_t)id % recent->slot_count];
}

static struct system_event *
event_at(const struct recent *recent, uint64_t at)
{
	return (void *)(recent->ring + at % recent->bytes);
}

/*
 * Reserves size bytes in one piece: an event that does not fit before the ring's end goes to the
 * ring's beginning.
 */
static uint64_t
reserve(struct recent *recent, size_t size)
{
	size_t left = recent->bytes - recent->end % recent->bytes;
	uint64_t at = recent->end + (size > left ? left : 0);

	recent->end = at + size;
	return at;
}

void
recent_add(struct recent *recent, const struct system_event *event)
{
	const size_t align = alignof(max_align_t);
	size_t size = (sizeof(*event) + system_event_text_bytes(event) + align - 1) & ~(align - 1);

	if (size > recent->bytes)
		return;
	uint64_t at = reserve(recent, size);
	struct system_event *copy = event_at(recent, at);
	system_event_pack(copy, event, (char *)(copy + 1));
	*slot_of(recent, event->id) = (struct recent_slot){ event->id, at };
}

const struct system_event *
recent_find(const struct recent *recent, int64_t id)
{
	if (recent->bytes == 0)
		return NULL;
	const struct recent_slot *slot = slot_of(recent, id);
	if (slot->id != id || recent->end - slot->at > recent->bytes)
		return NULL;
	return event_at(recent, slot->at);
}

size_t
recent_bytes(const struct recent *recent)
{
	return recent->end < recent->bytes ? (size_t)recent->end : recent->bytes;
}
