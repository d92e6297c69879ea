/*
 * catalog_test.c - the catalog's queues and its journal: a batch is either committed or rolled back
 * without a trace.
 *
 * The last test runs thousands of random batches, with rollbacks to marks of every depth, beside a
 * model that copies itself at every mark and rolls back by dropping the copy.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "queue/catalog/move.h"
#include "schema/mem.h"

static struct catalog catalog;
static int64_t next_id;

static int
begin(void **state)
{
	(void)state;
	catalog_init(&catalog);
	next_id = 1;
	return 0;
}

static int
end(void **state)
{
	(void)state;
	catalog_clear(&catalog);
	return 0;
}

static struct queue *
find(const char *key)
{
	return catalog_find(&catalog, str_of(key));
}

/* Appends an event with this context key (NULL: none), as an enqueue does; answers its id. */
static int64_t
append(const char *key, const char *context_key)
{
	struct queue *queue = catalog_find_or_add(&catalog, str_of(key));
	struct delivery nowhere = { 0 };
	uint32_t tag = tags_intern(&catalog.tags, str_of(context_key), STR_NULL, &nowhere);

	journal_append(&catalog, queue,
		       &(struct system_event){ .id = next_id, .ts_ms = next_id * 10 }, 0, tag);
	if (context_key != NULL)
		journal_set_last(&catalog, queue, tag);
	return next_id++;
}

static void
take(const char *key, int64_t id)
{
	struct queue *queue = find(key);

	journal_remove(&catalog, queue, queue_entry(queue, id));
	journal_refresh_last(&catalog, queue);
}

/* Not inlined: gcc 12 at -O3 warns that memcmp could read a NULL text. */
__attribute__((noinline)) static void
assert_last(const char *key, const char *context_key)
{
	assert_true(
	    str_eq(tags_get(&catalog.tags, find(key)->last_tag)->context_key, str_of(context_key)));
}

static void
assert_ids(const char *key, const int64_t *ids, size_t count)
{
	const struct queue *queue = find(key);
	const struct entry *e = queue_first(queue, 0);

	assert_int_equal(queue->depth, count);
	for (size_t i = 0; i < count; i++, e = queue_next(queue, e))
		assert_int_equal(e->id, ids[i]);
	assert_null(e);
}

static void
assert_is_empty(void)
{
	assert_int_equal(catalog.pending, 0);
	assert_int_equal(catalog.sessions, 0);
	assert_int_equal(catalog.index.count, 0);
	assert_int_equal(catalog.entry_bytes, 0);
	assert_int_equal(catalog.key_bytes, 0);
	assert_int_equal(catalog.tags.bytes, 0);
	assert_int_equal(catalog.tags.index.count, 0);
	assert_int_equal(catalog.leases.by_id.count, 0);
	assert_int_equal(catalog.leases.lease_bytes, 0);
	assert_int_equal(catalog.leases.extras.count, 0);
	assert_int_equal(catalog.moved.by_id.count, 0);
	assert_int_equal(catalog.matches.by_id.count, 0);
}

static void
committed_events_are_in_order(void **state)
{
	(void)state;
	append("a", NULL), append("b", NULL), append("a", "k");
	journal_commit(&catalog);
	assert_ids("a", (int64_t[]){ 1, 3 }, 2);
	assert_ids("b", (int64_t[]){ 2 }, 1);
	assert_int_equal(catalog.pending, 3);
	assert_int_equal(catalog.sessions, 2);
	assert_null(find("c"));
}

static void
a_batch_sees_its_own_changes(void **state)
{
	(void)state;
	append("a", NULL), append("a", NULL);
	take("a", 1);
	assert_ids("a", (int64_t[]){ 2 }, 1);
	assert_null(queue_entry(find("a"), 1));
	assert_int_equal(queue_newest(find("a"))->id, 2);
	take("a", 2);
	assert_null(queue_newest(find("a")));
	assert_null(queue_first(find("a"), 0));
	assert_int_equal(catalog.sessions, 0);
	journal_commit(&catalog);
	assert_is_empty();
}

static void
first_finds_the_event_after_an_id(void **state)
{
	(void)state;
	for (int i = 0; i < 5; i++)
		append("a", NULL);
	take("a", 3);
	assert_int_equal(queue_first(find("a"), 1)->id, 2);
	assert_int_equal(queue_first(find("a"), 2)->id, 4);
	assert_int_equal(queue_first(find("a"), 3)->id, 4);
	assert_null(queue_first(find("a"), 5));
	assert_null(queue_first(find("a"), INT64_MAX - 1));
}

