/* waiting.c - a list of waiting ops for each queue key. */
#include "queue/waiting.h"

#include <assert.h>
#include <stdlib.h>

/* The ops that wait at one key, oldest first, linked by op->next and op->previous. */
struct waiters {
	struct str key; /* behind the struct */
	struct keyed_hash hash;
	struct op *first, *last;
	size_t count;
};

static bool
same(const void *item, const void *key)
{
	return str_eq(((const struct waiters *)item)->key, *(const struct str *)key);
}

static struct waiters *
find(const struct waiting *waiting, struct str key)
{
	return waiting->count > 0 ? table_find(&waiting->by_key, keyed_hash_text(key), same, &key)
				  : NULL;
}

static struct waiters *
make(struct waiting *waiting, struct str key)
{
	struct waiters *waiters = mem_alloc(sizeof(*waiters) + key.len);

	waiters->key = (struct str){ memcpy(waiters + 1, key.s, key.len), key.len };
	waiters->hash = keyed_hash_text(key);
	table_add(&waiting->by_key, waiters->hash, waiters);
	return waiters;
}

void
waiting_add(struct waiting *waiting, struct op *op)
{
	struct waiters *waiters = find(waiting, op->queue_key);

	if (waiters == NULL)
		waiters = make(waiting, op->queue_key);
	op->next = NULL;
	op->previous = waiters->last;
	*(waiters->last != NULL ? &waiters->last->next : &waiters->first) = op;
	waiters->last = op;
	op->parked = true;
	waiters->count++;
	waiting->count++;
}

void
waiting_remove(struct waiting *waiting, struct op *op)
{
	struct waiters *waiters = find(waiting, op->queue_key);

	assert(op->parked && waiters != NULL);
	*(op->previous != NULL ? &op->previous->next : &waiters->first) = op->next;
	*(op->next != NULL ? &op->next->previous : &waiters->last) = op->previous;
	op->parked = false;
	waiting->count--;
	if (--waiters->count == 0) {
		table_remove(&waiting->by_key, waiters->hash, waiters);
		free(waiters);
	}
}

struct op *
waiting_take(struct waiting *waiting, struct str queue_key)
{
	size_t at = 0;
	struct waiters *waiters =
	    queue_key.s != NULL ? find(waiting, queue_key) : table_each(&waiting->by_key, &at);
	struct op *op = waiters != NULL ? waiters->first : NULL;

	if (op != NULL)
		waiting_remove(waiting, op);
	return op;
}

size_t
waiting_count_hashed(const struct waiting *waiting, struct str queue_key, struct keyed_hash hash)
{
	const struct waiters *waiters =
	    waiting->count > 0 ? table_find(&waiting->by_key, hash, same, &queue_key) : NULL;

	return waiters != NULL ? waiters->count : 0;
}

size_t
waiting_count(const struct waiting *waiting, struct str queue_key)
{
	return waiting->count > 0
		   ? waiting_count_hashed(waiting, queue_key, keyed_hash_text(queue_key))
		   : 0;
}

void
waiting_clear(struct waiting *waiting)
{
	struct waiters *waiters;

	for (size_t at = 0; (waiters = table_each(&waiting->by_key, &at)) != NULL;)
		free(waiters);
	table_clear(&waiting->by_key);
	waiting->count = 0;
}
