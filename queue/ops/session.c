/* session.c - one walk over the entries of a session's queue. */
#include "queue/ops/session.h"

#include <stdlib.h>

#include "queue/ready.h"
#include "schema/session_key.h"

static int
by_key(const void *a, const void *b)
{
	return str_cmp(((const struct rekeyed_from *)a)->key,
		       ((const struct rekeyed_from *)b)->key);
}

static int
by_count(const void *a, const void *b)
{
	const struct rekeyed_from *x = a, *y = b;

	return x->count != y->count ? (x->count < y->count) - (x->count > y->count) : by_key(a, b);
}

/* Adds up the counts of equal keys, and sorts the most frequent first; answers how many remain. */
static size_t
tally(struct rekeyed_from *from, size_t count)
{
	size_t distinct = 0;

	if (count == 0)
		return 0;
	qsort(from, count, sizeof(*from), by_key);
	for (size_t i = 0; i < count; i++) {
		if (distinct > 0 && str_eq(from[distinct - 1].key, from[i].key))
			from[distinct - 1].count += from[i].count;
		else
			from[distinct++] = from[i];
	}
	qsort(from, distinct, sizeof(*from), by_count);
	return distinct;
}

/* The oldest of the newest entries that may be looked at. */
static const struct entry *
first_described(const struct tags *tags, const struct queue *queue)
{
	const struct entry *first = queue_first(queue, 0);
	uint32_t before = 0;
	size_t steps = 0;

	if (queue->depth <= SESSION_STEPS_MAX / (SESSION_FROM_STEPS + 1))
		return first;
	for (size_t i = queue->tail; i > queue->head && steps < SESSION_STEPS_MAX; i--) {
		const struct entry *entry = &queue->entries[i - 1];

		steps++;
		if ((entry->flags & ENTRY_GONE) != 0)
			continue;
		if (entry->tag != before && tags_get(tags, entry->tag)->original_key.len > 0)
			steps += SESSION_FROM_STEPS;
		before = entry->tag;
		first = entry;
	}
	return first;
}

/*
 * Reads the entries once: merges their delivery contexts, and counts the keys that events were
 * re-keyed from. Consecutive entries of one tag are merged once. Returns how many keys were sorted.
 */
static size_t
walk(const struct tags *tags, const struct queue *queue, struct arena *arena, struct session *ret)
{
	struct rekeyed_from *from = NULL;
	size_t count = 0, cap = 0;
	const struct tag *tag, *before = NULL;

	const struct entry *first = first_described(tags, queue);

	ret->rekeyed_from_more = first != queue_first(queue, 0);
	for (const struct entry *e = first; e != NULL; e = queue_next(queue, e), before = tag) {
		tag = tags_get(tags, e->tag);
		if (tag != before && !delivery_none(&tag->delivery)) {
			struct delivery older = ret->delivery;

			delivery_merge(&older, &tag->delivery, &ret->delivery);
		}
		if (tag->original_key.len == 0)
			continue;
		if (tag != before) {
			from = mem_grow(from, &cap, count + 1, sizeof(*from));
			from[count++] = (struct rekeyed_from){ tag->original_key, 0 };
		}
		from[count - 1].count++;
	}
	ret->rekeyed_from_count = tally(from, count);
	struct rekeyed_from *copy =
	    arena_alloc(arena, (ret->rekeyed_from_count + 1) * sizeof(*copy));
	for (size_t i = 0; i < ret->rekeyed_from_count; i++)
		copy[i] = (struct rekeyed_from){ arena_dup(arena, from[i].key), from[i].count };
	ret->rekeyed_from = copy;
	free(from);
	return count;
}

size_t
session_describe(const struct plan *plan, const struct queue *queue, struct arena *arena,
		 struct session *ret)
{
	const struct tags *tags = &plan->state->catalog.tags;
	struct delivery *d = &ret->delivery;

	size_t keys = walk(tags, queue, arena, ret);
	ret->session_key = arena_dup(arena, queue->session.key);
	ret->agent_id = session_key_agent(ret->session_key);
	ret->depth = queue->depth;
	ret->ready = queue_deliverable(queue);
	ret->ready_since_ts_ms = queue->ready_ts_ms;
	ret->problems = ready_problems(plan->state, queue);
	ret->dead_letters =
	    dead_letters_count(&plan->state->catalog.dead, queue->session.key, queue->hash);
	if (queue->strand != NULL)
		ret->routes_to = arena_dup(arena, queue->strand->to);
	ret->leased = queue->leased;
	ret->delayed = queue->delayed;
	ret->waiters = plan_waiters(plan, queue->session.key);
	ret->oldest_ts_ms = queue_first(queue, 0)->ts_ms;
	ret->newest_ts_ms = queue_newest(queue)->ts_ms;
	ret->last_context_key = arena_dup(arena, tags_get(tags, queue->last_tag)->context_key);
	d->channel = arena_dup(arena, d->channel);
	d->to = arena_dup(arena, d->to);
	d->account_id = arena_dup(arena, d->account_id);
	d->thread_id = arena_dup(arena, d->thread_id);
	size_t steps = queue->depth + SESSION_FROM_STEPS * keys;
	return steps < SESSION_STEPS_MAX ? steps : SESSION_STEPS_MAX;
}

void
session_describe_dead(const struct plan *plan, struct str key, struct arena *arena,
		      struct session *ret)
{
	*ret = (struct session){
		.session_key = arena_dup(arena, key),
		.waiters = plan_waiters(plan, key),
		.dead_letters =
		    dead_letters_count(&plan->state->catalog.dead, key, keyed_hash_text(key)),
	};
	ret->agent_id = session_key_agent(ret->session_key);
	if (ret->dead_letters > 0)
		ret->problems = SESSION_PROBLEM(PROBLEM_DEAD);
}
