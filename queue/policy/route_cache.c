/* route_cache.c - one allocation a slot: its texts stand behind the struct. */
#include "queue/policy/route_cache.h"

#include <stdlib.h>

#include "schema/mem.h"

#define PARTS 4

struct route_cache_slot {
	struct str parts[PARTS]; /* of the address */
	struct cached_route place;
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
stir(uint64_t hash, uint64_t word)
{
	hash = (hash ^ word) * UINT64_C(0x9E3779B97F4A7C15);
	return hash ^ hash >> 32;
}

/*
 * Eight bytes at a time. It need not be a good hash: a slot that many share is one where little is
 * found.
 */
static uint64_t
mix(uint64_t hash, struct str part)
{
	uint64_t word = 0;

	hash = stir(hash, part.len);
	for (; part.len >= sizeof(word); part.s += sizeof(word), part.len -= sizeof(word)) {
		memcpy(&word, part.s, sizeof(word));
		hash = stir(hash, word);
	}
	word = 0;
	if (part.len > 0)
		memcpy(&word, part.s, part.len);
	return stir(hash, word);
}

static size_t
slot_of(const struct str parts[PARTS])
{
	uint64_t hash = 0;

	for (size_t i = 0; i < PARTS; i++)
		hash = mix(hash, parts[i]);
	return (size_t)(hash % ROUTE_CACHE_SLOTS);
}

/* Not given is another thing than empty. */
static bool
same(struct str a, struct str b)
{
	return str_eq(a, b) && (a.s == NULL) == (b.s == NULL);
}

void
route_cache_clear(struct route_cache *places)
{
	for (size_t i = 0; places->slots != NULL && i < ROUTE_CACHE_SLOTS; i++)
		free(places->slots[i]);
	free(places->slots);
	places->slots = NULL;
}

const struct cached_route *
route_cache_find(const struct route_cache *places, const struct address *address)
{
	struct str parts[PARTS];

	if (places->slots == NULL)
		return NULL;
	take_apart(address, parts);
	const struct route_cache_slot *slot = places->slots[slot_of(parts)];
	for (size_t i = 0; slot != NULL && i < PARTS; i++)
		if (!same(slot->parts[i], parts[i]))
			return NULL;
	return slot != NULL ? &slot->place : NULL;
}

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
route_cache_add(struct route_cache *places, const struct address *address,
		const struct cached_route *place)
{
	struct str parts[PARTS];
	size_t bytes = place->queue_key.len;

	take_apart(address, parts);
	for (size_t i = 0; i < PARTS; i++)
		bytes += parts[i].len;
	if (bytes > ROUTE_CACHE_BYTES_MAX)
		return;
	if (places->slots == NULL)
		places->slots = mem_alloc(ROUTE_CACHE_SLOTS * sizeof(*places->slots));
	struct route_cache_slot **slot = &places->slots[slot_of(parts)];
	free(*slot);
	*slot = mem_alloc(sizeof(**slot) + bytes);
	char *at = (char *)(*slot + 1);
	(*slot)->place = *place;
	at = copy(&(*slot)->place.queue_key, at);
	for (size_t i = 0; i < PARTS; i++) {
		(*slot)->parts[i] = parts[i];
		at = copy(&(*slot)->parts[i], at);
	}
}
