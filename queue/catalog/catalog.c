/*
 * catalog.c - queues of entries, and the journal that makes a batch of changes final or takes it back.
 *
 * Entries of a queue stand in one array. Taking marks an entry gone; the commit squeezes gone entries out, at the front
 * for free and in the middle once they are half of the array. Until then an entry keeps its place, so going back is
 * clearing a mark.
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

struct sevq_change {
	struct sevq_queue *queue;
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
			struct sevq_extra extra; /* as it was; with the id */
			uint8_t attempts;
		} state;
		struct {
			struct sevq_lease *lease, *exclusive; /* the queue's exclusive lease before */
		} added;
		struct {
			struct sevq_lease *lease;
			int64_t boot_ms; /* before */
		} timer;
	};
};

static bool
is_gone(const struct sevq_entry *entry)
{
	return (entry->flags & SEVQ_ENTRY_GONE) != 0;
}

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
	void *item;
	for (size_t at = 0; (queue = sevq_table_each(&catalog->index, &at)) != NULL;)
		free_queue(catalog, queue);
	for (size_t at = 0; (item = sevq_table_each(&catalog->extras, &at)) != NULL;)
		free(item);
	for (size_t at = 0; (item = sevq_table_each(&catalog->leases, &at)) != NULL;)
		free(item);
	while (catalog->spare_count > 0)
		free(catalog->spare_extras[--catalog->spare_count]);
	free(catalog->spare_extras);
	sevq_table_clear(&catalog->index);
	sevq_table_clear(&catalog->extras);
	sevq_table_clear(&catalog->leases);
	sevq_tags_clear(&catalog->tags);
	free(catalog->journal);
	free(catalog->touched);
	free(catalog->touched_leases);
	*catalog = (struct sevq_catalog){ 0 };
}

size_t
sevq_catalog_bytes(const struct sevq_catalog *catalog)
{
	return catalog->entry_bytes + catalog->key_bytes + catalog->tags.bytes +
	       (catalog->extras.count + catalog->spare_count) * sizeof(struct sevq_extra) + sevq_table_bytes(&catalog->extras) +
	       catalog->lease_bytes + sevq_table_bytes(&catalog->leases) + sevq_table_bytes(&catalog->index) +
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
	return sevq_catalog_find_hashed(catalog, queue_key, sevq_text_hash(queue_key));
}

struct sevq_queue *
sevq_catalog_find_hashed(const struct sevq_catalog *catalog, struct sevq_str queue_key, uint64_t hash)
{
	return sevq_table_find(&catalog->index, hash, same_key, &queue_key);
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
	return sevq_catalog_need_hashed(catalog, queue_key, sevq_text_hash(queue_key));
}

