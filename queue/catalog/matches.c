/*
 * matches.c - two tables, each of which has one event of a ring; the others hang on it. So adding
 * and removing an event takes a few steps, however many match it.
 *
 * Most queues are short, and walking one costs less than looking into the index, which takes memory
 * for each event besides. So a queue is indexed only while its array is long.
 */
#include "queue/catalog/matches.h"

#include <assert.h>
#include <stdlib.h>

#include "schema/mem.h"

enum { BY_MATCH, BY_TEXT, RINGS };

/* An event in both of its rings. The one before the first is the last. */
struct match {
	int64_t id;
	const struct queue *queue;
	uint64_t text_hash;
	uint32_t number; /* of the match */
	struct {
		struct match *before, *after;
		bool first; /* in the table */
	} ring[RINGS];
};

/* What is looked for, with its hash in each table. */
struct match_key {
	const struct queue *queue;
	uint32_t number;
	uint64_t text_hash;
	struct keyed_hash hash[RINGS];
};

static struct match_key
key_of(const struct queue *queue, uint32_t number, uint64_t text_hash)
{
	struct match_key key = { .queue = queue, .number = number, .text_hash = text_hash };

	key.hash[BY_MATCH] = keyed_hash_more(queue->hash, number);
	key.hash[BY_TEXT] = keyed_hash_more(key.hash[BY_MATCH], text_hash);
	return key;
}

static bool
same_match(const void *item, const void *want)
{
	const struct match *match = item;
	const struct match_key *key = want;

	return match->queue == key->queue && match->number == key->number;
}

static bool
same_text(const void *item, const void *want)
{
	const struct match *match = item;
	const struct match_key *key = want;

	return same_match(item, want) && match->text_hash == key->text_hash;
}

static bool
same_id(const void *item, const void *id)
{
	return ((const struct match *)item)->id == *(const int64_t *)id;
}

static struct match *
first_match(const struct matches *matches, const struct match_key *key)
{
	return table_find(&matches->by_match, key->hash[BY_MATCH], same_match, key);
}

static struct match *
first_text(const struct matches *matches, const struct match_key *key)
{
	return table_find(&matches->by_text, key->hash[BY_TEXT], same_text, key);
}

/* Adds the event to a ring, behind the last; first NULL: it begins the ring. */
static void
enter(struct table *firsts, int ring, struct keyed_hash hash, struct match *first,
      struct match *match)
{
	match->ring[ring].first = first == NULL;
	if (first == NULL) {
		table_add(firsts, hash, match);
		first = match->ring[ring].before = match;
	}
	match->ring[ring].after = first;
	match->ring[ring].before = first->ring[ring].before;
	match->ring[ring].before->ring[ring].after = match;
	first->ring[ring].before = match;
}

static void
leave(struct table *firsts, int ring, struct keyed_hash hash, struct match *match)
{
	struct match *next = match->ring[ring].after;

	match->ring[ring].before->ring[ring].after = next;
	next->ring[ring].before = match->ring[ring].before;
	if (!match->ring[ring].first)
		return;
	table_remove(firsts, hash, match);
	if (next == match)
		return;
	next->ring[ring].first = true;
	table_add(firsts, hash, next);
}

static void
add(struct matches *matches, const struct queue *queue, uint32_t match, const struct entry *entry)
{
	struct match_key key = key_of(queue, match, entry->text_hash);
	struct match *new = mem_alloc(sizeof(*new));

	new->id = entry->id;
	new->queue = queue;
	new->number = match;
	new->text_hash = entry->text_hash;
	table_add(&matches->by_id, keyed_hash_id(new->id), new);
	enter(&matches->by_match, BY_MATCH, key.hash[BY_MATCH], first_match(matches, &key), new);
	enter(&matches->by_text, BY_TEXT, key.hash[BY_TEXT], first_text(matches, &key), new);
}

static void
drop(struct matches *matches, int64_t id)
{
	struct match *old = table_find(&matches->by_id, keyed_hash_id(id), same_id, &id);
	assert(old != NULL);
	struct match_key key = key_of(old->queue, old->number, old->text_hash);

	leave(&matches->by_match, BY_MATCH, key.hash[BY_MATCH], old);
	leave(&matches->by_text, BY_TEXT, key.hash[BY_TEXT], old);
	table_remove(&matches->by_id, keyed_hash_id(id), old);
	free(old);
}