static void
a_full_rollback_leaves_nothing(void **state)
{
	(void)state;
	append("a", "k"), append("b", "k");
	take("b", 2);
	journal_rollback(&catalog, 0);
	assert_is_empty();
}

static void
a_rollback_restores_removed_events(void **state)
{
	(void)state;
	append("a", "x"), append("a", "y"), append("a", NULL);
	journal_commit(&catalog);
	take("a", 2), take("a", 1), take("a", 3);
	assert_last("a", NULL);
	journal_rollback(&catalog, 0);
	assert_ids("a", (int64_t[]){ 1, 2, 3 }, 3);
	assert_last("a", "y");
	assert_int_equal(catalog.pending, 3);
}

static void
a_rollback_to_a_mark_keeps_earlier_changes(void **state)
{
	(void)state;
	append("a", "x");
	size_t mark = journal_mark(&catalog);
	append("a", "y"), append("b", NULL);
	take("a", 1);
	journal_rollback(&catalog, mark);
	assert_ids("a", (int64_t[]){ 1 }, 1);
	assert_last("a", "x");
	/* an empty queue is not counted as a session, not even during the batch */
	assert_int_equal(catalog.sessions, 1);
	journal_commit(&catalog);
	assert_null(find("b"));
	assert_ids("a", (int64_t[]){ 1 }, 1);
}

static void
an_event_without_a_key_leaves_the_last_context_alone(void **state)
{
	(void)state;
	append("a", "x"), append("a", NULL);
	assert_last("a", "x");
	journal_commit(&catalog);
	take("a", 2);
	assert_last("a", "x");
}

/* Eviction does not recompute the last context, the next removal does (ROUTING section 7). */
static void
a_last_context_may_outlive_its_event(void **state)
{
	(void)state;
	append("a", "x"), append("a", NULL), append("a", NULL);
	journal_commit(&catalog);
	journal_remove(&catalog, find("a"), queue_entry(find("a"), 1));
	journal_commit(&catalog);
	assert_last("a", "x");
	take("a", 2);
	journal_commit(&catalog);
	assert_last("a", NULL);
	assert_int_equal(catalog.tags.bytes, 0);
}

/* A pending event takes 48 bytes besides its session (tests/bench/RESULTS.md). */
static void
a_pending_event_takes_its_entry_and_little_more(void **state)
{
	(void)state;
	for (size_t count = 1; count <= 10000; count++) {
		append("a", NULL);
		journal_commit(&catalog);
		assert_true(catalog.entry_bytes <= count * 40 + sizeof(struct entry));
	}
}

static void
a_queue_that_shrinks_frees_memory(void **state)
{
	(void)state;
	for (int i = 0; i < 1000; i++)
		append("a", NULL);
	journal_commit(&catalog);
	size_t full = catalog.entry_bytes;
	for (int64_t id = 1; id < 1000; id++) {
		take("a", id % 2 == 0 ? id : 1000 - id); /* removes from both ends and the middle */
		journal_commit(&catalog);
	}
	assert_ids("a", (int64_t[]){ 1000 }, 1);
	assert_true(catalog.entry_bytes * 10 < full);
}

/* --- random batches beside a model --- */

#define KEYS 4
#define EVENTS 64 /* the most that one model queue holds */
#define MARKS 8
#define BATCHES 6000

static const char *const keys[KEYS] = { "a", "b", "c", "d" };
static const char *const contexts[] = { NULL, NULL, "k", "l", "m" };
/* Behind the first four the keys, of events that were moved. */
static const char *const originals[] = { NULL, NULL, "agent:x:1", "agent:x:2", "a", "b", "c", "d" };

struct model_event {
	int64_t id;
	int context, original;
	bool thread, number; /* the delivery context has a thread; the thread is a number */
	bool delayed, mortal, moved;
	int attempts;
	int64_t lease; /* 0: none */
};

struct model {
	struct model_queue {
		struct model_event events[EVENTS];
		size_t depth;
		int last; /* index into contexts; 0: none */
	} queues[KEYS];
};

#define LEASE_EVENTS 3

static struct model model, marked[MARKS];
static size_t marks[MARKS], mark_count;
/* ids are never used again, not even those of a batch that was rolled back */
static int64_t next_lease;

static size_t
below(size_t n)
{
	return (size_t)random() % n;
}

