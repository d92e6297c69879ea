/*
 * peers.c - connections counted by address, in a small chained table.
 */
#include "server/http/peers.h"

#include <assert.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include "schema/keyed_hash.h"
#include "schema/mem.h"

/*
 * 0 for what has no address. An IPv6 prefix that has the same key as an IPv4 address shares its
 * count, which does no harm.
 */
static uint64_t
key_of(const struct sockaddr *address)
{
	struct sockaddr_in in4;
	struct sockaddr_in6 in6;
	uint64_t key;

	switch (address->sa_family) {
	case AF_INET:
		memcpy(&in4, address, sizeof(in4));
		return UINT64_C(1) << 32 | in4.sin_addr.s_addr;
	case AF_INET6:
		memcpy(&in6, address, sizeof(in6));
		memcpy(&key, &in6.sin6_addr, sizeof(key));
		return key != 0 ? key : 1; /* ::1 and its like share one */
	default:
		return 0;
	}
}

static struct peer **
bucket_of(struct peers *peers, uint64_t key)
{
	struct keyed_hash hash = keyed_hash_text((struct str){ (const char *)&key, sizeof(key) });

	return &peers->buckets[hash.bits % PEERS_BUCKETS];
}

struct peer *
peers_enter(struct peers *peers, const struct sockaddr *address)
{
	uint64_t key = key_of(address);
	struct peer **bucket = bucket_of(peers, key), *peer;

	if (key == 0)
		return NULL;
	for (peer = *bucket; peer != NULL && peer->key != key; peer = peer->next)
		;
	if (peer == NULL) {
		peer = mem_alloc(sizeof(*peer));
		*peer = (struct peer){ .key = key, .next = *bucket };
		*bucket = peer;
	}
	peer->connections++;
	return peer;
}

void
peers_leave(struct peers *peers, struct peer *peer)
{
	struct peer **at;

	if (peer == NULL || --peer->connections > 0)
		return;
	for (at = bucket_of(peers, peer->key); *at != peer; at = &(*at)->next)
		assert(*at != NULL);
	*at = peer->next;
	free(peer);
}
