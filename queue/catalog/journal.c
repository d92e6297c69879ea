/*
 * journal.c - a list of changes, each with the state before it. A rollback undoes them, the latest
 * first; a commit only drops what they hold for that.
 */
#include "queue/catalog/journal.h"

#include <assert.h>
#include <string.h>

#include "schema/mem.h"

enum change_kind {
	APPENDED,
	MERGED,
	MOVED_SET,
	REMOVED,
	LAST_SET,
	STATE_SET,
	DELIVERIES_SET,
	NOW_SET,
	LEASE_ADDED,
	TIMER_SET
};

struct change {
	struct queue *queue;
	enum change_kind kind;
	union {
		size_t merged; /* how many entries: the last of catalog->merged */
		struct {
			int64_t id;
			struct queue *before;
		} moved;
		struct {
			int64_t id;
			uint32_t tag;
		} removed;
		struct {
			uint32_t tag; /* its reference is held here */
			bool outlives;
		} last; /* before */
		struct {
			struct extra extra; /* as it was; with the id */
			uint8_t attempts;
		} state;
		struct deliveries deliveries; /* as they were */
		int64_t now;                  /* the entry's id */
		struct {
			struct lease *lease, *exclusive; /* the queue's exclusive lease before */
		} added;
		struct {
			struct lease *lease;
			int64_t boot_ms; /* before */
		} timer;
	};
};

/* Adds a change to the journal. The caller fills in what the kind needs to be undone. */
static struct change *
note(struct catalog *catalog, struct queue *queue, enum change_kind kind)
{
	catalog->journal = mem_grow(catalog->journal, &catalog->journal_cap,
				    catalog->journal_count + 1, sizeof(*catalog->journal));
	struct change *change = &catalog->journal[catalog->journal_count++];
	change->queue = queue;
	change->kind = kind;
	catalog_touch(catalog, queue);
	return change;
}

/* --- entries --- */

void
journal_append(struct catalog *catalog, struct queue *queue, const struct system_event *event,
	       uint64_t text_hash, uint32_t tag)
{
	assert(queue->tail == queue->head || queue->entries[queue->tail - 1].id < event->id);
	catalog_load_event(catalog, queue, event, text_hash, tag);
	note(catalog, queue, APPENDED);
}

static bool
has_context(const struct catalog *catalog, const struct entry *entry)
{
	return tags_get(&catalog->tags, entry->tag)->context_key.len > 0;
}

static void
undo_append(struct catalog *catalog, struct queue *queue)
{
	matches_leave(&catalog->matches, &catalog->tags, queue, &queue->entries[queue->tail - 1]);
	tags_release(&catalog->tags, queue_pop(queue));
	catalog_count_out(catalog, queue);
}

/* --- events of other queues --- */

size_t
journal_merge(struct catalog *catalog, struct queue *queue, const struct entry *entries,
	      size_t count)
{
	size_t shifted = 0;

	catalog->merged = mem_grow(catalog->merged, &catalog->merged_cap,
				   catalog->merged_count + count, sizeof(*entries));
	memcpy(catalog->merged + catalog->merged_count, entries, count * sizeof(*entries));
	catalog->merged_count += count;
	note(catalog, queue, MERGED)->merged = count;
	catalog->entry_bytes += queue_merge(queue, entries, count, &shifted);
	for (size_t i = 0; i < count; i++) {
		queue->depth++;
		catalog_count_in(catalog, queue);
		if (entries[i].id > queue->keyed_max && has_context(catalog, &entries[i]))
			queue->keyed_max = entries[i].id;
	}
	matches_merged(&catalog->matches, &catalog->tags, queue, entries, count);
	return shifted;
}

static void
undo_merge(struct catalog *catalog, struct queue *queue, size_t count)
{
	const struct entry *entries = catalog->merged + (catalog->merged_count -= count);

	for (size_t i = 0; i < count; i++) {
		matches_leave(&catalog->matches, &catalog->tags, queue, &entries[i]);
		queue->depth--;
		catalog_count_out(catalog, queue);
		tags_release(&catalog->tags, entries[i].tag);
	}
	queue_unmerge(queue, entries, count);
}

static void
set_moved(struct catalog *catalog, struct queue *queue, int64_t id, struct queue *now)
{
	struct change *change = note(catalog, queue, MOVED_SET);

	change->moved.id = id;
	change->moved.before = moved_find(&catalog->moved, id);
	moved_put(&catalog->moved, id, now);
}

void
journal_set_moved(struct catalog *catalog, struct queue *queue, int64_t event)
{
	set_moved(catalog, queue, event, queue);
}

/* --- deliveries --- */

static void
apply_deliveries(struct catalog *catalog, struct queue *queue, const struct deliveries *deliveries)
{
	size_t before = catalog->leases.deliveries.count;

	leases_put_deliveries(&catalog->leases, deliveries);
	queue->delivered += catalog->leases.deliveries.count - before;
}

