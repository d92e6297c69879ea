/*
 * delivery.h - where an answer to an event should go: the delivery context (ROUTING section 7).
 *
 * Here: normalisation, identity, the merge of older and newer, and the JSON form.
 * Not here: the queue that merges (queue/catalog).
 */
#ifndef SEVQ_SCHEMA_DELIVERY_H
#define SEVQ_SCHEMA_DELIVERY_H

#include "schema/json.h"

/* A normalised context: absent fields are empty. All empty means no context. */
struct sevq_delivery {
	struct sevq_str channel, to, account_id, thread_id; /* thread_id as text even where it was a number */
	bool thread_is_number;
};

bool sevq_delivery_none(const struct sevq_delivery *d);

/* Identical: channel, to, account and thread (as text) are; none equals only none. */
bool sevq_delivery_same(const struct sevq_delivery *a, const struct sevq_delivery *b);

/*
 * Reads and normalises the value at token (null and absent fields, blank ones and fields of other types drop out, as
 * in OpenClaw; unknown fields are dropped). The value itself must be an object or null: else -1, SEVQ_INVALID_FIELD
 * with pointer "/deliveryContext". Text is borrowed from the document or lives in the arena.
 */
int sevq_delivery_read(const struct sevq_json *doc, size_t token, struct sevq_arena *arena, struct sevq_delivery *ret,
		       struct sevq_error *err);

/* newer over older, written to *ret; text is borrowed from both. Folding a queue left, oldest first, gives its merged context. */
void sevq_delivery_merge(const struct sevq_delivery *older, const struct sevq_delivery *newer, struct sevq_delivery *ret);

/* Appends {"channel":..,"to":..,"accountId":..,"threadId":..} with the absent ones left out. */
void sevq_delivery_write(struct sevq_buf *out, const struct sevq_delivery *d);

#endif
