/*
 * askers.c - a table of askers, a list of them in the order in which they asked last, and lists by
 * their queue.
 *
 * The oldest makes room for a new one. One whose calls wait never does.
 */
#include "server/calls/askers.h"

#include <stdlib.h>
#include <sys/queue.h>

#include "queue/catalog/table.h"
#include "queue/clock.h"

#define QUEUE_LISTS 1024 /* a queue is in one of them, by its hash */

/* An asker, with its places. */
struct kept {
	struct asker asker;
	struct keyed_hash hash, queue_hash;
	TAILQ_ENTRY(kept) link;
	LIST_ENTRY(kept) queue_link;
	char texts[];
};

TAILQ_HEAD(kept_list, kept);
LIST_HEAD(queue_list, kept);

struct askers {
	struct table table;
	struct kept_list kept; /* those that asked last first */
	struct queue_list by_queue[QUEUE_LISTS];
};

struct askers *
askers_new(void)
{
	struct askers *askers = mem_alloc(sizeof(*askers));

	TAILQ_INIT(&askers->kept);
	return askers;
}

static size_t
list_of(struct keyed_hash queue_hash)
{
	return queue_hash.bits % QUEUE_LISTS;
}

static void
forget(struct askers *askers, struct kept *kept)
{
	table_remove(&askers->table, kept->hash, kept);
	TAILQ_REMOVE(&askers->kept, kept, link);
	LIST_REMOVE(kept, queue_link);
	free(kept);
}

void
askers_free(struct askers *askers)
{
	struct kept *kept;

	if (askers == NULL)
		return;
	while ((kept = TAILQ_FIRST(&askers->kept)) != NULL)
		forget(askers, kept);
	table_clear(&askers->table);
	free(askers);
}

struct str
asked_key(const struct address *address)
{
	return address->session_key.s != NULL ? address->session_key : address->agent_id;
}

static bool
same(const void *item, const void *key)
{
	const struct asked *a = &((const struct kept *)item)->asker.asked, *b = key;

	return a->kind == b->kind && a->rule == b->rule && str_eq(a->key, b->key) &&
	       str_eq(a->queue_key, b->queue_key) && str_eq(a->consumer, b->consumer) &&
	       (a->consumer.s == NULL) == (b->consumer.s == NULL) && str_eq(a->token, b->token);
}

static struct keyed_hash
hash_of(const struct asked *asked)
{
	struct keyed_hash hash =
	    keyed_hash_more(keyed_hash_text(asked->key), (uint64_t)asked->kind);

	hash = keyed_hash_more(hash, keyed_hash_text(asked->queue_key).bits);
	if (asked->token.s != NULL)
		hash = keyed_hash_more(hash, keyed_hash_text(asked->token).bits);
	return asked->consumer.s != NULL
		   ? keyed_hash_more(hash, keyed_hash_text(asked->consumer).bits)
		   : hash;
}

/* Copies the text to *end, behind which the next one goes. */
static struct str
keep_text(char **end, struct str text)
{
	char *at = *end;

	if (text.s == NULL)
		return STR_NULL;
	if (text.len > 0)
		memcpy(at, text.s, text.len);
	*end += text.len;
	return (struct str){ at, text.len };
}

static struct kept *
keep(struct askers *askers, const struct asked *asked, struct keyed_hash hash)
{
	struct kept *kept = mem_alloc(sizeof(*kept) + asked->key.len + asked->queue_key.len +
				      asked->consumer.len + asked->token.len + 1);
	char *end = kept->texts;

	kept->asker.asked = (struct asked){ .kind = asked->kind,
					    .rule = asked->rule,
					    .key = keep_text(&end, asked->key),
					    .queue_key = keep_text(&end, asked->queue_key),
					    .consumer = keep_text(&end, asked->consumer),
					    .token = keep_text(&end, asked->token) };
	kept->hash = hash;
	kept->queue_hash = keyed_hash_text(asked->queue_key);
	table_add(&askers->table, hash, kept);
	TAILQ_INSERT_HEAD(&askers->kept, kept, link);
	LIST_INSERT_HEAD(&askers->by_queue[list_of(kept->queue_hash)], kept, queue_link);
	return kept;
}

/* Makes room for one more. False: all wait. */
static bool
make_room(struct askers *askers)
{
	struct kept *oldest = TAILQ_LAST(&askers->kept, kept_list);

	if (askers->table.count < ASKERS_MAX)
		return true;
	while (oldest != NULL && oldest->asker.waiting > 0)
		oldest = TAILQ_PREV(oldest, kept_list, link);
	if (oldest != NULL)
		forget(askers, oldest);
	return oldest != NULL;
}

/* The asker, which has asked now. NULL: there is no room for it. */
static struct asker *
find(struct askers *askers, const struct asked *asked)
{
	struct keyed_hash hash = hash_of(asked);
	struct kept *kept = table_find(&askers->table, hash, same, asked);

	if (kept != NULL) {
		TAILQ_REMOVE(&askers->kept, kept, link);
		TAILQ_INSERT_HEAD(&askers->kept, kept, link);
	} else if (make_room(askers))
		kept = keep(askers, asked, hash);
	else
		return NULL;
	kept->asker.last_ts_ms = clock_now().wall_ms;
	return &kept->asker;
}

void
askers_note(struct askers *askers, const struct asked *asked, size_t taken)
{
	struct asker *asker = find(askers, asked);

	if (asker == NULL || taken == 0)
		return;
	asker->taken += taken;
	asker->taken_ts_ms = asker->last_ts_ms;
}

struct asker *
askers_begin_wait(struct askers *askers, const struct asked *asked)
{
	struct asker *asker = find(askers, asked);

	if (asker != NULL)
		asker->waiting++;
	return asker;
}

void
asker_end_wait(struct asker *asker)
{
	if (asker != NULL)
		asker->waiting--;
}

const struct asker *
askers_next(const struct askers *askers, const struct asker *asker)
{
	const struct kept *kept = asker == NULL
				      ? TAILQ_FIRST(&askers->kept)
				      : TAILQ_NEXT((const struct kept *)(const void *)asker, link);

	return kept != NULL ? &kept->asker : NULL;
}

const struct asker *
askers_last_taker(const struct askers *askers, struct str queue_key)
{
	struct keyed_hash hash = keyed_hash_text(queue_key);
	const struct asker *last = NULL;
	const struct kept *kept;

	LIST_FOREACH(kept, &askers->by_queue[list_of(hash)], queue_link)
	{
		const struct asker *asker = &kept->asker;

		if (keyed_hash_eq(kept->queue_hash, hash) && asker->taken > 0 &&
		    str_eq(asker->asked.queue_key, queue_key) &&
		    (last == NULL || asker->taken_ts_ms > last->taken_ts_ms))
			last = asker;
	}
	return last;
}
