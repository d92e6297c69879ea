/*
 * catalog.c - queues of entries, and the journal that makes a batch of changes final or takes it
 * back.
 *
 * Entries of a queue stand in one array. Taking marks an entry gone; the commit squeezes gone
 * entries out, at the front for free and in the middle once they are half of the array. Until then
 * an entry keeps its place, so going back is clearing a mark.
 */
#include "queue/catalog/catalog.h"

#include <assert.h>
#include <stdlib.h>

#include "schema/mem.h"

#define ENTRIES_SHRINK_MIN 64
#ifdef __SANITIZE_ADDRESS__ /* it would not see what is used after it was given back */
#define SPARE_EXTRAS_MAX 0
#else
#define SPARE_EXTRAS_MAX 4096
#endif

enum change_kind { APPENDED, REMOVED, LAST_SET, STATE_SET, LEASE_ADDED, TIMER_SET };

struct change {
	struct queue *queue;
	enum change_kind kind;
	union {
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
		struct {
			struct lease *lease, *exclusive; /* the queue's exclusive lease before */
		} added;
		struct {
			struct lease *lease;
			int64_t boot_ms; /* before */
		} timer;
	};
};

static bool
is_gone(const struct entry *entry)
{
	return (entry->flags & ENTRY_GONE) != 0;
}

void
catalog_init(struct catalog *catalog)
{
	*catalog = (struct catalog){ 0 };
	tags_init(&catalog->tags);
}

static void
free_queue(struct catalog *catalog, struct queue *queue)
{
	catalog->entry_bytes -= queue->cap * sizeof(*queue->entries);
	catalog->key_bytes -= sizeof(*queue) + queue->session.key.len;
	free(queue->entries);
	free(queue);
}

void
catalog_clear(struct catalog *catalog)
{
	struct queue *queue;
	void *item;

	for (size_t at = 0; (queue = table_each(&catalog->index, &at)) != NULL;)
		free_queue(catalog, queue);
	for (size_t at = 0; (item = table_each(&catalog->extras, &at)) != NULL;)
		free(item);
	for (size_t at = 0; (item = table_each(&catalog->leases, &at)) != NULL;)
		free(item);
	while (catalog->spare_count > 0)
		free(catalog->spare_extras[--catalog->spare_count]);
	free(catalog->spare_extras);
	table_clear(&catalog->index);
	table_clear(&catalog->extras);
	table_clear(&catalog->leases);
	tags_clear(&catalog->tags);
	free(catalog->journal);
	free(catalog->touched);
	free(catalog->touched_leases);
	*catalog = (struct catalog){ 0 };
}

size_t
catalog_bytes(const struct catalog *catalog)
{
	return catalog->entry_bytes + catalog->key_bytes + catalog->tags.bytes +
	       (catalog->extras.count + catalog->spare_count) * sizeof(struct extra) +
	       table_bytes(&catalog->extras) + catalog->lease_bytes +
	       table_bytes(&catalog->leases) + table_bytes(&catalog->index) +
	       table_bytes(&catalog->tags.index);
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
	return catalog_find_hashed(catalog, queue_key, text_hash(queue_key));
}

struct queue *
catalog_find_hashed(const struct catalog *catalog, struct str queue_key, uint64_t hash)
{
	return table_find(&catalog->index, hash, same_key, &queue_key);
}

static void
touch(struct catalog *catalog, struct queue *queue)
{
	if (queue->touched)
		return;
	queue->touched = true;
	catalog->touched = mem_grow(catalog->touched, &catalog->touched_cap,
				    catalog->touched_count + 1, sizeof(*catalog->touched));
	catalog->touched[catalog->touched_count++] = queue;
}

struct queue *
catalog_find_or_add(struct catalog *catalog, struct str queue_key)
{
	return catalog_find_or_add_hashed(catalog, queue_key, text_hash(queue_key));
}

struct queue *
catalog_find_or_add_hashed(struct catalog *catalog, struct str queue_key, uint64_t hash)
{
	struct queue *queue = table_find(&catalog->index, hash, same_key, &queue_key);

	if (queue != NULL)
		return queue;
	queue = mem_alloc(sizeof(*queue) + queue_key.len);
	memcpy(queue + 1, queue_key.s, queue_key.len);
	queue->session.key = (struct str){ (char *)(queue + 1), queue_key.len };
	queue->hash = hash;
	catalog->key_bytes += sizeof(*queue) + queue_key.len;
	table_add(&catalog->index, hash, queue);
	touch(catalog, queue);
	return queue;
}

