/*
 * queue.c - one array of entries.
 *
 * Removing an entry marks it gone, so that rolling back only has to clear the mark. The end of the
 * batch drops gone entries at the front, which costs nothing, and in the middle once they are half
 * of the array.
 */
#include "queue/catalog/queue.h"

#include <assert.h>
#include <stdlib.h>

#include "schema/mem.h"

#define ENTRIES_SHRINK_MIN 64

struct queue *
queue_new(struct str key, struct keyed_hash hash)
{
	struct queue *queue = mem_alloc(sizeof(*queue) + key.len);

	memcpy(queue + 1, key.s, key.len);
	queue->session.key = (struct str){ (char *)(queue + 1), key.len };
	queue->hash = hash;
	return queue;
}

void
queue_free(struct queue *queue)
{
	if (queue != NULL) {
		free(queue->entries);
		free(queue->strand);
	}
	free(queue);
}

static bool
is_gone(const struct entry *entry)
{
	return (entry->flags & ENTRY_GONE) != 0;
}

/*
 * Moves the entries to the front of their array when half of it is free there; grows it otherwise,
 * by a quarter: with millions of entries memory is what counts, not the moves.
 */
static size_t
make_room(struct queue *queue)
{
	if (queue->tail < queue->cap)
		return 0;
	if (queue->head > 0 && queue->head >= queue->cap / 2) {
		memmove(queue->entries, queue->entries + queue->head,
			(queue->tail - queue->head) * sizeof(*queue->entries));
		queue->tail -= queue->head;
		queue->head = 0;
		return 0;
	}
	size_t more = queue->cap / 4 + 1;
	queue->cap += more;
	queue->entries = mem_realloc(queue->entries, queue->cap * sizeof(*queue->entries));
	return more * sizeof(*queue->entries);
}

/* The flags of the event that never change. */
static uint8_t
kind_flags(const struct system_event *event)
{
	static const uint8_t prompts[] = {
		[PROMPT_EXEC_COMPLETION] = ENTRY_EXEC,
		[PROMPT_LEFT_OUT] = ENTRY_LEFT_OUT,
		[PROMPT_EXEC_LEFT_OUT] = ENTRY_EXEC | ENTRY_LEFT_OUT,
	};
	uint8_t flags = event->prompt < PROMPT_KIND_COUNT ? prompts[event->prompt] : 0;

	return (uint8_t)(event->wake == WAKE_NOW ? flags | ENTRY_NOW : flags);
}

size_t
queue_push(struct queue *queue, const struct system_event *event, uint64_t text_hash, uint32_t tag)
{
	size_t grown = make_room(queue);

	queue->entries[queue->tail++] =
	    (struct entry){ .id = event->id,
			    .ts_ms = event->ts_ms,
			    .text_hash = text_hash,
			    .tag = tag,
			    .text_bytes_m1 = (uint16_t)(event->text.len - 1),
			    .flags = kind_flags(event) };
	queue->depth++;
	queue->now += event->wake == WAKE_NOW;
	return grown;
}

uint32_t
queue_pop(struct queue *queue)
{
	queue->depth--;
	queue->now -=
	    (queue->entries[queue->tail - 1].flags & (ENTRY_HELD_BACK | ENTRY_NOW)) == ENTRY_NOW;
	return queue->entries[--queue->tail].tag;
}

/* Counts the entry by what keeps it from being taken, or by its urgency if nothing does. */
static void
count_damaged_and_now(struct queue *queue, const struct entry *entry, int by)
{
	queue->damaged += (size_t)((entry->flags & ENTRY_HELD_BACK) == ENTRY_DAMAGED ? by : 0);
	queue->now +=
	    (size_t)((entry->flags & (ENTRY_HELD_BACK | ENTRY_NOW)) == ENTRY_NOW ? by : 0);
}

static void
count_flags(struct queue *queue, const struct entry *entry, int by)
{
	queue->leased += (size_t)((entry->flags & ENTRY_LEASED) != 0 ? by : 0);
	queue->delayed += (size_t)((entry->flags & ENTRY_DELAYED) != 0 ? by : 0);
	count_damaged_and_now(queue, entry, by);
}

/* --- merging --- */

/*
 * Takes the entries with these ids out of the array, from the first of them on. Returns how many
 * there were.
 */
static size_t
take_out(struct queue *queue, const struct entry *entries, size_t count)
{
	size_t from = queue_behind(queue, entries[0].id - 1), to = from, next = 0;

	for (size_t i = from; i < queue->tail; i++) {
		const struct entry *entry = &queue->entries[i];

		while (next < count && entries[next].id < entry->id)
			next++;
		if (next == count || entries[next].id != entry->id)
			queue->entries[to++] = *entry;
	}
	size_t taken = queue->tail - to;
	queue->tail = to;
	return taken;
}

