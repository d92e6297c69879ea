/*
 * catalog.c - queues of entries, and the journal that makes a batch of changes final or takes it back.
 *
 * Entries of a queue stand in one array. Taking marks an entry gone; the commit squeezes gone entries out, at the front
 * for free and in the middle once they are half of the array. Until then an entry keeps its place, so going back is
 * clearing a mark.
 */
#include "queue/catalog.h"

#include <assert.h>
#include <stdlib.h>

#include "schema/mem.h"

#define ENTRIES_SHRINK_MIN 64

enum change_kind { APPENDED, REMOVED, LAST_SET };

struct sevq_change {
	struct sevq_queue *queue;
	enum change_kind kind;
	uint32_t tag; /* REMOVED: the entry's; LAST_SET: the one before, its reference held here */
	int64_t id;   /* REMOVED: the entry's */
};

void
sevq_catalog_init(struct sevq_catalog *catalog)
{
	*catalog = (struct sevq_catalog){ 0 };
	sevq_tags_init(&catalog->tags);
}

static void
free_queue(struct sevq_catalog *catalog, struct sevq_queue *queue)
{
	catalog->entry_bytes -= queue->cap * sizeof *queue->entries;
	catalog->key_bytes -= sizeof *queue + queue->session.key.len;
	free(queue->entries);
	free(queue);
}

void
sevq_catalog_clear(struct sevq_catalog *catalog)
{
	struct sevq_queue *queue;
	for (size_t at = 0; (queue = sevq_table_each(&catalog->index, &at)) != NULL;)
		free_queue(catalog, queue);
	sevq_table_clear(&catalog->index);
	sevq_tags_clear(&catalog->tags);
	free(catalog->journal);
	free(catalog->touched);
	*catalog = (struct sevq_catalog){ 0 };
}

size_t
sevq_catalog_bytes(const struct sevq_catalog *catalog)
{
	return catalog->entry_bytes + catalog->key_bytes + catalog->tags.bytes + sevq_table_bytes(&catalog->index) +
	       sevq_table_bytes(&catalog->tags.index);
}

static bool
same_key(const void *item, const void *key)
{
	const struct sevq_queue *queue = item;
	const struct sevq_str *want = key;
	return sevq_str_eq(queue->session.key, *want);
}

struct sevq_queue *
sevq_catalog_find(const struct sevq_catalog *catalog, struct sevq_str queue_key)
{
	return sevq_table_find(&catalog->index, sevq_text_hash(queue_key), same_key, &queue_key);
}

static void
touch(struct sevq_catalog *catalog, struct sevq_queue *queue)
{
	if (queue->touched)
		return;
	queue->touched = true;
	catalog->touched =
	    sevq_grow(catalog->touched, &catalog->touched_cap, catalog->touched_count + 1, sizeof(*catalog->touched));
	catalog->touched[catalog->touched_count++] = queue;
}

struct sevq_queue *
sevq_catalog_need(struct sevq_catalog *catalog, struct sevq_str queue_key)
{
	uint64_t hash = sevq_text_hash(queue_key);
	struct sevq_queue *queue = sevq_table_find(&catalog->index, hash, same_key, &queue_key);
	if (queue != NULL)
		return queue;
	queue = sevq_alloc(sizeof *queue + queue_key.len);
	memcpy(queue + 1, queue_key.s, queue_key.len);
	queue->session.key = (struct sevq_str){ (char *)(queue + 1), queue_key.len };
	queue->hash = hash;
	catalog->key_bytes += sizeof *queue + queue_key.len;
	sevq_table_add(&catalog->index, hash, queue);
	touch(catalog, queue);
	return queue;
}

struct sevq_queue *
sevq_catalog_each(const struct sevq_catalog *catalog, size_t *at)
{
	return sevq_table_each(&catalog->index, at);
}

static void
note(struct sevq_catalog *catalog, struct sevq_change change)
{
	catalog->journal = sevq_grow(catalog->journal, &catalog->journal_cap, catalog->journal_count + 1, sizeof *catalog->journal);
	catalog->journal[catalog->journal_count++] = change;
	touch(catalog, change.queue);
}

/* Moves the entries to the front of their array when half of it is free there; grows it otherwise. */
static void
make_room(struct sevq_catalog *catalog, struct sevq_queue *queue)
{
	if (queue->tail < queue->cap)
		return;
	if (queue->head > 0 && queue->head >= queue->cap / 2) {
		memmove(queue->entries, queue->entries + queue->head, (queue->tail - queue->head) * sizeof *queue->entries);
		queue->tail -= queue->head;
		queue->head = 0;
		return;
	}
	size_t before = queue->cap;
	queue->entries = sevq_grow(queue->entries, &queue->cap, queue->cap + 1, sizeof *queue->entries);
	catalog->entry_bytes += (queue->cap - before) * sizeof *queue->entries;
}

static void
count_in(struct sevq_catalog *catalog, struct sevq_queue *queue)
{
	catalog->sessions += queue->depth++ == 0;
	catalog->pending++;
}

static void
count_out(struct sevq_catalog *catalog, struct sevq_queue *queue)
{
	catalog->sessions -= --queue->depth == 0;
	catalog->pending--;
}

void
sevq_queue_append(struct sevq_catalog *catalog, struct sevq_queue *queue, struct sevq_entry entry)
{
	assert(queue->tail == queue->head || queue->entries[queue->tail - 1].id < entry.id);
	make_room(catalog, queue);
	queue->entries[queue->tail++] = entry;
	count_in(catalog, queue);
	note(catalog, (struct sevq_change){ .queue = queue, .kind = APPENDED });
}