void
journal_set_deliveries(struct catalog *catalog, struct queue *queue,
		       const struct deliveries *deliveries)
{
	struct change *change = note(catalog, queue, DELIVERIES_SET);

	change->deliveries = leases_deliveries(&catalog->leases, deliveries->id);
	apply_deliveries(catalog, queue, deliveries);
}

static void
forget_deliveries(struct catalog *catalog, struct queue *queue, int64_t id)
{
	if (queue->delivered > 0 && leases_has_deliveries(&catalog->leases, id))
		journal_set_deliveries(catalog, queue, &(struct deliveries){ .id = id });
}

/* --- removing --- */

void
journal_remove(struct catalog *catalog, struct queue *queue, struct entry *entry)
{
	matches_leave(&catalog->matches, &catalog->tags, queue, entry);
	forget_deliveries(catalog, queue, entry->id);
	if (queue->moved > 0 && moved_find(&catalog->moved, entry->id) != NULL)
		set_moved(catalog, queue, entry->id, NULL);
	queue_mark_gone(queue, entry);
	catalog_count_out(catalog, queue);
	struct change *change = note(catalog, queue, REMOVED);
	change->removed.id = entry->id;
	change->removed.tag = entry->tag;
	if (entry_has_extra(entry))
		journal_set_state(catalog, queue, entry, entry->attempts, &(struct extra){ 0 });
}

static void
undo_remove(struct catalog *catalog, struct queue *queue, int64_t id)
{
	struct entry *entry = queue_entry_even_gone(queue, id);

	queue_unmark_gone(queue, entry);
	if (id > queue->keyed_max && has_context(catalog, entry))
		queue->keyed_max = id;
	matches_enter(&catalog->matches, &catalog->tags, queue, entry);
	catalog_count_in(catalog, queue);
}

/* --- leases, delays, times to live --- */

/* Replaces the stored extra, and keeps the counts of the queue and of both leases right. */
static void
apply_state(struct catalog *catalog, struct queue *queue, struct entry *entry, uint8_t attempts,
	    struct extra *stored, const struct extra *extra)
{
	matches_leave(&catalog->matches, &catalog->tags, queue, entry);
	catalog->leased -= queue->leased;
	catalog->delayed -= queue->delayed;
	queue_set_flags(queue, entry, attempts, extra);
	catalog->leased += queue->leased;
	catalog->delayed += queue->delayed;
	matches_enter(&catalog->matches, &catalog->tags, queue, entry);
	leases_put_extra(&catalog->leases, stored, extra);
}

void
journal_set_state(struct catalog *catalog, struct queue *queue, struct entry *entry, int attempts,
		  const struct extra *extra)
{
	struct extra *stored =
	    entry_has_extra(entry) ? leases_stored_extra(&catalog->leases, entry->id) : NULL;
	struct extra after = *extra;
	struct change *change = note(catalog, queue, STATE_SET);

	change->state.extra = stored != NULL ? *stored : (struct extra){ .id = entry->id };
	change->state.attempts = entry->attempts;
	after.id = entry->id;
	after.queue = queue;
	apply_state(catalog, queue, entry, (uint8_t)(attempts < UINT8_MAX ? attempts : UINT8_MAX),
		    stored, &after);
}

static void
undo_set_state(struct catalog *catalog, struct queue *queue, const struct extra *before,
	       uint8_t attempts)
{
	struct entry *entry = queue_entry_even_gone(queue, before->id);

	apply_state(catalog, queue, entry, attempts,
		    leases_stored_extra(&catalog->leases, before->id), before);
}

void
journal_set_now(struct catalog *catalog, struct queue *queue, struct entry *entry)
{
	if (entry->flags & ENTRY_NOW)
		return;
	note(catalog, queue, NOW_SET)->now = entry->id;
	queue_set_now(queue, entry, true);
}

static void
undo_set_now(struct queue *queue, int64_t id)
{
	queue_set_now(queue, queue_entry_even_gone(queue, id), false);
}

struct lease *
journal_add_lease(struct catalog *catalog, const struct lease *from, struct str consumer)
{
	struct lease *lease = leases_add(&catalog->leases, from, consumer);
	struct change *change = note(catalog, lease->queue, LEASE_ADDED);

	change->added.lease = lease;
	change->added.exclusive = lease->queue->exclusive;
	leases_touch(&catalog->leases, lease);
	if (lease->exclusive)
		lease->queue->exclusive = lease;
	return lease;
}

/* The lease holds no event by now: the changes that gave it events came later, and are undone. */
static void
undo_add_lease(struct catalog *catalog, struct lease *lease, struct lease *exclusive_before)
{
	lease->queue->exclusive = exclusive_before;
	leases_untouch(&catalog->leases, lease);
	leases_remove(&catalog->leases, lease);
}

void
journal_set_timer(struct catalog *catalog, struct lease *lease, int64_t at_boot_ms)
{
	struct change *change = note(catalog, lease->queue, TIMER_SET);

	change->timer.lease = lease;
	change->timer.boot_ms = lease->timer_boot_ms;
	lease->timer_boot_ms = at_boot_ms;
}

/* --- the last context --- */

