/* moved.c - a table of event ids. */
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

void
moved_clear(struct moved_events *moved)
{
	void *item;

	for (size_t at = 0; (item = table_each(&moved->by_id, &at)) != NULL;)
		free(item);
	table_clear(&moved->by_id);
}

size_t
moved_bytes(const struct moved_events *moved)
{
	return moved->by_id.count * sizeof(struct moved_event) + table_bytes(&moved->by_id);
}

static struct moved_event *
find(const struct moved_events *moved, int64_t event)
{
	if (moved->by_id.count == 0)
		return NULL;
	return table_find(&moved->by_id, keyed_hash_id(event), same_id, &event);
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
		item = mem_alloc(sizeof(*item));
		item->id = event;
		table_add(&moved->by_id, keyed_hash_id(event), item);
	}
	if (item != NULL && queue == NULL) {
		table_remove(&moved->by_id, keyed_hash_id(event), item);
		free(item);
	} else if (item != NULL) {
		item->queue = queue;
	}
}