static uint32_t
intern(const struct model_event *e)
{
	struct delivery delivery = { .thread_id = e->thread ? STR("7") : STR_NULL,
				     .thread_is_number = e->number };

	return tags_intern(&catalog.tags, str_of(contexts[e->context]),
			   str_of(originals[e->original]), &delivery);
}

static void
append_somewhere(void)
{
	size_t at = below(KEYS);
	struct model_queue *q = &model.queues[at];

	if (q->depth == EVENTS)
		return;
	struct model_event e = { .id = next_id++,
				 .context = (int)below(5),
				 .original = (int)below(4),
				 .thread = below(2) == 0 };
	e.number = e.thread && below(2) == 0;
	struct queue *queue = catalog_find_or_add(&catalog, str_of(keys[at]));
	uint32_t tag = intern(&e);
	enum wake wake = below(3) == 0 ? WAKE_NOW : WAKE_NEXT_HEARTBEAT;
	journal_append(&catalog, queue,
		       &(struct system_event){ .id = e.id, .ts_ms = e.id * 10, .wake = wake }, 0,
		       tag);
	q->events[q->depth++] = e;
	if (contexts[e.context] != NULL) {
		journal_set_last(&catalog, queue, tag);
		q->last = e.context;
	}
}

static void
remove_from(size_t at, size_t i)
{
	struct model_queue *q = &model.queues[at];
	struct queue *queue = find(keys[at]);

	journal_remove(&catalog, queue, queue_entry(queue, q->events[i].id));
	memmove(&q->events[i], &q->events[i + 1], (q->depth - i - 1) * sizeof(*q->events));
	q->depth--;
}

static void
refresh(size_t at)
{
	struct model_queue *q = &model.queues[at];

	q->last = 0;
	for (size_t i = 0; i < q->depth; i++)
		if (contexts[q->events[i].context] != NULL)
			q->last = q->events[i].context;
	journal_refresh_last(&catalog, find(keys[at]));
}

static void
take_somewhere(void)
{
	size_t at = below(KEYS);
	size_t depth = model.queues[at].depth, count = below(4) == 0 ? depth : below(3);

	if (depth == 0)
		return;
	for (; count > 0 && model.queues[at].depth > 0; count--)
		remove_from(at, below(model.queues[at].depth));
	if (below(4) != 0 || model.queues[at].depth == 0) /* otherwise it is an eviction */
		refresh(at);
}

/* Sets the catalog's event to the state of the model's. */
static void
set_state(size_t at, const struct model_event *e)
{
	struct queue *queue = find(keys[at]);
	struct extra extra = { .lease =
				   e->lease != 0 ? leases_find(&catalog.leases, e->lease) : NULL,
			       .lease_end_boot_ms = e->lease,
			       .available_boot_ms = e->delayed ? e->id : 0,
			       .expires_boot_ms = e->mortal ? e->id * 2 : 0 };

	assert_true(e->lease == 0 || extra.lease != NULL);
	journal_set_state(&catalog, queue, queue_entry(queue, e->id), e->attempts, &extra);
}

static size_t
count_leased(const struct model_queue *q)
{
	size_t count = 0;

	for (size_t i = 0; i < q->depth; i++)
		count += q->events[i].lease != 0;
	return count;
}

/* The name under which the lease with this id is held; every third has none. */
static struct str
consumer_of(int64_t lease)
{
	static const char *const names[] = { NULL, "a", "b" };

	return str_of(names[lease % 3]);
}

/* Leases a few events that are not leased; leases of odd id are exclusive. */
static void
lease_somewhere(void)
{
	size_t at = below(KEYS), count = 0;
	struct model_queue *q = &model.queues[at];
	struct model_event *chosen[LEASE_EVENTS];
	int64_t ids[LEASE_EVENTS];

	for (size_t i = below(3); i < q->depth && count < LEASE_EVENTS; i++) {
		if (q->events[i].lease != 0 || q->events[i].delayed)
			continue;
		chosen[count] = &q->events[i];
		ids[count++] = q->events[i].id;
	}
	if (count == 0)
		return;
	bool exclusive = count_leased(q) == 0 && below(3) == 0;
	next_lease += 1 + ((next_lease + 1) % 2 != exclusive);
	journal_add_lease(&catalog,
			  &(struct lease){ .id = next_lease,
					   .queue = find(keys[at]),
					   .exclusive = exclusive,
					   .ids = ids,
					   .count = count },
			  consumer_of(next_lease));
	for (size_t i = 0; i < count; i++) {
		chosen[i]->lease = next_lease;
		set_state(at, chosen[i]);
	}
}

