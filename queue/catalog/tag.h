/*
 * tag.h - what many pending events have in common, kept once: context key, delivery context,
 * original key.
 *
 * A plain event has none of them and carries tag 0. Everything the queue rules compare or list
 * (match, last context, merged delivery, "re-keyed from") is read from tags, so no rule needs the
 * event's row from disk.
 * Here: interning and reference counts. Not here: texts of events, the rules themselves.
 */
#ifndef QUEUE_CATALOG_TAG_H
#define QUEUE_CATALOG_TAG_H

#include "queue/catalog/table.h"
#include "schema/delivery.h"

struct tag {
	struct str context_key;  /* NULL: none */
	struct str original_key; /* NULL: the event was not re-keyed */
	struct delivery delivery;
	uint32_t id;
	/*
	 * events match (ROUTING section 7) exactly when this is equal; itself, or a tag it keeps
	 * alive
	 */
	uint32_t match;
	uint32_t refs;
	uint64_t hash;
};

struct tags {
	struct tag **tags; /* by id; NULL where free; tags[0] is the plain one and stays */
	uint32_t *free_ids;
	size_t count, cap, free_count, free_cap;
	struct table index;
	size_t bytes;
};

void tags_init(struct tags *tags);
void tags_clear(struct tags *tags);

/* The tag of these, with one more reference. Text is copied when the tag is new. */
uint32_t tags_intern(struct tags *tags, struct str context_key, struct str original_key,
		     const struct delivery *delivery);

void tags_hold(struct tags *tags, uint32_t id);
void tags_release(struct tags *tags, uint32_t id);

static inline const struct tag *
tags_get(const struct tags *tags, uint32_t id)
{
	return tags->tags[id];
}

#endif
