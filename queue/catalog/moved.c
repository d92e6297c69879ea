/* moved.c - tables of event ids. */
#include "queue/catalog/moved.h"

#include <stdlib.h>

#include "schema/mem.h"

struct moved_event {
	int64_t id;
	struct queue *queue;
};

static bool
same_id(const void *item, const void *id)
{
	return ((const struct moved_event *)item)->id == *(const int64_t *)id;
}

/* A table finds its slots by the upper bits of a hash. */
static size_t
table_of(struct keyed_hash hash)
{
	return (size_t)(hash.bits % MOVED_TABLES);
}

void
moved_clear(struct moved_events *moved)
{
	void *item;

	for (size_t i = 0; i < MOVED_TABLES; i++) {
		for (size_t at = 0; (item = table_each(&moved->by_id[i], &at)) != NULL;)
			free(item);
		table_clear(&moved->by_id[i]);
	}
	moved->count = 0;
}

size_t
moved_bytes(const struct moved_events *moved)
{
	size_t bytes = moved->count * sizeof(struct moved_event);

	for (size_t i = 0; i < MOVED_TABLES; i++)
		bytes += table_bytes(&moved->by_id[i]);
	return bytes;
}

static struct moved_event *
find(const struct moved_events *moved, int64_t event)
{
	if (moved->count == 0)
		return NULL;
	struct keyed_hash hash = keyed_hash_id(event);
	return table_find(&moved->by_id[table_of(hash)], hash, same_id, &event);
}

struct queue *
moved_find(const struct moved_events *moved, int64_t event)
{
	const struct moved_event *found = find(moved, event);

	return found != NULL ? found->queue : NULL;
}

void
moved_put(struct moved_events *moved, int64_t event, struct queue *queue)
{
	struct moved_event *item = find(moved, event);

	if (item != NULL)
		item->queue->moved--;
	if (queue != NULL)
		queue->moved++;
	if (item == NULL && queue != NULL) {
		struct keyed_hash hash = keyed_hash_id(event);

		item = mem_alloc(sizeof(*item));
		item->id = event;
		table_add(&moved->by_id[table_of(hash)], hash, item);
		moved->count++;
	}
	if (item != NULL && queue == NULL) {
		struct keyed_hash hash = keyed_hash_id(event);

		table_remove(&moved->by_id[table_of(hash)], hash, item);
		free(item);
		moved->count--;
	} else if (item != NULL) {
		item->queue = queue;
	}
}
