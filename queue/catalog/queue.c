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

/* Drops free places at the tail: ids that are undone come again, and must ascend then. */
static void
drop_last_places(struct queue *queue)
{
	while (queue->tail > queue->head &&
	       (queue->entries[queue->tail - 1].flags & ENTRY_FREE) == ENTRY_FREE)
		queue->tail--;
}

uint32_t
queue_pop(struct queue *queue)
{
	const struct entry *last = &queue->entries[--queue->tail];
	uint32_t tag = last->tag;

	queue->depth--;
	queue->now -= (last->flags & (ENTRY_HELD_BACK | ENTRY_NOW)) == ENTRY_NOW;
	drop_last_places(queue);
	return tag;
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

static struct entry
free_place(int64_t id)
{
	return (struct entry){ .id = id, .flags = ENTRY_FREE };
}

/* The gone entry of this id: a place, or what left this queue and comes back. NULL: none. */
static struct entry *
place_of(const struct queue *queue, int64_t id)
{
	struct entry *entry = queue_entry_even_gone(queue, id);

	return entry < queue->entries + queue->tail && entry->id == id && is_gone(entry) ? entry
											 : NULL;
}

size_t
queue_shifts(const struct queue *queue, int64_t id, size_t others)
{
	bool before_all = queue->head > others && queue->head < queue->tail &&
			  id < queue->entries[queue->head].id;

	return before_all || place_of(queue, id) != NULL ? 0
							 : queue->tail - queue_behind(queue, id);
}

/* Puts entries into their places. Returns how many have none; these are in `others` then. */
static size_t
fill_places(struct queue *queue, const struct entry *entries, size_t count, struct entry *others)
{
	size_t left = 0;

	for (size_t i = 0; i < count; i++) {
		struct entry *place = place_of(queue, entries[i].id);

		if (place != NULL)
			*place = entries[i];
		else
			others[left++] = entries[i];
	}
	return left;
}

/* Puts those in front that come before all others, if there is room. Returns how many. */
static size_t
put_in_front(struct queue *queue, const struct entry *entries, size_t count)
{
	size_t n = 0;

	while (n < count && queue->head < queue->tail &&
	       entries[n].id < queue->entries[queue->head].id)
		n++;
	if (n == 0 || n > queue->head)
		return 0;
	queue->head -= n;
	memcpy(queue->entries + queue->head, entries, n * sizeof(*entries));
	return n;
}

/* Merges from the tail on, down to where the first of them belongs. */
static size_t
shift_in(struct queue *queue, const struct entry *entries, size_t count, size_t *shifted)
{
	size_t grown = make_room_for(queue, count), old = queue->tail, in = count,
	       at = queue->tail + count;

	queue->tail = at;
	while (in > 0) {
		bool newer = old > queue->head && queue->entries[old - 1].id > entries[in - 1].id;

		queue->entries[--at] = newer ? queue->entries[--old] : entries[--in];
		*shifted += newer;
	}
	return grown;
}

size_t
queue_merge(struct queue *queue, const struct entry *entries, size_t count, size_t *shifted)
{
	struct entry *others = NULL;

	for (size_t i = 0; i < count; i++)
		count_damaged_and_now(queue, &entries[i], 1);
	if (queue->depth < queue->tail - queue->head) {
		others = mem_alloc(count * sizeof(*others));
		count = fill_places(queue, entries, count, others);
		entries = others;
	}
	size_t in_front = put_in_front(queue, entries, count);
	size_t grown = shift_in(queue, entries + in_front, count - in_front, shifted);
	free(others);
	return grown;
}

void
queue_unmerge(struct queue *queue, const struct entry *entries, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		count_damaged_and_now(queue, &entries[i], -1);
		*queue_entry_even_gone(queue, entries[i].id) = free_place(entries[i].id);
	}
	drop_last_places(queue);
}

/* The index at which the gap stands; adds it at the tail at first. SIZE_MAX: it is lost. */
static size_t
find_gap(struct queue *queue, struct places *places, size_t *grown)
{
	if (places->gap == 0) {
		size_t at = queue->tail;

		*grown += make_room_for(queue, places->left);
		places->gap = places->left;
		queue->tail += places->gap;
		return at;
	}
	size_t end = queue_behind(queue, places->gap_id);
	if (end - queue->head < places->gap)
		return SIZE_MAX;
	const struct entry *first = &queue->entries[end - places->gap];
	bool whole = first->id == places->gap_id && (first->flags & ENTRY_FREE) == ENTRY_FREE;
	return whole ? end - places->gap : SIZE_MAX;
}

/* Fills the gap with free places, so that ids ascend; in front of all others it needs none. */
static void
close_gap(struct queue *queue, struct places *places, size_t at)
{
	if (at == queue->head) {
		queue->head += places->gap;
		return;
	}
	places->gap_id = queue->entries[at - 1].id;
	for (size_t i = 0; i < places->gap; i++)
		queue->entries[at + i] = free_place(places->gap_id);
}

/* The gap goes from the tail to the head, and leaves one of its places at each id. */
size_t
queue_keep_places(struct queue *queue, struct places *places, size_t most, size_t *shifted)
{
	size_t grown = 0, at = find_gap(queue, places, &grown);

	if (at == SIZE_MAX) {
		places->left = 0;
		return grown;
	}
	for (size_t moved = 0; places->left > 0;) {
		int64_t id = places->ids[places->left - 1],
			before = at > queue->head ? queue->entries[at - 1].id : 0;

		if (before <= id) {
			places->left--;
			if (before < id)
				queue->entries[at + --places->gap] = free_place(id);
		} else if (moved++ < most) {
			at--;
			queue->entries[at + places->gap] = queue->entries[at];
			*shifted += 1;
		} else {
			break;
		}
	}
	close_gap(queue, places, at);
	while (is_gone(&queue->entries[queue->head]))
		queue->head++;
	return grown;
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