static void
change_last(struct catalog *catalog, struct queue *queue, uint32_t tag, bool outlives)
{
	struct change *change = note(catalog, queue, LAST_SET);

	change->last.tag = queue->last_tag;
	change->last.outlives = queue->last_kept;
	tags_hold(&catalog->tags, tag);
	queue->last_kept_changed = queue->last_kept_changed || outlives || queue->last_kept;
	queue->last_tag = tag;
	queue->last_kept = outlives;
}

static void
undo_change_last(struct catalog *catalog, struct queue *queue, uint32_t tag, bool outlives)
{
	tags_release(&catalog->tags, queue->last_tag);
	queue->last_tag = tag;
	queue->last_kept = outlives;
}

void
journal_set_last(struct catalog *catalog, struct queue *queue, uint32_t tag)
{
	if (tag != queue->last_tag || queue->last_kept)
		change_last(catalog, queue, tag, false);
}

/*
 * Evictions go from the oldest on, and the search for a newer event with a context key ends at the
 * first one: over many evictions it passes each event once.
 */
void
journal_keep_last(struct catalog *catalog, struct queue *queue, const struct entry *entry)
{
	if (queue->last_kept || !has_context(catalog, entry))
		return;
	const struct entry *newer = queue_next(queue, entry);
	while (newer != NULL && !has_context(catalog, newer))
		newer = queue_next(queue, newer);
	if (newer == NULL)
		change_last(catalog, queue, queue->last_tag, true);
}

/*
 * Entries behind the newest with a context key are not looked at again while it is there, so over
 * many calls each entry is passed once.
 */
size_t
journal_refresh_last(struct catalog *catalog, struct queue *queue)
{
	return queue->last_tag != 0 ? journal_find_last(catalog, queue) : 0;
}

size_t
journal_find_last(struct catalog *catalog, struct queue *queue)
{
	uint32_t last = 0;
	size_t from = queue_behind(queue, queue->keyed_max), i = from;
	queue->keyed_max = 0;
	for (; i > queue->head && last == 0; i--) {
		const struct entry *entry = &queue->entries[i - 1];

		if ((entry->flags & ENTRY_GONE) != 0 || !has_context(catalog, entry))
			continue;
		queue->keyed_max = entry->id;
		last = entry->tag;
	}
	journal_set_last(catalog, queue, last);
	return from - i;
}

/* --- the end of a batch --- */

/* Drops the leases that hold no event any more. */
static void
drop_empty_leases(struct catalog *catalog)
{
	struct leases *leases = &catalog->leases;

	for (size_t i = 0; i < leases->touched_count; i++) {
		struct lease *lease = leases->touched[i];

		lease->touched = false;
		if (lease->live > 0)
			continue;
		if (lease->queue->exclusive == lease)
			lease->queue->exclusive = NULL;
		leases_remove(leases, lease);
	}
	leases->touched_count = 0;
}

static void
end_batch(struct catalog *catalog)
{
	assert(catalog->journal_count == 0);
	drop_empty_leases(catalog);
	catalog_tidy(catalog);
}

size_t
journal_mark(const struct catalog *catalog)
{
	return catalog->journal_count;
}

static void
undo(struct catalog *catalog, const struct change *change)
{
	struct queue *queue = change->queue;

	switch (change->kind) {
	case APPENDED:
		undo_append(catalog, queue);
		break;
	case MERGED:
		undo_merge(catalog, queue, change->merged);
		break;
	case MOVED_SET:
		moved_put(&catalog->moved, change->moved.id, change->moved.before);
		break;
	case REMOVED:
		undo_remove(catalog, queue, change->removed.id);
		break;
	case LAST_SET:
		undo_change_last(catalog, queue, change->last.tag, change->last.outlives);
		break;
	case STATE_SET:
		undo_set_state(catalog, queue, &change->state.extra, change->state.attempts);
		break;
	case DELIVERIES_SET:
		apply_deliveries(catalog, queue, &change->deliveries);
		break;
	case NOW_SET:
		undo_set_now(queue, change->now);
		break;
	case LEASE_ADDED:
		undo_add_lease(catalog, change->added.lease, change->added.exclusive);
		break;
	case TIMER_SET:
		change->timer.lease->timer_boot_ms = change->timer.boot_ms;
		break;
	}
}

void
journal_rollback(struct catalog *catalog, size_t mark)
{
	while (catalog->journal_count > mark)
		undo(catalog, &catalog->journal[--catalog->journal_count]);
	if (mark == 0)
		end_batch(catalog);
}

/* Releases the references to tags that the change held to be undone. */
static void
release(struct catalog *catalog, const struct change *change)
{
	if (change->kind == REMOVED)
		tags_release(&catalog->tags, change->removed.tag);
	else if (change->kind == LAST_SET)
		tags_release(&catalog->tags, change->last.tag);
}

void
journal_commit(struct catalog *catalog)
{
	for (size_t i = 0; i < catalog->journal_count; i++)
		release(catalog, &catalog->journal[i]);
	catalog->journal_count = catalog->merged_count = 0;
	end_batch(catalog);
}