void
matches_clear(struct matches *matches)
{
	struct match *match;

	for (size_t at = 0; (match = table_each(&matches->by_id, &at)) != NULL;)
		free(match);
	table_clear(&matches->by_id);
	table_clear(&matches->by_match);
	table_clear(&matches->by_text);
}

size_t
matches_bytes(const struct matches *matches)
{
	return matches->by_id.count * sizeof(struct match) + table_bytes(&matches->by_id) +
	       table_bytes(&matches->by_match) + table_bytes(&matches->by_text);
}

/* --- what is indexed --- */

static bool
belongs(const struct tags *tags, const struct queue *queue, const struct entry *entry)
{
	return queue->indexed && (entry->flags & (ENTRY_GONE | ENTRY_LEASED)) == 0 &&
	       tags_get(tags, entry->tag)->context_key.len > 0;
}

void
matches_leave(struct matches *matches, const struct tags *tags, const struct queue *queue,
	      const struct entry *entry)
{
	if (belongs(tags, queue, entry))
		drop(matches, entry->id);
}

void
matches_enter(struct matches *matches, const struct tags *tags, const struct queue *queue,
	      const struct entry *entry)
{
	if (belongs(tags, queue, entry))
		add(matches, queue, tags_get(tags, entry->tag)->match, entry);
}

/* With these entries the queue may be long enough to be indexed. */
void
matches_merged(struct matches *matches, const struct tags *tags, struct queue *queue,
	       const struct entry *entries, size_t count)
{
	for (size_t i = 0; queue->indexed && i < count; i++)
		matches_enter(matches, tags, queue, &entries[i]);
	if (queue->indexed)
		return;
	queue->indexed = queue->tail - queue->head > matches->walk_max;
	for (size_t i = queue->head; queue->indexed && i < queue->tail; i++)
		matches_enter(matches, tags, queue, &queue->entries[i]);
}

void
matches_appended(struct matches *matches, const struct tags *tags, struct queue *queue)
{
	matches_merged(matches, tags, queue, &queue->entries[queue->tail - 1], 1);
}

void
matches_tidy(struct matches *matches, const struct tags *tags, struct queue *queue)
{
	if (!queue->indexed || queue->tail - queue->head > matches->walk_max / 2)
		return;
	for (size_t i = queue->head; i < queue->tail; i++)
		matches_leave(matches, tags, queue, &queue->entries[i]);
	queue->indexed = false;
}

/* --- finding --- */

/* Walks a short queue; text_hash NULL: any. */
static size_t
walk(const struct tags *tags, const struct queue *queue, uint32_t match, const uint64_t *text_hash,
     int64_t *ids)
{
	size_t count = 0;

	for (const struct entry *e = queue_first(queue, 0); e != NULL; e = queue_next(queue, e)) {
		if (tags_get(tags, e->tag)->match != match || (e->flags & ENTRY_LEASED) ||
		    (text_hash != NULL && e->text_hash != *text_hash))
			continue;
		if (ids != NULL)
			ids[count] = e->id;
		count++;
	}
	return count;
}

/* The events of a ring from the last to the first, or the `most` last ones. */
static size_t
list(const struct match *first, int ring, int64_t *ids, size_t most)
{
	const struct match *at = first;
	size_t count = 0;

	while (at != NULL && count < most) {
		at = at->ring[ring].before;
		if (ids != NULL)
			ids[count] = at->id;
		count++;
		at = at != first ? at : NULL;
	}
	return count;
}

size_t
matches_find(const struct matches *matches, const struct tags *tags, const struct queue *queue,
	     uint32_t tag, int64_t *ids, size_t *walked)
{
	uint32_t match = tags_get(tags, tag)->match;

	if (!queue->indexed) {
		*walked += queue->tail - queue->head;
		return walk(tags, queue, match, NULL, ids);
	}
	struct match_key key = key_of(queue, match, 0);
	size_t count = list(first_match(matches, &key), BY_MATCH, ids, SIZE_MAX);
	*walked += count;
	return count;
}

size_t
matches_find_twins(const struct matches *matches, const struct tags *tags,
		   const struct queue *queue, uint32_t tag, uint64_t text_hash,
		   int64_t ids[MATCHES_TWINS_MAX], size_t *walked)
{
	uint32_t match = tags_get(tags, tag)->match;

	if (!queue->indexed) {
		*walked += queue->tail - queue->head;
		return walk(tags, queue, match, &text_hash, ids);
	}
	struct match_key key = key_of(queue, match, text_hash);
	size_t count = list(first_text(matches, &key), BY_TEXT, ids, MATCHES_TWINS_MAX);
	*walked += count;
	return count;
}