static void
change_state_somewhere(void)
{
	size_t at = below(KEYS);

	if (model.queues[at].depth == 0)
		return;
	struct model_event *e = &model.queues[at].events[below(model.queues[at].depth)];
	e->mortal = below(3) == 0;
	e->attempts += (int)below(2);
	if (e->lease == 0 || below(2) == 0) {
		e->lease = 0;
		e->delayed = below(2) == 0;
	}
	set_state(at, e);
	if (below(4) == 0)
		journal_set_now(&catalog, find(keys[at]), queue_entry(find(keys[at]), e->id));
}

/* Inserts the event by its id. */
static void
insert(struct model_queue *q, const struct model_event *e)
{
	size_t at = q->depth++;

	for (; at > 0 && q->events[at - 1].id > e->id; at--)
		q->events[at] = q->events[at - 1];
	q->events[at] = *e;
}

static bool downwards; /* all moves of a batch go one way: no event comes back */

/* Moves some of the events that are not leased from one or two queues to another. */
static void
move_somewhere(void)
{
	size_t to = below(KEYS), most = below(EVENTS);
	struct model_queue *target = &model.queues[to];
	struct move move = { .to = NULL };
	bool keyed = false;

	for (size_t at = 0; at < KEYS; at++) {
		struct model_queue *q = &model.queues[at];
		bool from = downwards ? at > to : at < to;

		for (size_t i = 0; from && i < q->depth && move.count < most;) {
			struct model_event e = q->events[i];

			if (e.lease != 0 || target->depth == EVENTS) {
				i++;
				continue;
			}
			e.original = e.original < 2 ? (int)(4 + at) : e.original;
			e.original = e.original == (int)(4 + to) ? 0 : e.original;
			e.moved = true;
			keyed = keyed || contexts[e.context] != NULL;
			move.to = catalog_find_or_add(&catalog, str_of(keys[to]));
			move_take(&move, &catalog, find(keys[at]),
				  queue_entry(find(keys[at]), e.id));
			insert(target, &e);
			memmove(&q->events[i], &q->events[i + 1],
				(--q->depth - i) * sizeof(*q->events));
		}
		if (find(keys[at]) != NULL && from)
			refresh(at);
	}
	if (move.to == NULL)
		return;
	move_finish(&move, &catalog);
	for (size_t i = 0; keyed && i < target->depth; i++)
		if (contexts[target->events[i].context] != NULL)
			target->last = target->events[i].context;
}

static void
mark_or_roll_back(void)
{
	if (mark_count < MARKS && below(2) == 0) {
		marked[mark_count] = model;
		marks[mark_count++] = journal_mark(&catalog);
	} else if (mark_count > 0) {
		mark_count -= 1 + below(mark_count);
		model = marked[mark_count];
		journal_rollback(&catalog, marks[mark_count]);
	}
}

/* Places for events of all other queues, of which some may be moved; the work may stop anywhere. */
static void
keep_places_somewhere(void)
{
	enum { RECENT = 200 };
	static int64_t ids[RECENT];
	static struct places places;
	static size_t to;
	size_t shifted = 0;

	if (places.left == 0) {
		to = below(KEYS);
		places = (struct places){ .ids = ids };
		for (int64_t id = next_id > RECENT ? next_id - RECENT : 1; id < next_id; id++)
			for (size_t at = 0; at < KEYS; at++)
				if (at != to && find(keys[at]) != NULL &&
				    queue_entry(find(keys[at]), id) != NULL)
					ids[places.left++] = id;
	}
	struct queue *queue = find(keys[to]);
	size_t most = below(10);
	if (queue == NULL)
		places.left = 0;
	else if (places.left > 0)
		catalog.entry_bytes += queue_keep_places(queue, &places, most, &shifted);
	assert_true(shifted <= most);
}

static void
run_batch(void)
{
	struct model before = model;

	keep_places_somewhere();
	mark_count = 0;
	downwards = below(2) == 0;
	for (size_t steps = below(40); steps > 0; steps--) {
		size_t what = below(16);

		if (what < 6)
			append_somewhere();
		else if (what < 8)
			take_somewhere();
		else if (what < 10)
			lease_somewhere();
		else if (what < 12)
			change_state_somewhere();
		else if (what < 14)
			move_somewhere();
		else
			mark_or_roll_back();
	}
	if (below(3) > 0) {
		journal_commit(&catalog);
	} else {
		journal_rollback(&catalog, 0);
		model = before;
	}
}

