/*
 * tag.h - what many pending events have in common, kept once: context key, delivery context, original key.
 *
 * A plain event has none of them and carries tag 0. Everything the queue rules compare or list (match, last context,
 * merged delivery, "re-keyed from") is read from tags, so no rule needs the event's row from disk.
 * Here: interning and reference counts. Not here: texts of events, the rules themselves.
 */
#ifndef SEVQ_QUEUE_CATALOG_TAG_H
#define SEVQ_QUEUE_CATALOG_TAG_H

#include "queue/catalog/table.h"
#include "schema/delivery.h"

struct sevq_tag {
	struct sevq_str context_key;  /* NULL: none */
	struct sevq_str original_key; /* NULL: the event was not re-keyed */
	struct sevq_delivery delivery;
	uint32_t id;
	uint32_t match; /* events match (ROUTING section 7) exactly when this is equal; itself, or a tag it keeps alive */
	uint32_t refs;
	uint64_t hash;
};

struct sevq_tags {
	struct sevq_tag **tags; /* by id; NULL where free; tags[0] is the plain one and stays */
	uint32_t *free_ids;
	size_t count, cap, free_count, free_cap;
	struct sevq_table index;
	size_t bytes;
};

void sevq_tags_init(struct sevq_tags *tags);
void sevq_tags_clear(struct sevq_tags *tags);

/* The tag of these, with one more reference. Text is copied when the tag is new. */
uint32_t sevq_tags_intern(struct sevq_tags *tags, struct sevq_str context_key, struct sevq_str original_key,
			  const struct sevq_delivery *delivery);

void sevq_tags_hold(struct sevq_tags *tags, uint32_t id);
void sevq_tags_release(struct sevq_tags *tags, uint32_t id);

static inline const struct sevq_tag *
sevq_tags_get(const struct sevq_tags *tags, uint32_t id)
{
	return tags->tags[id];
}

#endif
