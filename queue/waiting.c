/* waiting.c - a list of ops for each queue key that somebody waits at. */
#include "queue/waiting.h"

#include <assert.h>
#include <stdlib.h>

/* Ops linked both ways: next towards the end, waits_after towards the front. */
struct place {
	struct str key; /* behind the struct */
	uint64_t hash;
	struct op *first, *last;
	size_t count;
};

static bool
same(const void *item, const void *key)
{
	return str_eq(((const struct place *)item)->key, *(const struct str *)key);
}

static struct place *
find(const struct waiting *waiting, struct str key)
{
	return waiting->count > 0 ? table_find(&waiting->places, text_hash(key), same, &key) : NULL;
}

static struct place *
make(struct waiting *waiting, struct str key)
{
	struct place *place = mem_alloc(sizeof(*place) + key.len);

	place->key = (struct str){ memcpy(place + 1, key.s, key.len), key.len };
	place->hash = text_hash(key);
	table_add(&waiting->places, place->hash, place);
	return place;
}

void
waiting_add(struct waiting *waiting, struct op *op)
{
	struct place *place = find(waiting, op->queue_key);

	if (place == NULL)
		place = make(waiting, op->queue_key);
	op->next = NULL;
	op->waits_after = place->last;
	*(place->last != NULL ? &place->last->next : &place->first) = op;
	place->last = op;
	op->parked = true;
	place->count++;
	waiting->count++;
}

void
waiting_remove(struct waiting *waiting, struct op *op)
{
	struct place *place = find(waiting, op->queue_key);

	assert(op->parked && place != NULL);
	*(op->waits_after != NULL ? &op->waits_after->next : &place->first) = op->next;
	*(op->next != NULL ? &op->next->waits_after : &place->last) = op->waits_after;
	op->parked = false;
	waiting->count--;
	if (--place->count == 0) {
		table_remove(&waiting->places, place->hash, place);
		free(place);
	}
}

struct op *
waiting_take(struct waiting *waiting, struct str queue_key)
{
	size_t at = 0;
	struct place *place =
	    queue_key.s != NULL ? find(waiting, queue_key) : table_each(&waiting->places, &at);
	struct op *op = place != NULL ? place->first : NULL;

	if (op != NULL)
		waiting_remove(waiting, op);
	return op;
}

size_t
waiting_count(const struct waiting *waiting, struct str queue_key)
{
	const struct place *place = find(waiting, queue_key);

	return place != NULL ? place->count : 0;
}

void
waiting_clear(struct waiting *waiting)
{
	struct place *place;

	for (size_t at = 0; (place = table_each(&waiting->places, &at)) != NULL;)
		free(place);
	table_clear(&waiting->places);
	waiting->count = 0;
}
