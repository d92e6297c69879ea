/*
 * route_cache.h - the routes of recent addresses.
 *
 * Producers and consumers send the same few addresses again and again, and routing one, with the
 * hash of its queue key, costs a tenth of a post. Routing is a pure function of policy and address,
 * so its result can be cached. Here: a table with one route a slot, the latest. Failures are not
 * cached, nor long addresses. Not here: deciding (route). Whoever changes the policy clears the
 * cache. Private to queue/.
 */
#ifndef QUEUE_POLICY_ROUTE_CACHE_H
#define QUEUE_POLICY_ROUTE_CACHE_H

#include "schema/event.h"
#include "schema/keyed_hash.h"

#define ROUTE_CACHE_SLOTS 8192
/* of an address and its queue key together, so that all slots take at most 5 MiB */
#define ROUTE_CACHE_BYTES_MAX 512

/* Where an address is routed under the policy in force. */
struct cached_route {
	struct str queue_key;
	struct keyed_hash hash; /* of the queue key, by which the catalog finds the queue */
	enum rule rule;
};

struct route_cache {
	struct route_cache_slot **slots; /* NULL: nothing was cached yet */
};

/* A zeroed cache is empty and may be cleared, too. */
void route_cache_clear(struct route_cache *cache);

/* The cached route, borrowed until the next add or clear; NULL if there is none. */
const struct cached_route *route_cache_find(const struct route_cache *cache,
					    const struct address *address);

/* Caches a copy of the route, and drops the one that had its slot. */
void route_cache_add(struct route_cache *cache, const struct address *address,
		     const struct cached_route *route);

#endif
