/*
 * delivery.h - where an answer to an event should go: the delivery context (ROUTING section 7).
 *
 * Here: normalisation, identity, the merge of older and newer, and the JSON form.
 * Not here: the queue that merges (queue/catalog).
 */
#ifndef SCHEMA_DELIVERY_H
#define SCHEMA_DELIVERY_H

#include "schema/json.h"

/* A normalised context: absent fields are empty. All empty means no context. */
struct delivery {
	/* thread_id as text even where it was a number */
	struct str channel, to, account_id, thread_id;
	bool thread_is_number;
};

bool delivery_none(const struct delivery *d);

/*
 * Reads and normalises the value at token (null and absent fields, blank ones and fields of other
 * types drop out, as in OpenClaw; unknown fields are dropped). The value itself must be an object
 * or null: else -1, ERROR_INVALID_FIELD with pointer "/deliveryContext". Text is borrowed from the
 * document or lives in the arena.
 */
int delivery_read(const struct json *doc, size_t token, struct arena *arena, struct delivery *ret,
		  struct error *err);

/*
 * newer over older, written to *ret; text is borrowed from both. Folding a queue left, oldest
 * first, gives its merged context.
 */
void delivery_merge(const struct delivery *older, const struct delivery *newer,
		    struct delivery *ret);

/* Appends {"channel":..,"to":..,"accountId":..,"threadId":..} with the absent ones left out. */
void delivery_write(struct buf *out, const struct delivery *d);

#endif
