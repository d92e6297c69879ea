/* waiting.c - a list of ops for each queue key that somebody waits at. */
#include "queue/waiting.h"

#include <assert.h>
#include <stdlib.h>

/* Ops linked both ways: next towards the end, waits_after towards the front. */
struct place {
	struct sevq_str key; /* behind the struct */
	uint64_t hash;
	struct sevq_op *first, *last;
	size_t count;
};

static bool
same(const void *item, const void *key)
{
	return sevq_str_eq(((const struct place *)item)->key, *(const struct sevq_str *)key);
}

static struct place *
find(const struct sevq_waiting *waiting, struct sevq_str key)
{
	return waiting->count > 0 ? sevq_table_find(&waiting->places, sevq_text_hash(key), same, &key) : NULL;
}

static struct place *
make(struct sevq_waiting *waiting, struct sevq_str key)
{
	struct place *place = sevq_alloc(sizeof *place + key.len);
	place->key = (struct sevq_str){ memcpy(place + 1, key.s, key.len), key.len };
	place->hash = sevq_text_hash(key);
	sevq_table_add(&waiting->places, place->hash, place);
	return place;
}

void
sevq_waiting_add(struct sevq_waiting *waiting, struct sevq_op *op)
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
sevq_waiting_remove(struct sevq_waiting *waiting, struct sevq_op *op)
{
	struct place *place = find(waiting, op->queue_key);
	assert(op->parked && place != NULL);
	*(op->waits_after != NULL ? &op->waits_after->next : &place->first) = op->next;
	*(op->next != NULL ? &op->next->waits_after : &place->last) = op->waits_after;
	op->parked = false;
	waiting->count--;
	if (--place->count == 0) {
		sevq_table_remove(&waiting->places, place->hash, place);
		free(place);
	}
}

struct sevq_op *
sevq_waiting_take(struct sevq_waiting *waiting, struct sevq_str queue_key)
{
	size_t at = 0;
	struct place *place = queue_key.s != NULL ? find(waiting, queue_key) : sevq_table_each(&waiting->places, &at);
	struct sevq_op *op = place != NULL ? place->first : NULL;
	if (op != NULL)
		sevq_waiting_remove(waiting, op);
	return op;
}

size_t
sevq_waiting_count(const struct sevq_waiting *waiting, struct sevq_str queue_key)
{
	const struct place *place = find(waiting, queue_key);
	return place != NULL ? place->count : 0;
}

void
sevq_waiting_clear(struct sevq_waiting *waiting)
{
	struct place *place;
	for (size_t at = 0; (place = sevq_table_each(&waiting->places, &at)) != NULL;)
		free(place);
	sevq_table_clear(&waiting->places);
	waiting->count = 0;
}
