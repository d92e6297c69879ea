/*
 * tag.h - the context key, delivery context and original key of events, interned: many pending
 * events share them.
 *
 * A plain event has none of the three and carries tag 0. All that the queue rules compare or list
 * (match, last context, merged delivery, "re-keyed from") is in tags, so that no rule has to read
 * the event's row from disk.
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
	 * Two events match (ROUTING section 7) exactly when this is equal. The id of the tag
	 * itself, or of another tag that it holds a reference to.
	 */
	uint32_t match;
	uint32_t refs;
	struct keyed_hash hash;
};

struct tags {
	struct tag **tags; /* by id; NULL: free; tags[0] is that of plain events */
	uint32_t *free_ids;
	size_t count, cap, free_count, free_cap;
	struct table index;
	size_t bytes;
};

void tags_init(struct tags *tags);
void tags_clear(struct tags *tags);

/* Answers the id of the tag with these texts, which are copied if it is new; adds a reference. */
uint32_t tags_intern(struct tags *tags, struct str context_key, struct str original_key,
		     const struct delivery *delivery);

/* Adds a reference, or drops one: with the last the tag is freed. Tag 0 is never freed. */
void tags_hold(struct tags *tags, uint32_t id);
void tags_release(struct tags *tags, uint32_t id);

static inline const struct tag *
tags_get(const struct tags *tags, uint32_t id)
{
	return tags->tags[id];
}

#endif
