/* catalog.c - the index of queues, and sums over them. */
#include "queue/catalog/catalog.h"

#include <stdlib.h>

#include "schema/mem.h"

#define WALK_LOOKS_MAX 8000 /* at queues that the walk has met, or at the end of the index */

void
catalog_init(struct catalog *catalog)
{
	*catalog = (struct catalog){ 0 };
	tags_init(&catalog->tags);
	catalog->matches.walk_max = MATCHES_WALK_MAX;
}

static size_t
key_bytes(const struct queue *queue)
{
	const struct strand *strand = queue->strand;

	return sizeof(*queue) + queue->session.key.len +
	       (strand != NULL ? sizeof(*strand) + strand->to.len + KEY_ORDER_BYTES : 0);
}

static void
free_queue(struct catalog *catalog, struct queue *queue)
{
	catalog->entry_bytes -= queue->cap * sizeof(*queue->entries);
	catalog->key_bytes -= key_bytes(queue);
	if (queue->strand != NULL)
		key_order_remove(&catalog->stranded, &queue->session.key);
	queue_free(queue);
}

void
catalog_clear(struct catalog *catalog)
{
	struct queue *queue;

	for (size_t at = 0; (queue = table_each(&catalog->index, &at)) != NULL;)
		free_queue(catalog, queue);
	table_clear(&catalog->index);
	leases_clear(&catalog->leases);
	matches_clear(&catalog->matches);
	moved_clear(&catalog->moved);
	dead_letters_clear(&catalog->dead);
	tags_clear(&catalog->tags);
	free(catalog->journal);
	free(catalog->merged);
	free(catalog->touched);
	*catalog = (struct catalog){ 0 };
}

size_t
catalog_bytes(const struct catalog *catalog)
{
	return catalog->entry_bytes + catalog->key_bytes + catalog->tags.bytes +
	       leases_bytes(&catalog->leases) + matches_bytes(&catalog->matches) +
	       moved_bytes(&catalog->moved) + dead_letters_bytes(&catalog->dead) +
	       table_bytes(&catalog->index) + table_bytes(&catalog->tags.index);
}

static bool
same_key(const void *item, const void *key)
{
	const struct queue *queue = item;
	const struct str *want = key;

	return str_eq(queue->session.key, *want);
}

struct queue *
catalog_find(const struct catalog *catalog, struct str queue_key)
{
	return catalog_find_hashed(catalog, queue_key, keyed_hash_text(queue_key));
}

struct queue *
catalog_find_hashed(const struct catalog *catalog, struct str queue_key, struct keyed_hash hash)
{
	return table_find(&catalog->index, hash, same_key, &queue_key);
}

struct queue *
catalog_find_or_add(struct catalog *catalog, struct str queue_key)
{
	return catalog_find_or_add_hashed(catalog, queue_key, keyed_hash_text(queue_key));
}

struct queue *
catalog_find_or_add_hashed(struct catalog *catalog, struct str queue_key, struct keyed_hash hash)
{
	struct queue *queue = catalog_find_hashed(catalog, queue_key, hash);

	if (queue != NULL)
		return queue;
	queue = queue_new(queue_key, hash);
	for (size_t i = 0; i < WALK_KINDS; i++)
		queue->walked[i] = catalog->walks[i].number;
	queue->added = true;
	catalog->key_bytes += key_bytes(queue);
	table_add(&catalog->index, hash, queue);
	catalog_touch(catalog, queue);
	return queue;
}

struct queue *
catalog_each(const struct catalog *catalog, size_t *at)
{
	return table_each(&catalog->index, at);
}

struct lease *
catalog_lease(const struct catalog *catalog, int64_t id)
{
	struct lease *lease = leases_find(&catalog->leases, id);

	return lease != NULL && lease->live > 0 ? lease : NULL;
}

void
catalog_load_event(struct catalog *catalog, struct queue *queue, const struct system_event *event,
		   uint64_t text_hash, uint32_t tag)
{
	catalog->entry_bytes += queue_push(queue, event, text_hash, tag);
	if (tags_get(&catalog->tags, tag)->context_key.len > 0)
		queue->keyed_max = event->id;
	matches_appended(&catalog->matches, &catalog->tags, queue);
	catalog_count_in(catalog, queue);
}