static void
assert_same_event(const struct entry *entry, const struct model_event *event)
{
	const struct tag *tag = tags_get(&catalog.tags, entry->tag);

	assert_int_equal(entry->id, event->id);
	assert_int_equal(entry->ts_ms, event->id * 10);
	assert_true(str_eq(tag->context_key, str_of(contexts[event->context])));
	assert_true(str_eq(tag->original_key, str_of(originals[event->original])));
	assert_int_equal(tag->delivery.thread_id.len, event->thread);
	assert_int_equal(tag->delivery.thread_is_number, event->number);
	struct extra extra = catalog_extra(&catalog, event->id);
	assert_int_equal(entry->attempts, event->attempts < 255 ? event->attempts : 255);
	assert_int_equal((entry->flags & ENTRY_LEASED) != 0, event->lease != 0);
	assert_int_equal((entry->flags & ENTRY_DELAYED) != 0, event->delayed);
	assert_int_equal((entry->flags & ENTRY_EXPIRES) != 0, event->mortal);
	assert_int_equal(extra.lease != NULL ? extra.lease->id : 0, event->lease);
	assert_int_equal(extra.available_boot_ms, event->delayed ? event->id : 0);
	assert_int_equal(extra.expires_boot_ms, event->mortal ? event->id * 2 : 0);
}

/* Compares the counts of this queue, and that each of its leases holds as many events. */
static size_t
assert_states(const struct queue *queue, const struct model_queue *q)
{
	size_t leased = 0, delayed = 0, moved = 0, leases = 0;
	bool exclusive = false;

	for (size_t i = 0; i < q->depth; i++) {
		const struct model_event *e = &q->events[i];
		size_t live = 0, first = q->depth;

		delayed += e->delayed;
		leased += e->lease != 0;
		moved += e->moved;
		assert_ptr_equal(moved_find(&catalog.moved, e->id), e->moved ? queue : NULL);
		for (size_t j = 0; e->lease != 0 && j < q->depth; j++) {
			live += q->events[j].lease == e->lease;
			first = q->events[j].lease == e->lease && j < first ? j : first;
		}
		if (e->lease == 0)
			continue;
		const struct lease *lease = catalog_lease(&catalog, e->lease);
		assert_non_null(lease);
		assert_ptr_equal(lease->queue, queue);
		assert_int_equal(lease->live, live);
		assert_false(lease->touched);
		exclusive = exclusive || lease->exclusive;
		leases += first == i;
	}
	assert_int_equal(queue->leased, leased);
	assert_int_equal(queue->delayed, delayed);
	assert_int_equal(queue->moved, moved);
	assert_int_equal(queue_deliverable(queue), exclusive ? 0 : q->depth - leased - delayed);
	return leases;
}

static size_t
count_extras(const struct model_queue *q)
{
	size_t count = 0;

	for (size_t i = 0; i < q->depth; i++)
		count += q->events[i].lease != 0 || q->events[i].delayed || q->events[i].mortal;
	return count;
}

/* Checks the invariants of queue.h, and that the events are those of the model. */
static void
assert_same_queue(const struct queue *queue, const struct model_queue *q)
{
	size_t live = 0, now = 0;

	assert_false(queue->touched);
	assert_true(queue->head < queue->tail && queue->tail <= queue->cap);
	assert_false(queue->entries[queue->head].flags & ENTRY_GONE);
	for (size_t i = queue->head; i < queue->tail; i++) {
		bool free_place = (queue->entries[i].flags & ENTRY_FREE) == ENTRY_FREE;

		assert_true(i == queue->head ||
			    queue->entries[i - 1].id < queue->entries[i].id + free_place);
		now += entry_deliverable(&queue->entries[i]) &&
		       (queue->entries[i].flags & ENTRY_NOW) != 0;
		if (!(queue->entries[i].flags & ENTRY_GONE))
			assert_same_event(&queue->entries[i], &q->events[live++]);
	}
	assert_int_equal(now, queue->now);
	assert_int_equal(live, queue->depth);
	assert_int_equal(live, q->depth);
	assert_true(str_eq(tags_get(&catalog.tags, queue->last_tag)->context_key,
			   str_of(contexts[q->last])));
}