/* Makes room for more entries at the tail. */
static size_t
make_room_for(struct queue *queue, size_t count)
{
	size_t before = queue->cap;

	if (queue->cap - queue->tail >= count)
		return 0;
	queue->cap = queue->tail + count + (queue->tail + count) / 4;
	queue->entries = mem_realloc(queue->entries, queue->cap * sizeof(*queue->entries));
	return (queue->cap - before) * sizeof(*queue->entries);
}

/* What left this queue and comes back may still stand there as gone. */
size_t
queue_merge(struct queue *queue, const struct entry *entries, size_t count)
{
	if (queue->depth < queue->tail - queue->head)
		take_out(queue, entries, count);
	size_t grown = make_room_for(queue, count), old = queue->tail, in = count,
	       at = queue->tail + count;
	queue->tail = at;
	while (in > 0) {
		bool newer = old > queue->head && queue->entries[old - 1].id > entries[in - 1].id;

		queue->entries[--at] = newer ? queue->entries[--old] : entries[--in];
		if (!newer)
			count_damaged_and_now(queue, &queue->entries[at], 1);
	}
	return grown;
}

void
queue_unmerge(struct queue *queue, const struct entry *entries, size_t count)
{
	for (size_t i = 0; i < count; i++)
		count_damaged_and_now(queue, &entries[i], -1);
	take_out(queue, entries, count);
}

void
queue_mark_gone(struct queue *queue, struct entry *entry)
{
	assert(!is_gone(entry));
	count_damaged_and_now(queue, entry, -1);
	entry->flags |= ENTRY_GONE;
	queue->depth--;
}

void
queue_unmark_gone(struct queue *queue, struct entry *entry)
{
	entry->flags &= (uint8_t)~ENTRY_GONE;
	queue->depth++;
	count_damaged_and_now(queue, entry, 1);
}

void
queue_mark_damaged(struct queue *queue, struct entry *entry)
{
	count_damaged_and_now(queue, entry, -1);
	entry->flags |= ENTRY_DAMAGED;
	count_damaged_and_now(queue, entry, 1);
}

void
queue_set_now(struct queue *queue, struct entry *entry, bool now)
{
	count_damaged_and_now(queue, entry, -1);
	entry->flags = (uint8_t)(now ? entry->flags | ENTRY_NOW : entry->flags & ~ENTRY_NOW);
	count_damaged_and_now(queue, entry, 1);
}

size_t
queue_compact(struct queue *queue)
{
	while (is_gone(&queue->entries[queue->head]))
		queue->head++;
	size_t span = queue->tail - queue->head;
	bool roomy = queue->cap > ENTRIES_SHRINK_MIN && queue->depth * 4 < queue->cap;
	if (!roomy && span < queue->depth * 2)
		return 0;
	size_t to = 0;
	for (size_t i = queue->head; i < queue->tail; i++)
		if (!is_gone(&queue->entries[i]))
			queue->entries[to++] = queue->entries[i];
	queue->head = 0;
	queue->tail = to;
	if (!roomy)
		return 0;
	size_t cap = queue->depth * 2, less = queue->cap - cap;
	queue->entries = mem_realloc(queue->entries, cap * sizeof(*queue->entries));
	queue->cap = cap;
	return less * sizeof(*queue->entries);
}

static uint8_t
flags_of(const struct extra *extra)
{
	assert(extra->lease == NULL || extra->available_boot_ms == 0);
	return (uint8_t)((extra->lease != NULL ? ENTRY_LEASED : 0) |
			 (extra->available_boot_ms > 0 ? ENTRY_DELAYED : 0) |
			 (extra->expires_boot_ms > 0 ? ENTRY_EXPIRES : 0));
}

void
queue_set_flags(struct queue *queue, struct entry *entry, uint8_t attempts,
		const struct extra *extra)
{
	count_flags(queue, entry, -1);
	entry->flags = (uint8_t)((entry->flags & (ENTRY_GONE | ENTRY_KIND)) | flags_of(extra));
	entry->attempts = attempts;
	count_flags(queue, entry, 1);
}

size_t
queue_deliverable(const struct queue *queue)
{
	if (queue->exclusive != NULL && queue->exclusive->live > 0)
		return 0;
	return queue->depth - queue->leased - queue->delayed -
	       queue->damaged; /* each one of these */
}

/* --- finding an entry --- */

size_t
queue_behind(const struct queue *queue, int64_t after)
{
	size_t low = queue->head, high = queue->tail;

	while (low < high) {
		size_t mid = low + (high - low) / 2;

		if (queue->entries[mid].id <= after)
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
	return live_from(queue, after > 0 ? queue_behind(queue, after) : queue->head);
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
	size_t i = queue_behind(queue, id - 1); /* ids are above 0 */

	if (i == queue->tail || queue->entries[i].id != id || is_gone(&queue->entries[i]))
		return NULL;
	return &queue->entries[i];
}

struct entry *
queue_entry_even_gone(const struct queue *queue, int64_t id)
{
	return &queue->entries[queue_behind(queue, id - 1)];
}