void
catalog_load_kept_last(struct catalog *catalog, struct queue *queue, uint32_t tag)
{
	tags_release(&catalog->tags, queue->last_tag);
	queue->last_tag = tag;
	queue->last_kept = true;
}

/* --- walks --- */

void
catalog_walk_begin(struct catalog *catalog, enum walk_kind kind)
{
	struct catalog_walk *walk = &catalog->walks[kind];

	*walk = (struct catalog_walk){ walk->number + 1, catalog->index.count, 0 };
}

/*
 * A change of the index between two calls may move a queue to a slot that the walk has passed. So
 * the walk goes round until no queue is left, instead of trusting that one round has met them all.
 */
struct queue *
catalog_walk_next(struct catalog *catalog, enum walk_kind kind)
{
	struct catalog_walk *walk = &catalog->walks[kind];

	for (size_t looks = 0; walk->left > 0 && looks < WALK_LOOKS_MAX; looks++) {
		struct queue *queue = table_each(&catalog->index, &walk->at);

		if (queue == NULL) {
			walk->at = 0;
		} else if (queue->walked[kind] != walk->number) {
			queue->walked[kind] = walk->number;
			walk->left--;
			return queue;
		}
	}
	return NULL;
}

/* --- stranded queues --- */

static struct strand *
copy_strand(const struct strand *strand)
{
	struct strand *copy = mem_alloc(sizeof(*copy) + strand->to.len);

	*copy = *strand;
	if (strand->to.s != NULL)
		copy->to.s = memcpy(copy + 1, strand->to.s, strand->to.len);
	return copy;
}

/* Counts the queue, with all its events, among the stranded ones, or (by -1) no longer. */
static void
count_stranded(struct catalog *catalog, const struct queue *queue, int by)
{
	if (queue->strand == NULL)
		return;
	catalog->stranded_sessions += (size_t)(queue->depth > 0 ? by : 0);
	catalog->stranded_events += (size_t)by * queue->depth;
}

void
catalog_set_strand(struct catalog *catalog, struct queue *queue, const struct strand *strand)
{
	bool was = queue->strand != NULL;

	count_stranded(catalog, queue, -1);
	catalog->key_bytes -= key_bytes(queue);
	free(queue->strand);
	if (strand != NULL && !was)
		key_order_add(&catalog->stranded, &queue->session.key);
	else if (strand == NULL && was)
		key_order_remove(&catalog->stranded, &queue->session.key);
	queue->strand = strand != NULL ? copy_strand(strand) : NULL;
	catalog->key_bytes += key_bytes(queue);
	count_stranded(catalog, queue, 1);
}

struct queue *
catalog_next_stranded(const struct catalog *catalog, struct str after)
{
	const struct str *key = key_order_next(&catalog->stranded, after);

	return key != NULL
		   ? (struct queue *)((char *)(uintptr_t)key - offsetof(struct queue, session.key))
		   : NULL;
}

/* --- the batch under way --- */

void
catalog_touch(struct catalog *catalog, struct queue *queue)
{
	if (queue->touched)
		return;
	queue->touched = true;
	catalog->touched = mem_grow(catalog->touched, &catalog->touched_cap,
				    catalog->touched_count + 1, sizeof(*catalog->touched));
	catalog->touched[catalog->touched_count++] = queue;
}

static void
drop_queue(struct catalog *catalog, struct queue *queue)
{
	tags_release(&catalog->tags, queue->last_tag);
	for (size_t i = 0; i < WALK_KINDS; i++)
		catalog->walks[i].left -= queue->walked[i] != catalog->walks[i].number;
	table_remove(&catalog->index, queue->hash, queue);
	free_queue(catalog, queue);
}

void
catalog_tidy(struct catalog *catalog)
{
	for (size_t i = 0; i < catalog->touched_count; i++) {
		struct queue *queue = catalog->touched[i];

		queue->touched = queue->added = queue->last_kept_changed = false;
		if (queue->depth > 0) {
			catalog->entry_bytes -= queue_compact(queue);
			matches_tidy(&catalog->matches, &catalog->tags, queue);
		} else
			drop_queue(catalog, queue);
	}
	catalog->touched_count = 0;
}
