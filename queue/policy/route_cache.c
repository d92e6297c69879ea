/* route_cache.c - the cache of routes: one allocation a slot, with the texts behind the struct. */
#include "queue/policy/route_cache.h"

#include <stdlib.h>

#include "schema/mem.h"

#define PARTS 4

struct route_cache_slot {
	struct str parts[PARTS]; /* of the address */
	struct cached_route route;
};

static void
take_apart(const struct address *address, struct str parts[PARTS])
{
	parts[0] = address->session_key;
	parts[1] = address->agent_id;
	parts[2] = address->channel;
	parts[3] = address->account_id;
}

static uint64_t
mix_word(uint64_t hash, uint64_t word)
{
	hash = (hash ^ word) * UINT64_C(0x9E3779B97F4A7C15);
	return hash ^ hash >> 32;
}

/*
 * Hashes a text eight bytes at a time. The hash need be neither good nor secret: addresses that
 * share a slot only evict each other, and then cost what an address costs that was not cached.
 */
static uint64_t
mix_text(uint64_t hash, struct str part)
{
	uint64_t word = 0;

	hash = mix_word(hash, part.len);
	for (; part.len >= sizeof(word); part.s += sizeof(word), part.len -= sizeof(word)) {
		memcpy(&word, part.s, sizeof(word));
		hash = mix_word(hash, word);
	}
	word = 0;
	if (part.len > 0)
		memcpy(&word, part.s, part.len);
	return mix_word(hash, word);
}

static size_t
slot_of(const struct str parts[PARTS])
{
	uint64_t hash = 0;

	for (size_t i = 0; i < PARTS; i++)
		hash = mix_text(hash, parts[i]);
	return (size_t)(hash % ROUTE_CACHE_SLOTS);
}

/* Equal, where absent (NULL) differs from empty. */
static bool
same(struct str a, struct str b)
{
	return str_eq(a, b) && (a.s == NULL) == (b.s == NULL);
}

void
route_cache_clear(struct route_cache *cache)
{
	for (size_t i = 0; cache->slots != NULL && i < ROUTE_CACHE_SLOTS; i++)
		free(cache->slots[i]);
	free(cache->slots);
	cache->slots = NULL;
}

const struct cached_route *
route_cache_find(const struct route_cache *cache, const struct address *address)
{
	struct str parts[PARTS];

	if (cache->slots == NULL)
		return NULL;
	take_apart(address, parts);
	const struct route_cache_slot *slot = cache->slots[slot_of(parts)];
	for (size_t i = 0; slot != NULL && i < PARTS; i++)
		if (!same(slot->parts[i], parts[i]))
			return NULL;
	return slot != NULL ? &slot->route : NULL;
}

/* Copies a text to at, lets it point there, and returns the end. */
static char *
copy(struct str *text, char *at)
{
	if (text->len > 0)
		memcpy(at, text->s, text->len);
	if (text->s != NULL)
		text->s = at;
	return at + text->len;
}

void
route_cache_add(struct route_cache *cache, const struct address *address,
		const struct cached_route *route)
{
	struct str parts[PARTS];
	size_t bytes = route->queue_key.len;

	take_apart(address, parts);
	for (size_t i = 0; i < PARTS; i++)
		bytes += parts[i].len;
	if (bytes > ROUTE_CACHE_BYTES_MAX)
		return;
	if (cache->slots == NULL)
		cache->slots = mem_alloc(ROUTE_CACHE_SLOTS * sizeof(*cache->slots));
	struct route_cache_slot **slot = &cache->slots[slot_of(parts)];
	free(*slot);
	*slot = mem_alloc(sizeof(**slot) + bytes);
	char *at = (char *)(*slot + 1);
	(*slot)->route = *route;
	at = copy(&(*slot)->route.queue_key, at);
	for (size_t i = 0; i < PARTS; i++) {
		(*slot)->parts[i] = parts[i];
		at = copy(&(*slot)->parts[i], at);
	}
}