void
sevq_queue_remove(struct sevq_catalog *catalog, struct sevq_queue *queue, struct sevq_entry *entry)
{
	assert(!entry->gone);
	entry->gone = true;
	count_out(catalog, queue);
	note(catalog, (struct sevq_change){ .queue = queue, .kind = REMOVED, .tag = entry->tag, .id = entry->id });
}

void
sevq_queue_set_last(struct sevq_catalog *catalog, struct sevq_queue *queue, uint32_t tag)
{
	if (tag == queue->last_tag)
		return;
	note(catalog, (struct sevq_change){ .queue = queue, .kind = LAST_SET, .tag = queue->last_tag });
	sevq_tags_hold(&catalog->tags, tag);
	queue->last_tag = tag;
}

void
sevq_queue_refresh_last(struct sevq_catalog *catalog, struct sevq_queue *queue)
{
	for (size_t i = queue->tail; i > queue->head; i--) {
		const struct sevq_entry *entry = &queue->entries[i - 1];
		if (!entry->gone && sevq_tags_get(&catalog->tags, entry->tag)->context_key.len > 0) {
			sevq_queue_set_last(catalog, queue, entry->tag);
			return;
		}
	}
	sevq_queue_set_last(catalog, queue, 0);
}

/* Index of the first entry with an id of at least id. */
static size_t
lower_bound(const struct sevq_queue *queue, int64_t id)
{
	size_t low = queue->head, high = queue->tail;
	while (low < high) {
		size_t mid = low + (high - low) / 2;
		if (queue->entries[mid].id < id)
			low = mid + 1;
		else
			high = mid;
	}
	return low;
}

static struct sevq_entry *
live_from(const struct sevq_queue *queue, size_t i)
{
	while (i < queue->tail && queue->entries[i].gone)
		i++;
	return i < queue->tail ? &queue->entries[i] : NULL;
}

struct sevq_entry *
sevq_queue_first(const struct sevq_queue *queue, int64_t after)
{
	return live_from(queue, after > 0 ? lower_bound(queue, after + 1) : queue->head);
}

struct sevq_entry *
sevq_queue_next(const struct sevq_queue *queue, const struct sevq_entry *entry)
{
	return live_from(queue, (size_t)(entry - queue->entries) + 1);
}

struct sevq_entry *
sevq_queue_newest(const struct sevq_queue *queue)
{
	for (size_t i = queue->tail; i > queue->head; i--)
		if (!queue->entries[i - 1].gone)
			return &queue->entries[i - 1];
	return NULL;
}

struct sevq_entry *
sevq_queue_entry(const struct sevq_queue *queue, int64_t id)
{
	size_t i = lower_bound(queue, id);
	if (i == queue->tail || queue->entries[i].id != id || queue->entries[i].gone)
		return NULL;
	return &queue->entries[i];
}

/* Drops gone entries off the front; moves the rest together, and gives memory back, when most of the array is unused. */
static void
squeeze(struct sevq_catalog *catalog, struct sevq_queue *queue)
{
	while (queue->entries[queue->head].gone)
		queue->head++;
	size_t span = queue->tail - queue->head;
	bool roomy = queue->cap > ENTRIES_SHRINK_MIN && queue->depth * 4 < queue->cap;
	if (!roomy && span < queue->depth * 2)
		return;
	size_t to = 0;
	for (size_t i = queue->head; i < queue->tail; i++)
		if (!queue->entries[i].gone)
			queue->entries[to++] = queue->entries[i];
	queue->head = 0;
	queue->tail = to;
	if (!roomy)
		return;
	size_t cap = queue->depth * 2;
	queue->entries = sevq_realloc(queue->entries, cap * sizeof *queue->entries);
	catalog->entry_bytes -= (queue->cap - cap) * sizeof *queue->entries;
	queue->cap = cap;
}

/* The end of a batch for a queue: squeezed, or gone when nothing is left in it. */
static void
settle(struct sevq_catalog *catalog, struct sevq_queue *queue)
{
	queue->touched = false;
	if (queue->depth > 0) {
		squeeze(catalog, queue);
		return;
	}
	sevq_tags_release(&catalog->tags, queue->last_tag);
	sevq_table_remove(&catalog->index, queue->hash, queue);
	free_queue(catalog, queue);
}

static void
settle_all(struct sevq_catalog *catalog)
{
	assert(catalog->journal_count == 0);
	for (size_t i = 0; i < catalog->touched_count; i++)
		settle(catalog, catalog->touched[i]);
	catalog->touched_count = 0;
}

size_t
sevq_catalog_mark(const struct sevq_catalog *catalog)
{
	return catalog->journal_count;
}

static void
take_back(struct sevq_catalog *catalog, const struct sevq_change *change)
{
	struct sevq_queue *queue = change->queue;
	switch (change->kind) {
	case APPENDED:
		sevq_tags_release(&catalog->tags, queue->entries[--queue->tail].tag);
		count_out(catalog, queue);
		break;
	case REMOVED:
		queue->entries[lower_bound(queue, change->id)].gone = false;
		count_in(catalog, queue);
		break;
	case LAST_SET:
		sevq_tags_release(&catalog->tags, queue->last_tag);
		queue->last_tag = change->tag;
		break;
	}
}

void
sevq_catalog_rollback(struct sevq_catalog *catalog, size_t mark)
{
	while (catalog->journal_count > mark)
		take_back(catalog, &catalog->journal[--catalog->journal_count]);
	if (mark == 0)
		settle_all(catalog);
}

void
sevq_catalog_commit(struct sevq_catalog *catalog)
{
	for (size_t i = 0; i < catalog->journal_count; i++)
		if (catalog->journal[i].kind != APPENDED)
			sevq_tags_release(&catalog->tags, catalog->journal[i].tag);
	catalog->journal_count = 0;
	settle_all(catalog);
}