struct queue *
catalog_each(const struct catalog *catalog, size_t *at)
{
	return table_each(&catalog->index, at);
}

/* What the kind needs for the way back is the caller's to fill in. */
static struct change *
note(struct catalog *catalog, struct queue *queue, enum change_kind kind)
{
	catalog->journal = mem_grow(catalog->journal, &catalog->journal_cap,
				    catalog->journal_count + 1, sizeof(*catalog->journal));
	struct change *change = &catalog->journal[catalog->journal_count++];
	change->queue = queue;
	change->kind = kind;
	touch(catalog, queue);
	return change;
}

/*
 * Moves the entries to the front of their array when half of it is free there; grows it otherwise,
 * by a quarter: with millions of entries it is their room that counts, and not their moves.
 */
static void
make_room(struct catalog *catalog, struct queue *queue)
{
	if (queue->tail < queue->cap)
		return;
	if (queue->head > 0 && queue->head >= queue->cap / 2) {
		memmove(queue->entries, queue->entries + queue->head,
			(queue->tail - queue->head) * sizeof(*queue->entries));
		queue->tail -= queue->head;
		queue->head = 0;
		return;
	}
	size_t more = queue->cap / 4 + 1;
	queue->cap += more;
	queue->entries = mem_realloc(queue->entries, queue->cap * sizeof(*queue->entries));
	catalog->entry_bytes += more * sizeof(*queue->entries);
}

static void
count_in(struct catalog *catalog, struct queue *queue)
{
	catalog->sessions += queue->depth++ == 0;
	catalog->pending++;
}

static void
count_out(struct catalog *catalog, struct queue *queue)
{
	catalog->sessions -= --queue->depth == 0;
	catalog->pending--;
}

void
queue_load(struct catalog *catalog, struct queue *queue, const struct system_event *event,
	   uint64_t text_hash, uint32_t tag)
{
	make_room(catalog, queue);
	queue->entries[queue->tail++] =
	    (struct entry){ .id = event->id,
			    .ts_ms = event->ts_ms,
			    .text_hash = text_hash,
			    .tag = tag,
			    .text_bytes_m1 = (uint16_t)(event->text.len - 1),
			    .flags = event->exec_completion ? ENTRY_EXEC : 0 };
	count_in(catalog, queue);
}

void
queue_append(struct catalog *catalog, struct queue *queue, const struct system_event *event,
	     uint64_t text_hash, uint32_t tag)
{
	assert(queue->tail == queue->head || queue->entries[queue->tail - 1].id < event->id);
	queue_load(catalog, queue, event, text_hash, tag);
	note(catalog, queue, APPENDED);
}

/* --- leases, delays, times to live --- */

static uint64_t
spread(int64_t id)
{
	return (uint64_t)id * 0x9E3779B97F4A7C15u;
}

static bool
same_extra(const void *item, const void *id)
{
	return ((const struct extra *)item)->id == *(const int64_t *)id;
}

static bool
same_lease(const void *item, const void *id)
{
	return ((const struct lease *)item)->id == *(const int64_t *)id;
}

static struct extra *
stored_extra(const struct catalog *catalog, int64_t id)
{
	return table_find(&catalog->extras, spread(id), same_extra, &id);
}

static struct extra
extra_or_none(const struct extra *stored, int64_t id)
{
	return stored != NULL ? *stored : (struct extra){ .id = id };
}

struct extra
catalog_extra(const struct catalog *catalog, int64_t id)
{
	return extra_or_none(stored_extra(catalog, id), id);
}

static void
touch_lease(struct catalog *catalog, struct lease *lease)
{
	if (lease->touched)
		return;
	lease->touched = true;
	catalog->touched_leases =
	    mem_grow(catalog->touched_leases, &catalog->touched_lease_cap,
		     catalog->touched_lease_count + 1, sizeof(*catalog->touched_leases));
	catalog->touched_leases[catalog->touched_lease_count++] = lease;
}

static uint8_t
flags_of(const struct extra *extra)
{
	assert(extra->lease == NULL || extra->available_boot_ms == 0);
	return (uint8_t)((extra->lease != NULL ? ENTRY_LEASED : 0) |
			 (extra->available_boot_ms > 0 ? ENTRY_DELAYED : 0) |
			 (extra->expires_boot_ms > 0 ? ENTRY_EXPIRES : 0));
}