struct sevq_queue *
sevq_catalog_need_hashed(struct sevq_catalog *catalog, struct sevq_str queue_key, uint64_t hash)
{
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

/* What the kind needs for the way back is the caller's to fill in. */
static struct sevq_change *
note(struct sevq_catalog *catalog, struct sevq_queue *queue, enum change_kind kind)
{
	catalog->journal = sevq_grow(catalog->journal, &catalog->journal_cap, catalog->journal_count + 1, sizeof *catalog->journal);
	struct sevq_change *change = &catalog->journal[catalog->journal_count++];
	change->queue = queue;
	change->kind = kind;
	touch(catalog, queue);
	return change;
}

/*
 * Moves the entries to the front of their array when half of it is free there; grows it otherwise, by a quarter: with
 * millions of entries it is their room that counts, and not their moves.
 */
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
	size_t more = queue->cap / 4 + 1;
	queue->cap += more;
	queue->entries = sevq_realloc(queue->entries, queue->cap * sizeof *queue->entries);
	catalog->entry_bytes += more * sizeof *queue->entries;
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
sevq_queue_load(struct sevq_catalog *catalog, struct sevq_queue *queue, const struct sevq_event *event, uint64_t text_hash,
		uint32_t tag)
{
	make_room(catalog, queue);
	queue->entries[queue->tail++] = (struct sevq_entry){ .id = event->id,
							     .ts_ms = event->ts_ms,
							     .text_hash = text_hash,
							     .tag = tag,
							     .text_bytes_m1 = (uint16_t)(event->text.len - 1),
							     .flags = event->exec_completion ? SEVQ_ENTRY_EXEC : 0 };
	count_in(catalog, queue);
}

void
sevq_queue_append(struct sevq_catalog *catalog, struct sevq_queue *queue, const struct sevq_event *event, uint64_t text_hash,
		  uint32_t tag)
{
	assert(queue->tail == queue->head || queue->entries[queue->tail - 1].id < event->id);
	sevq_queue_load(catalog, queue, event, text_hash, tag);
	note(catalog, queue, APPENDED);
}

/* --- leases, delays, times to live --------------------------------------------------------------------------------- */

static uint64_t
spread(int64_t id)
{
	return (uint64_t)id * 0x9E3779B97F4A7C15u;
}

static bool
same_extra(const void *item, const void *id)
{
	return ((const struct sevq_extra *)item)->id == *(const int64_t *)id;
}

static bool
same_lease(const void *item, const void *id)
{
	return ((const struct sevq_lease *)item)->id == *(const int64_t *)id;
}

static struct sevq_extra *
stored_extra(const struct sevq_catalog *catalog, int64_t id)
{
	return sevq_table_find(&catalog->extras, spread(id), same_extra, &id);
}

static struct sevq_extra
extra_or_none(const struct sevq_extra *stored, int64_t id)
{
	return stored != NULL ? *stored : (struct sevq_extra){ .id = id };
}

struct sevq_extra
sevq_catalog_extra(const struct sevq_catalog *catalog, int64_t id)
{
	return extra_or_none(stored_extra(catalog, id), id);
}

static void
touch_lease(struct sevq_catalog *catalog, struct sevq_lease *lease)
{
	if (lease->touched)
		return;
	lease->touched = true;
	catalog->touched_leases = sevq_grow(catalog->touched_leases, &catalog->touched_lease_cap, catalog->touched_lease_count + 1,
					    sizeof(*catalog->touched_leases));
	catalog->touched_leases[catalog->touched_lease_count++] = lease;
}

static uint8_t
flags_of(const struct sevq_extra *extra)
{
	assert(extra->lease == NULL || extra->available_boot_ms == 0);
	return (uint8_t)((extra->lease != NULL ? SEVQ_ENTRY_LEASED : 0) | (extra->available_boot_ms > 0 ? SEVQ_ENTRY_DELAYED : 0) |
			 (extra->expires_boot_ms > 0 ? SEVQ_ENTRY_EXPIRES : 0));
}

static struct sevq_extra *
take_extra(struct sevq_catalog *catalog)
{
	return catalog->spare_count > 0 ? catalog->spare_extras[--catalog->spare_count] : sevq_alloc(sizeof(struct sevq_extra));
}

static void
give_extra(struct sevq_catalog *catalog, struct sevq_extra *extra)
{
	if (catalog->spare_count == SPARE_EXTRAS_MAX) {
		free(extra);
		return;
	}
	catalog->spare_extras =
	    sevq_grow(catalog->spare_extras, &catalog->spare_cap, catalog->spare_count + 1, sizeof(*catalog->spare_extras));
	catalog->spare_extras[catalog->spare_count++] = extra;
}

/* In the place of what is stored, if something is. */
static void
store_extra(struct sevq_catalog *catalog, struct sevq_extra *stored, const struct sevq_extra *extra)
{
	bool needed = flags_of(extra) != 0;
	if (stored != NULL && !needed) {
		sevq_table_remove(&catalog->extras, spread(extra->id), stored);
		give_extra(catalog, stored);
	} else if (stored == NULL && needed) {
		stored = take_extra(catalog);
		*stored = *extra;
		sevq_table_add(&catalog->extras, spread(extra->id), stored);
	} else if (needed) {
		*stored = *extra;
	}
}

static void
count_state(struct sevq_queue *queue, const struct sevq_entry *entry, int by)
{
	queue->leased += (size_t)((entry->flags & SEVQ_ENTRY_LEASED) != 0 ? by : 0);
	queue->delayed += (size_t)((entry->flags & SEVQ_ENTRY_DELAYED) != 0 ? by : 0);
}

/* Puts the state in place of the stored one, with every count that follows from it. */
static void
apply_state(struct sevq_catalog *catalog, struct sevq_queue *queue, struct sevq_entry *entry, uint8_t attempts,
	    struct sevq_extra *stored, const struct sevq_extra *extra)
{
	struct sevq_lease *before = stored != NULL ? stored->lease : NULL;
	count_state(queue, entry, -1);
	entry->flags = (uint8_t)((entry->flags & (SEVQ_ENTRY_GONE | SEVQ_ENTRY_EXEC)) | flags_of(extra));
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
sevq_queue_set_state(struct sevq_catalog *catalog, struct sevq_queue *queue, struct sevq_entry *entry, int attempts,
		     const struct sevq_extra *extra)
{
	struct sevq_extra *stored = stored_extra(catalog, entry->id);
	struct sevq_extra after = *extra, before = extra_or_none(stored, entry->id);
	struct sevq_change *change = note(catalog, queue, STATE_SET);
	change->state.extra = before;
	change->state.attempts = entry->attempts;
	after.id = entry->id;
	after.queue = queue;
	apply_state(catalog, queue, entry, (uint8_t)(attempts < UINT8_MAX ? attempts : UINT8_MAX), stored, &after);
}

struct sevq_lease *
sevq_catalog_find_lease(const struct sevq_catalog *catalog, int64_t id)
{
	return sevq_table_find(&catalog->leases, spread(id), same_lease, &id);
}

struct sevq_lease *
sevq_catalog_lease(const struct sevq_catalog *catalog, int64_t id)
{
	struct sevq_lease *lease = sevq_catalog_find_lease(catalog, id);
	return lease != NULL && lease->live > 0 ? lease : NULL;
}

static size_t
lease_bytes(const struct sevq_lease *lease)
{
	return sizeof *lease + lease->count * sizeof *lease->ids;
}

struct sevq_lease *
sevq_catalog_add_lease(struct sevq_catalog *catalog, const struct sevq_lease *from)
{
	struct sevq_lease *lease = sevq_alloc(lease_bytes(from));
	int64_t *ids = (int64_t *)(lease + 1);
	*lease = *from;
	lease->ids = memcpy(ids, from->ids, from->count * sizeof *ids);
	lease->live = 0;
	lease->touched = false;
	catalog->lease_bytes += lease_bytes(lease);
	sevq_table_add(&catalog->leases, spread(lease->id), lease);
	struct sevq_change *change = note(catalog, lease->queue, LEASE_ADDED);
	change->added.lease = lease;
	change->added.exclusive = lease->queue->exclusive;
	touch_lease(catalog, lease);
	if (lease->exclusive)
		lease->queue->exclusive = lease;
	return lease;
}

void
sevq_catalog_set_timer(struct sevq_catalog *catalog, struct sevq_lease *lease, int64_t at_boot_ms)
{
	struct sevq_change *change = note(catalog, lease->queue, TIMER_SET);
	change->timer.lease = lease;
	change->timer.boot_ms = lease->timer_boot_ms;
	lease->timer_boot_ms = at_boot_ms;
}

size_t
sevq_queue_deliverable(const struct sevq_queue *queue)
{
	if (queue->exclusive != NULL && queue->exclusive->live > 0)
		return 0;
	return queue->depth - queue->leased - queue->delayed; /* never both at once */
}

static void
free_lease(struct sevq_catalog *catalog, struct sevq_lease *lease)
{
	if (lease->queue->exclusive == lease)
		lease->queue->exclusive = NULL;
	catalog->lease_bytes -= lease_bytes(lease);
	sevq_table_remove(&catalog->leases, spread(lease->id), lease);
	free(lease);
}

/* The lease that was added is not: nothing holds to it any more, for its states have been taken back before. */
static void
forget_lease(struct sevq_catalog *catalog, struct sevq_lease *lease, struct sevq_lease *exclusive_before)
{
	size_t i = catalog->touched_lease_count;
	while (catalog->touched_leases[--i] != lease)
		assert(i > 0);
	catalog->touched_leases[i] = catalog->touched_leases[--catalog->touched_lease_count];
	lease->queue->exclusive = exclusive_before;
	free_lease(catalog, lease);
}

static void
settle_leases(struct sevq_catalog *catalog)
{
	for (size_t i = 0; i < catalog->touched_lease_count; i++) {
		catalog->touched_leases[i]->touched = false;
		if (catalog->touched_leases[i]->live == 0)
			free_lease(catalog, catalog->touched_leases[i]);
	}
	catalog->touched_lease_count = 0;
}

/* --- taking, and the last context ----------------------------------------------------------------------------------- */

void
sevq_queue_remove(struct sevq_catalog *catalog, struct sevq_queue *queue, struct sevq_entry *entry)
{
	assert(!is_gone(entry));
	if (entry->flags & (SEVQ_ENTRY_LEASED | SEVQ_ENTRY_DELAYED | SEVQ_ENTRY_EXPIRES))
		sevq_queue_set_state(catalog, queue, entry, entry->attempts, &(struct sevq_extra){ 0 });
	entry->flags |= SEVQ_ENTRY_GONE;
	count_out(catalog, queue);
	struct sevq_change *change = note(catalog, queue, REMOVED);
	change->removed.id = entry->id;
	change->removed.tag = entry->tag;
}

static void
change_last(struct sevq_catalog *catalog, struct sevq_queue *queue, uint32_t tag, bool outlives)
{
	struct sevq_change *change = note(catalog, queue, LAST_SET);
	change->last.tag = queue->last_tag;
	change->last.outlives = queue->last_outlives;
	sevq_tags_hold(&catalog->tags, tag);
	queue->last_changed = queue->last_changed || outlives || queue->last_outlives;
	queue->last_tag = tag;
	queue->last_outlives = outlives;
}

void
sevq_queue_set_last(struct sevq_catalog *catalog, struct sevq_queue *queue, uint32_t tag)
{
	if (tag != queue->last_tag || queue->last_outlives)
		change_last(catalog, queue, tag, false);
}

static bool
has_context(const struct sevq_catalog *catalog, const struct sevq_entry *entry)
{
	return sevq_tags_get(&catalog->tags, entry->tag)->context_key.len > 0;
}

/* Looks from the oldest on: each time it goes on where it stopped when the event before was evicted. */
void
sevq_queue_outlive(struct sevq_catalog *catalog, struct sevq_queue *queue, const struct sevq_entry *entry)
{
	if (queue->last_outlives || !has_context(catalog, entry))
		return;
	const struct sevq_entry *newer = sevq_queue_next(queue, entry);
	while (newer != NULL && !has_context(catalog, newer))
		newer = sevq_queue_next(queue, newer);
	if (newer == NULL)
		change_last(catalog, queue, queue->last_tag, true);
}

void
sevq_queue_load_last(struct sevq_catalog *catalog, struct sevq_queue *queue, uint32_t tag)
{
	sevq_tags_release(&catalog->tags, queue->last_tag);
	queue->last_tag = tag;
	queue->last_outlives = true;
}

void
sevq_queue_refresh_last(struct sevq_catalog *catalog, struct sevq_queue *queue)
{
	if (queue->last_tag == 0)
		return;
	for (size_t i = queue->tail; i > queue->head; i--) {
		const struct sevq_entry *entry = &queue->entries[i - 1];
		if (!is_gone(entry) && has_context(catalog, entry)) {
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
	while (i < queue->tail && is_gone(&queue->entries[i]))
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
		if (!is_gone(&queue->entries[i - 1]))
			return &queue->entries[i - 1];
	return NULL;
}

struct sevq_entry *
sevq_queue_entry(const struct sevq_queue *queue, int64_t id)
{
	size_t i = lower_bound(queue, id);
	if (i == queue->tail || queue->entries[i].id != id || is_gone(&queue->entries[i]))
		return NULL;
	return &queue->entries[i];
}

/* Drops gone entries off the front; moves the rest together, and gives memory back, when most of the array is unused. */
static void
squeeze(struct sevq_catalog *catalog, struct sevq_queue *queue)
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
	queue->entries = sevq_realloc(queue->entries, cap * sizeof *queue->entries);
	catalog->entry_bytes -= (queue->cap - cap) * sizeof *queue->entries;
	queue->cap = cap;
}

/* The end of a batch for a queue: squeezed, or gone when nothing is left in it. */
static void
settle(struct sevq_catalog *catalog, struct sevq_queue *queue)
{
	queue->touched = queue->last_changed = false;
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
	settle_leases(catalog);
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
	struct sevq_entry *entry;
	switch (change->kind) {
	case APPENDED:
		sevq_tags_release(&catalog->tags, queue->entries[--queue->tail].tag);
		count_out(catalog, queue);
		break;
	case REMOVED:
		queue->entries[lower_bound(queue, change->removed.id)].flags &= (uint8_t)~SEVQ_ENTRY_GONE;
		count_in(catalog, queue);
		break;
	case LAST_SET:
		sevq_tags_release(&catalog->tags, queue->last_tag);
		queue->last_tag = change->last.tag;
		queue->last_outlives = change->last.outlives;
		break;
	case STATE_SET:
		entry = &queue->entries[lower_bound(queue, change->state.extra.id)];
		apply_state(catalog, queue, entry, change->state.attempts, stored_extra(catalog, entry->id), &change->state.extra);
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
sevq_catalog_rollback(struct sevq_catalog *catalog, size_t mark)
{
	while (catalog->journal_count > mark)
		take_back(catalog, &catalog->journal[--catalog->journal_count]);
	if (mark == 0)
		settle_all(catalog);
}

/* The references that the journal kept for the way back are let go. */
static void
release(struct sevq_catalog *catalog, const struct sevq_change *change)
{
	if (change->kind == REMOVED)
		sevq_tags_release(&catalog->tags, change->removed.tag);
	else if (change->kind == LAST_SET)
		sevq_tags_release(&catalog->tags, change->last.tag);
}

void
sevq_catalog_commit(struct sevq_catalog *catalog)
{
	for (size_t i = 0; i < catalog->journal_count; i++)
		release(catalog, &catalog->journal[i]);
	catalog->journal_count = 0;
	settle_all(catalog);
}
