/*
 * delivery.h - the delivery context of an event: where an answer to it should go (ROUTING section
 * 7).
 *
 * Here: normalisation, the merge of older and newer, and the JSON form.
 * Not here: which contexts are identical (queue/catalog/tag), whose are merged
 * (queue/ops/sessions).
 */
#ifndef SCHEMA_DELIVERY_H
#define SCHEMA_DELIVERY_H

#include "schema/json.h"

/* A normalised context: absent fields are empty. All empty means no context. */
struct delivery {
	struct str channel, to, account_id;
	struct str thread_id;  /* as text, also where JSON has a number */
	bool thread_is_number; /* written without quotes; no part of identity */
};

/* No context: every field is empty. */
bool delivery_none(const struct delivery *d);

/*
 * Reads and normalises the value at token. As in OpenClaw, a field that is null, blank or of
 * another type counts as absent, and unknown fields are ignored. The value itself must be an object
 * or null; otherwise -1, ERROR_INVALID_FIELD with pointer "/deliveryContext". Text is borrowed from
 * the document or lives in the arena.
 */
int delivery_read(const struct json *doc, size_t token, struct arena *arena, struct delivery *ret,
		  struct error *err);

/* The names of the fields of a delivery context, by index; NULL behind the last. */
struct str delivery_field_name(size_t i);

/*
 * Merges: the newer context's fields win, absent ones come from the older context unless the
 * channels or the accounts conflict. *ret borrows text from both and may be either of them. Merging
 * a queue's contexts one by one, oldest first, gives the queue's.
 */
void delivery_merge(const struct delivery *older, const struct delivery *newer,
		    struct delivery *ret);

/* Appends {"channel":..,"to":..,"accountId":..,"threadId":..} without the absent fields. */
void delivery_write(struct buf *out, const struct delivery *d);

#endif