static struct extra *
take_extra(struct catalog *catalog)
{
	return catalog->spare_count > 0 ? catalog->spare_extras[--catalog->spare_count]
					: mem_alloc(sizeof(struct extra));
}

static void
give_extra(struct catalog *catalog, struct extra *extra)
{
	if (catalog->spare_count == SPARE_EXTRAS_MAX) {
		free(extra);
		return;
	}
	catalog->spare_extras = mem_grow(catalog->spare_extras, &catalog->spare_cap,
					 catalog->spare_count + 1, sizeof(*catalog->spare_extras));
	catalog->spare_extras[catalog->spare_count++] = extra;
}

/* In the place of what is stored, if something is. */
static void
store_extra(struct catalog *catalog, struct extra *stored, const struct extra *extra)
{
	bool needed = flags_of(extra) != 0;

	if (stored != NULL && !needed) {
		table_remove(&catalog->extras, spread(extra->id), stored);
		give_extra(catalog, stored);
	} else if (stored == NULL && needed) {
		stored = take_extra(catalog);
		*stored = *extra;
		table_add(&catalog->extras, spread(extra->id), stored);
	} else if (needed) {
		*stored = *extra;
	}
}

static void
count_state(struct queue *queue, const struct entry *entry, int by)
{
	queue->leased += (size_t)((entry->flags & ENTRY_LEASED) != 0 ? by : 0);
	queue->delayed += (size_t)((entry->flags & ENTRY_DELAYED) != 0 ? by : 0);
}

/* Puts the state in place of the stored one, with every count that follows from it. */
static void
apply_state(struct catalog *catalog, struct queue *queue, struct entry *entry, uint8_t attempts,
	    struct extra *stored, const struct extra *extra)
{
	struct lease *before = stored != NULL ? stored->lease : NULL;

	count_state(queue, entry, -1);
	entry->flags = (uint8_t)((entry->flags & (ENTRY_GONE | ENTRY_EXEC)) | flags_of(extra));
	entry->attempts = attempts;
	count_state(queue, entry, 1);
	if (before != NULL) {
		touch_lease(catalog, before);
		before->live--;
	}
	if (extra->lease != NULL) {
		touch_lease(catalog, extra->lease);
		extra->lease->live++;
	}
	store_extra(catalog, stored, extra);
}

void
queue_set_state(struct catalog *catalog, struct queue *queue, struct entry *entry, int attempts,
		const struct extra *extra)
{
	struct extra *stored = stored_extra(catalog, entry->id);
	struct extra after = *extra, before = extra_or_none(stored, entry->id);
	struct change *change = note(catalog, queue, STATE_SET);

	change->state.extra = before;
	change->state.attempts = entry->attempts;
	after.id = entry->id;
	after.queue = queue;
	apply_state(catalog, queue, entry, (uint8_t)(attempts < UINT8_MAX ? attempts : UINT8_MAX),
		    stored, &after);
}

struct lease *
catalog_find_lease(const struct catalog *catalog, int64_t id)
{
	return table_find(&catalog->leases, spread(id), same_lease, &id);
}

struct lease *
catalog_lease(const struct catalog *catalog, int64_t id)
{
	struct lease *lease = catalog_find_lease(catalog, id);

	return lease != NULL && lease->live > 0 ? lease : NULL;
}

static size_t
lease_bytes(const struct lease *lease)
{
	return sizeof(*lease) + lease->count * sizeof(*lease->ids);
}

struct lease *
catalog_add_lease(struct catalog *catalog, const struct lease *from)
{
	struct lease *lease = mem_alloc(lease_bytes(from));
	int64_t *ids = (int64_t *)(lease + 1);

	*lease = *from;
	lease->ids = memcpy(ids, from->ids, from->count * sizeof(*ids));
	lease->live = 0;
	lease->touched = false;
	catalog->lease_bytes += lease_bytes(lease);
	table_add(&catalog->leases, spread(lease->id), lease);
	struct change *change = note(catalog, lease->queue, LEASE_ADDED);
	change->added.lease = lease;
	change->added.exclusive = lease->queue->exclusive;
	touch_lease(catalog, lease);
	if (lease->exclusive)
		lease->queue->exclusive = lease;
	return lease;
}

void
catalog_set_timer(struct catalog *catalog, struct lease *lease, int64_t at_boot_ms)
{
	struct change *change = note(catalog, lease->queue, TIMER_SET);

	change->timer.lease = lease;
	change->timer.boot_ms = lease->timer_boot_ms;
	lease->timer_boot_ms = at_boot_ms;
}

