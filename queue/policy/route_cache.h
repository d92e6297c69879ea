/*
 * route_cache.h - what addresses were routed to lately.
 *
 * Producers and consumers say the same few addresses again and again, and routing one, with the
 * hash that its queue is found by, costs a tenth of a post. Routing is a pure function of policy
 * and address, so what it said can be said again. Here: a table with one place in each slot, the
 * latest. Errors are not kept, nor addresses too long.
 * Not here: deciding (route). Who changes the policy clears the table. Private to queue/.
 */
#ifndef QUEUE_POLICY_ROUTE_CACHE_H
#define QUEUE_POLICY_ROUTE_CACHE_H

#include "schema/event.h"

#define ROUTE_CACHE_SLOTS 8192
/* of an address and its queue key together: 5 MiB in all slots, at the most */
#define ROUTE_CACHE_BYTES_MAX 512

/* Where an address leads under the policy in force. */
struct cached_route {
	struct str queue_key;
	uint64_t hash; /* of the queue key, as the catalog's tables have it */
	enum rule rule;
};

struct route_cache {
	struct route_cache_slot **slots; /* NULL: nothing was ever kept */
};

void route_cache_clear(struct route_cache *places); /* of a zeroed one too, which is empty */

/* NULL: route it. Borrowed until the next keep or clear. */
const struct cached_route *route_cache_find(const struct route_cache *places,
					    const struct address *address);

/* Copies both, in the place of what stood in the slot. */
void route_cache_add(struct route_cache *places, const struct address *address,
		     const struct cached_route *place);

#endif
