/* route_cache.c - one allocation a slot: its texts stand behind the struct. */
#include "queue/policy/route_cache.h"

#include <stdlib.h>

#include "schema/mem.h"

#define PARTS 4

struct sevq_place_slot {
	struct sevq_str parts[PARTS]; /* of the address */
	struct sevq_place place;
};

static void
take_apart(const struct sevq_address *address, struct sevq_str parts[PARTS])
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

/* Eight bytes at a time. It need not be a good hash: a slot that many share is one where little is found. */
static uint64_t
mix(uint64_t hash, struct sevq_str part)
{
	uint64_t word = 0;
	hash = stir(hash, part.len);
	for (; part.len >= sizeof word; part.s += sizeof word, part.len -= sizeof word) {
		memcpy(&word, part.s, sizeof word);
		hash = stir(hash, word);
	}
	word = 0;
	if (part.len > 0)
		memcpy(&word, part.s, part.len);
	return stir(hash, word);
}

static size_t
slot_of(const struct sevq_str parts[PARTS])
{
	uint64_t hash = 0;
	for (size_t i = 0; i < PARTS; i++)
		hash = mix(hash, parts[i]);
	return (size_t)(hash % SEVQ_PLACES_SLOTS);
}

/* Not given is another thing than empty. */
static bool
same(struct sevq_str a, struct sevq_str b)
{
	return sevq_str_eq(a, b) && (a.s == NULL) == (b.s == NULL);
}

void
sevq_places_clear(struct sevq_places *places)
{
	for (size_t i = 0; places->slots != NULL && i < SEVQ_PLACES_SLOTS; i++)
		free(places->slots[i]);
	free(places->slots);
	places->slots = NULL;
}

const struct sevq_place *
sevq_places_find(const struct sevq_places *places, const struct sevq_address *address)
{
	struct sevq_str parts[PARTS];
	if (places->slots == NULL)
		return NULL;
	take_apart(address, parts);
	const struct sevq_place_slot *slot = places->slots[slot_of(parts)];
	for (size_t i = 0; slot != NULL && i < PARTS; i++)
		if (!same(slot->parts[i], parts[i]))
			return NULL;
	return slot != NULL ? &slot->place : NULL;
}

static char *
copy(struct sevq_str *text, char *at)
{
	if (text->len > 0)
		memcpy(at, text->s, text->len);
	if (text->s != NULL)
		text->s = at;
	return at + text->len;
}

void
sevq_places_keep(struct sevq_places *places, const struct sevq_address *address, const struct sevq_place *place)
{
	struct sevq_str parts[PARTS];
	size_t bytes = place->queue_key.len;
	take_apart(address, parts);
	for (size_t i = 0; i < PARTS; i++)
		bytes += parts[i].len;
	if (bytes > SEVQ_PLACES_BYTES_MAX)
		return;
	if (places->slots == NULL)
		places->slots = sevq_alloc(SEVQ_PLACES_SLOTS * sizeof *places->slots);
	struct sevq_place_slot **slot = &places->slots[slot_of(parts)];
	free(*slot);
	*slot = sevq_alloc(sizeof **slot + bytes);
	char *at = (char *)(*slot + 1);
	(*slot)->place = *place;
	at = copy(&(*slot)->place.queue_key, at);
	for (size_t i = 0; i < PARTS; i++) {
		(*slot)->parts[i] = parts[i];
		at = copy(&(*slot)->parts[i], at);
	}
}