size_t
queue_deliverable(const struct queue *queue)
{
	if (queue->exclusive != NULL && queue->exclusive->live > 0)
		return 0;
	return queue->depth - queue->leased - queue->delayed; /* never both at once */
}

static void
free_lease(struct catalog *catalog, struct lease *lease)
{
	if (lease->queue->exclusive == lease)
		lease->queue->exclusive = NULL;
	catalog->lease_bytes -= lease_bytes(lease);
	table_remove(&catalog->leases, spread(lease->id), lease);
	free(lease);
}

/*
 * The lease that was added is not: nothing holds to it any more, for its states have been taken
 * back before.
 */
static void
forget_lease(struct catalog *catalog, struct lease *lease, struct lease *exclusive_before)
{
	size_t i = catalog->touched_lease_count;

	while (catalog->touched_leases[--i] != lease)
		assert(i > 0);
	catalog->touched_leases[i] = catalog->touched_leases[--catalog->touched_lease_count];
	lease->queue->exclusive = exclusive_before;
	free_lease(catalog, lease);
}

static void
settle_leases(struct catalog *catalog)
{
	for (size_t i = 0; i < catalog->touched_lease_count; i++) {
		catalog->touched_leases[i]->touched = false;
		if (catalog->touched_leases[i]->live == 0)
			free_lease(catalog, catalog->touched_leases[i]);
	}
	catalog->touched_lease_count = 0;
}

/* --- taking, and the last context --- */

void
queue_remove(struct catalog *catalog, struct queue *queue, struct entry *entry)
{
	assert(!is_gone(entry));
	if (entry->flags & (ENTRY_LEASED | ENTRY_DELAYED | ENTRY_EXPIRES))
		queue_set_state(catalog, queue, entry, entry->attempts, &(struct extra){ 0 });
	entry->flags |= ENTRY_GONE;
	count_out(catalog, queue);
	struct change *change = note(catalog, queue, REMOVED);
	change->removed.id = entry->id;
	change->removed.tag = entry->tag;
}

static void
change_last(struct catalog *catalog, struct queue *queue, uint32_t tag, bool outlives)
{
	struct change *change = note(catalog, queue, LAST_SET);

	change->last.tag = queue->last_tag;
	change->last.outlives = queue->last_outlives;
	tags_hold(&catalog->tags, tag);
	queue->last_changed = queue->last_changed || outlives || queue->last_outlives;
	queue->last_tag = tag;
	queue->last_outlives = outlives;
}

void
queue_set_last(struct catalog *catalog, struct queue *queue, uint32_t tag)
{
	if (tag != queue->last_tag || queue->last_outlives)
		change_last(catalog, queue, tag, false);
}

static bool
has_context(const struct catalog *catalog, const struct entry *entry)
{
	return tags_get(&catalog->tags, entry->tag)->context_key.len > 0;
}

/*
 * Looks from the oldest on: each time it goes on where it stopped when the event before was
 * evicted.
 */
void
queue_outlive(struct catalog *catalog, struct queue *queue, const struct entry *entry)
{
	if (queue->last_outlives || !has_context(catalog, entry))
		return;
	const struct entry *newer = queue_next(queue, entry);
	while (newer != NULL && !has_context(catalog, newer))
		newer = queue_next(queue, newer);
	if (newer == NULL)
		change_last(catalog, queue, queue->last_tag, true);
}

void
queue_load_last(struct catalog *catalog, struct queue *queue, uint32_t tag)
{
	tags_release(&catalog->tags, queue->last_tag);
	queue->last_tag = tag;
	queue->last_outlives = true;
}

void
queue_refresh_last(struct catalog *catalog, struct queue *queue)
{
	if (queue->last_tag == 0)
		return;
	for (size_t i = queue->tail; i > queue->head; i--) {
		const struct entry *entry = &queue->entries[i - 1];

		if (!is_gone(entry) && has_context(catalog, entry)) {
			queue_set_last(catalog, queue, entry->tag);
			return;
		}
	}
	queue_set_last(catalog, queue, 0);
}

/* Index of the first entry with an id of at least id. */
static size_t
lower_bound(const struct queue *queue, int64_t id)
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

static struct entry *
live_from(const struct queue *queue, size_t i)
{
	while (i < queue->tail && is_gone(&queue->entries[i]))
		i++;
	return i < queue->tail ? &queue->entries[i] : NULL;
}

struct entry *
queue_first(const struct queue *queue, int64_t after)
{
	return live_from(queue, after > 0 ? lower_bound(queue, after + 1) : queue->head);
}