/* Every reference to a tag is held by an entry, a last context, or a tag that matches it. */
static void
assert_references(void)
{
	uint32_t *refs = mem_alloc(catalog.tags.count * sizeof(*refs));
	const struct queue *queue;

	for (size_t at = 0; (queue = catalog_each(&catalog, &at)) != NULL;) {
		refs[queue->last_tag]++;
		for (const struct entry *e = queue_first(queue, 0); e != NULL;
		     e = queue_next(queue, e))
			refs[e->tag]++;
	}
	for (uint32_t id = 1; id < catalog.tags.count; id++) {
		const struct tag *tag = catalog.tags.tags[id];

		if (tag != NULL && tag->match != id)
			refs[tag->match]++;
	}
	for (uint32_t id = 1; id < catalog.tags.count; id++)
		assert_int_equal(refs[id],
				 catalog.tags.tags[id] != NULL ? catalog.tags.tags[id]->refs : 0);
	free(refs);
}

/* Every lease with a name stands once among those of its consumer, and nothing else does. */
static void
assert_same_consumers(void)
{
	const struct consumer *consumer;
	const struct lease *lease;
	size_t named = 0, listed = 0;

	for (size_t at = 0; (lease = table_each(&catalog.leases.by_id, &at)) != NULL;)
		named += consumer_of(lease->id).s != NULL;
	for (size_t at = 0; (consumer = table_each(&catalog.leases.consumers, &at)) != NULL;) {
		assert_false(LIST_EMPTY(&consumer->leases));
		assert_ptr_equal(leases_consumer(&catalog.leases, consumer->name), consumer);
		LIST_FOREACH(lease, &consumer->leases, beside)
		{
			assert_ptr_equal(leases_find(&catalog.leases, lease->id), lease);
			assert_true(str_eq(consumer_of(lease->id), consumer->name));
			listed++;
		}
	}
	assert_int_equal(listed, named);
}

static void
assert_same(void)
{
	size_t pending = 0, sessions = 0, leases = 0, extras = 0;

	for (size_t at = 0; at < KEYS; at++) {
		const struct queue *queue = find(keys[at]);

		if (queue != NULL)
			leases += assert_states(queue, &model.queues[at]);
		extras += count_extras(&model.queues[at]);
		pending += model.queues[at].depth;
		sessions += model.queues[at].depth > 0;
		if (model.queues[at].depth > 0)
			assert_same_queue(queue, &model.queues[at]);
		else
			assert_null(queue);
	}
	assert_int_equal(catalog.pending, pending);
	assert_int_equal(catalog.sessions, sessions);
	assert_int_equal(catalog.index.count, sessions);
	assert_int_equal(catalog.leases.by_id.count, leases);
	assert_int_equal(catalog.leases.extras.count, extras);
	assert_references();
	assert_same_consumers();
}

static void
random_batches_agree_with_a_model(void **state)
{
	(void)state;
	memset(&model, 0, sizeof(model));
	srandom(7);
	for (int batch = 0; batch < BATCHES; batch++) {
		run_batch();
		/* A queue that was emptied starts again without a last context. */
		for (size_t at = 0; at < KEYS; at++)
			if (model.queues[at].depth == 0)
				model.queues[at].last = 0;
		assert_same();
	}
	for (size_t at = 0; at < KEYS; at++)
		while (model.queues[at].depth > 0)
			remove_from(at, 0);
	journal_commit(&catalog);
	assert_is_empty();
}

static void
many_moved_events_are_found_until_they_are_gone(void **state)
{
	enum { MOVED = 50000 };
	struct moved_events moved = { 0 };
	struct queue queue = { 0 };

	(void)state;
	for (int64_t id = 1; id <= MOVED; id++)
		moved_put(&moved, id, &queue);
	assert_ptr_equal(moved_find(&moved, MOVED), &queue);
	assert_null(moved_find(&moved, MOVED + 1));
	assert_int_equal(queue.moved, MOVED);
	for (int64_t id = 1; id <= MOVED; id++)
		moved_put(&moved, id, NULL);
	assert_int_equal(queue.moved, 0);
	assert_null(moved_find(&moved, MOVED));
	moved_clear(&moved);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(committed_events_are_in_order),
		TEST(a_batch_sees_its_own_changes),
		TEST(first_finds_the_event_after_an_id),
		TEST(a_full_rollback_leaves_nothing),
		TEST(a_rollback_restores_removed_events),
		TEST(a_rollback_to_a_mark_keeps_earlier_changes),
		TEST(an_event_without_a_key_leaves_the_last_context_alone),
		TEST(a_last_context_may_outlive_its_event),
		TEST(a_pending_event_takes_its_entry_and_little_more),
		TEST(a_queue_that_shrinks_frees_memory),
		TEST(random_batches_agree_with_a_model),
		TEST(many_moved_events_are_found_until_they_are_gone),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
