/*
 * route_cache.h - what addresses were routed to lately.
 *
 * Producers and consumers say the same few addresses again and again, and routing one, with the hash that its queue is found by,
 * costs a tenth of a post. Routing is a pure function of policy and address, so what it said can be said again.
 * Here: a table with one place in each slot, the latest. Errors are not kept, nor addresses too long.
 * Not here: deciding (route). Who changes the policy clears the table. Private to queue/.
 */
#ifndef SEVQ_QUEUE_POLICY_ROUTE_CACHE_H
#define SEVQ_QUEUE_POLICY_ROUTE_CACHE_H

#include "schema/event.h"

#define SEVQ_PLACES_SLOTS 8192
#define SEVQ_PLACES_BYTES_MAX 512 /* of an address and its queue key together: 5 MiB in all slots, at the most */

/* Where an address leads under the policy in force. */
struct sevq_place {
	struct sevq_str queue_key;
	uint64_t hash; /* of the queue key, as the catalog's tables have it */
	enum sevq_rule rule;
};

struct sevq_places {
	struct sevq_place_slot **slots; /* NULL: nothing was ever kept */
};

void sevq_places_clear(struct sevq_places *places); /* of a zeroed one too, which is empty */

/* NULL: route it. Borrowed until the next keep or clear. */
const struct sevq_place *sevq_places_find(const struct sevq_places *places, const struct sevq_address *address);

/* Copies both, in the place of what stood in the slot. */
void sevq_places_keep(struct sevq_places *places, const struct sevq_address *address, const struct sevq_place *place);

#endif