struct entry *
queue_next(const struct queue *queue, const struct entry *entry)
{
	return live_from(queue, (size_t)(entry - queue->entries) + 1);
}

struct entry *
queue_newest(const struct queue *queue)
{
	for (size_t i = queue->tail; i > queue->head; i--)
		if (!is_gone(&queue->entries[i - 1]))
			return &queue->entries[i - 1];
	return NULL;
}

struct entry *
queue_entry(const struct queue *queue, int64_t id)
{
	size_t i = lower_bound(queue, id);

	if (i == queue->tail || queue->entries[i].id != id || is_gone(&queue->entries[i]))
		return NULL;
	return &queue->entries[i];
}

/*
 * Drops gone entries off the front; moves the rest together, and gives memory back, when most of
 * the array is unused.
 */
static void
squeeze(struct catalog *catalog, struct queue *queue)
{
	while (is_gone(&queue->entries[queue->head]))
		queue->head++;
	size_t span = queue->tail - queue->head;
	bool roomy = queue->cap > ENTRIES_SHRINK_MIN && queue->depth * 4 < queue->cap;
	if (!roomy && span < queue->depth * 2)
		return;
	size_t to = 0;
	for (size_t i = queue->head; i < queue->tail; i++)
		if (!is_gone(&queue->entries[i]))
			queue->entries[to++] = queue->entries[i];
	queue->head = 0;
	queue->tail = to;
	if (!roomy)
		return;
	size_t cap = queue->depth * 2;
	queue->entries = mem_realloc(queue->entries, cap * sizeof(*queue->entries));
	catalog->entry_bytes -= (queue->cap - cap) * sizeof(*queue->entries);
	queue->cap = cap;
}

/* The end of a batch for a queue: squeezed, or gone when nothing is left in it. */
static void
settle(struct catalog *catalog, struct queue *queue)
{
	queue->touched = queue->last_changed = false;
	if (queue->depth > 0) {
		squeeze(catalog, queue);
		return;
	}
	tags_release(&catalog->tags, queue->last_tag);
	table_remove(&catalog->index, queue->hash, queue);
	free_queue(catalog, queue);
}

static void
settle_all(struct catalog *catalog)
{
	assert(catalog->journal_count == 0);
	settle_leases(catalog);
	for (size_t i = 0; i < catalog->touched_count; i++)
		settle(catalog, catalog->touched[i]);
	catalog->touched_count = 0;
}

size_t
catalog_mark(const struct catalog *catalog)
{
	return catalog->journal_count;
}

static void
take_back(struct catalog *catalog, const struct change *change)
{
	struct queue *queue = change->queue;
	struct entry *entry;

	switch (change->kind) {
	case APPENDED:
		tags_release(&catalog->tags, queue->entries[--queue->tail].tag);
		count_out(catalog, queue);
		break;
	case REMOVED:
		queue->entries[lower_bound(queue, change->removed.id)].flags &=
		    (uint8_t)~ENTRY_GONE;
		count_in(catalog, queue);
		break;
	case LAST_SET:
		tags_release(&catalog->tags, queue->last_tag);
		queue->last_tag = change->last.tag;
		queue->last_outlives = change->last.outlives;
		break;
	case STATE_SET:
		entry = &queue->entries[lower_bound(queue, change->state.extra.id)];
		apply_state(catalog, queue, entry, change->state.attempts,
			    stored_extra(catalog, entry->id), &change->state.extra);
		break;
	case LEASE_ADDED:
		forget_lease(catalog, change->added.lease, change->added.exclusive);
		break;
	case TIMER_SET:
		change->timer.lease->timer_boot_ms = change->timer.boot_ms;
		break;
	}
}

void
catalog_rollback(struct catalog *catalog, size_t mark)
{
	while (catalog->journal_count > mark)
		take_back(catalog, &catalog->journal[--catalog->journal_count]);
	if (mark == 0)
		settle_all(catalog);
}

/* The references that the journal kept for the way back are let go. */
static void
release(struct catalog *catalog, const struct change *change)
{
	if (change->kind == REMOVED)
		tags_release(&catalog->tags, change->removed.tag);
	else if (change->kind == LAST_SET)
		tags_release(&catalog->tags, change->last.tag);
}

void
catalog_commit(struct catalog *catalog)
{
	for (size_t i = 0; i < catalog->journal_count; i++)
		release(catalog, &catalog->journal[i]);
	catalog->journal_count = 0;
	settle_all(catalog);
}
