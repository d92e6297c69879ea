/*
 * table.c - linear probing with backward-shift deletion, so that no tombstones pile up. A large
 * table is 256 small ones, each with the hashes that begin with the same 8 bits.
 */
#include "queue/catalog/table.h"

#include <assert.h>
#include <stdlib.h>

#include "schema/mem.h"

#define SLOTS_MIN 16
#define PART_BITS 8

static_assert(TABLE_PARTS == 1 << PART_BITS, "a part for each value of the bits");

/* --- parts --- */

static struct table_part *
part_of(const struct table *table, uint64_t hash)
{
	if (table->parts == NULL)
		return (struct table_part *)(uintptr_t)&table->whole;
	return &table->parts[hash >> (64 - PART_BITS)];
}

static size_t
home(const struct table_part *part, uint64_t hash)
{
	return (size_t)(hash << part->skip >> part->shift);
}

static size_t
after(const struct table_part *part, size_t i)
{
	return (i + 1) & (part->slots - 1);
}

static void
place(struct table_part *part, struct keyed_hash hash, void *item)
{
	size_t i = home(part, hash.bits);

	while (part->slot[i].item != NULL)
		i = after(part, i);
	part->slot[i] = (struct table_slot){ hash, item };
}

static void
resize(struct table *table, struct table_part *part, size_t slots)
{
	struct table_part old = *part;

	part->slots = slots;
	part->shift = 64 - (unsigned)__builtin_ctzl(slots);
	part->slot = mem_alloc(slots * sizeof(*part->slot));
	for (size_t i = 0; i < old.slots; i++)
		if (old.slot[i].item != NULL)
			place(part, old.slot[i].hash, old.slot[i].item);
	table->slots += slots - old.slots;
	free(old.slot);
}

static void
add(struct table *table, struct keyed_hash hash, void *item)
{
	struct table_part *part = part_of(table, hash.bits);

	if ((part->count + 1) * 4 > part->slots * 3)
		resize(table, part, part->slots > 0 ? part->slots * 2 : SLOTS_MIN);
	place(part, hash, item);
	part->count++;
	table->count++;
}

/* Adds the items of a part that is no longer one. */
static void
add_all(struct table *table, struct table_part *old)
{
	table->slots -= old->slots;
	table->count -= old->count;
	for (size_t i = 0; i < old->slots; i++)
		if (old->slot[i].item != NULL)
			add(table, old->slot[i].hash, old->slot[i].item);
	free(old->slot);
}

static void
divide(struct table *table)
{
	struct table_part whole = table->whole;

	table->whole = (struct table_part){ 0 };
	table->parts = mem_alloc(TABLE_PARTS * sizeof(*table->parts));
	for (size_t i = 0; i < TABLE_PARTS; i++)
		table->parts[i].skip = PART_BITS;
	add_all(table, &whole);
}

static void
unite(struct table *table)
{
	struct table_part *parts = table->parts;

	table->parts = NULL;
	for (size_t i = 0; i < TABLE_PARTS; i++)
		add_all(table, &parts[i]);
	free(parts);
}

/* --- the table --- */

void *
table_find(const struct table *table, struct keyed_hash hash, table_same *same, const void *key)
{
	const struct table_part *part = part_of(table, hash.bits);

	if (part->count == 0)
		return NULL;
	for (size_t i = home(part, hash.bits); part->slot[i].item != NULL; i = after(part, i))
		if (keyed_hash_eq(part->slot[i].hash, hash) && same(part->slot[i].item, key))
			return part->slot[i].item;
	return NULL;
}

void
table_add(struct table *table, struct keyed_hash hash, void *item)
{
	assert(item != NULL);
	if (table->parts == NULL && (table->count + 1) * 4 > TABLE_WHOLE_SLOTS_MAX * 3)
		divide(table);
	add(table, hash, item);
}

void
table_remove(struct table *table, struct keyed_hash hash, const void *item)
{
	struct table_part *part = part_of(table, hash.bits);
	size_t hole = home(part, hash.bits);

	while (part->slot[hole].item != item) {
		assert(part->slot[hole].item != NULL);
		hole = after(part, hole);
	}
	/* Close the hole: move each following item up whose home slot is at or before the hole. */
	for (size_t i = after(part, hole); part->slot[i].item != NULL; i = after(part, i)) {
		size_t wanted = home(part, part->slot[i].hash.bits);

		if (((i - wanted) & (part->slots - 1)) >= ((i - hole) & (part->slots - 1))) {
			part->slot[hole] = part->slot[i];
			hole = i;
		}
	}
	part->slot[hole].item = NULL;
	part->count--;
	table->count--;
	if (table->parts != NULL && table->count * 8 < TABLE_WHOLE_SLOTS_MAX)
		unite(table);
	else if (part->slots > SLOTS_MIN && part->count * 8 < part->slots)
		resize(table, part, part->slots / 2);
}

void
table_clear(struct table *table)
{
	for (size_t i = 0; table->parts != NULL && i < TABLE_PARTS; i++)
		free(table->parts[i].slot);
	free(table->parts);
	free(table->whole.slot);
	*table = (struct table){ 0 };
}

size_t
table_bytes(const struct table *table)
{
	return table->slots * sizeof(struct table_slot) +
	       (table->parts != NULL ? TABLE_PARTS * sizeof(*table->parts) : 0);
}

/* *at: the number of the part in the lower bits, and of a slot of it above them. */
void *
table_each(const struct table *table, size_t *at)
{
	size_t parts = table->parts != NULL ? TABLE_PARTS : 1;

	for (size_t p = *at % TABLE_PARTS; p < parts; *at = ++p) {
		const struct table_part *part =
		    table->parts != NULL ? &table->parts[p] : &table->whole;

		for (size_t i = *at / TABLE_PARTS; i < part->slots; i++) {
			if (part->slot[i].item == NULL)
				continue;
			*at = (i + 1) * TABLE_PARTS + p;
			return part->slot[i].item;
		}
	}
	return NULL;
}

/* --- scans --- */

/* Whether the item in the i-th slot of a scan, which may go round the end, has its home before it.
 */
static bool
is_behind_home(const struct table_part *part, size_t i, size_t item_home)
{
	return i < part->slots ? item_home <= i : item_home > i - part->slots;
}

/*
 * Visits the items whose homes are among the slots from first to end, but for those whose hashes
 * are lower than from. They may stand behind the end, up to the first free slot; those that stand
 * there with homes before were visited earlier.
 */
static void
scan_part(const struct table_part *part, uint64_t from, size_t first, size_t end,
	  void (*visit)(void *arg, void *item), void *arg)
{
	for (size_t i = first;; i++) {
		const struct table_slot *slot = &part->slot[i & (part->slots - 1)];

		if (slot->item == NULL && i >= end)
			break;
		if (slot->item == NULL || slot->hash.bits < from)
			continue;
		size_t item_home = home(part, slot->hash.bits);
		if (item_home < end && is_behind_home(part, i, item_home))
			visit(arg, slot->item);
	}
}

void
table_scan(const struct table *table, struct table_scan *scan, size_t slots,
	   void (*visit)(void *arg, void *item), void *arg)
{
	scan->over |= table->count == 0;
	while (slots > 0 && !scan->over) {
		const struct table_part *part = part_of(table, scan->from);
		uint64_t hashes = part->skip > 0 ? UINT64_MAX >> PART_BITS : UINT64_MAX,
			 lowest = scan->from & ~hashes;
		size_t first = part->slots > 0 ? home(part, scan->from) : 0, end = part->slots;

		if (slots < end - first)
			end = first + slots;
		if (part->count > 0)
			scan_part(part, scan->from, first, end, visit, arg);
		slots -= end > first ? end - first : 1;
		scan->over = end == part->slots && (lowest | hashes) == UINT64_MAX;
		scan->from = end < part->slots
				 ? lowest + ((uint64_t)end << part->shift >> part->skip)
				 : (lowest | hashes) + 1;
	}
}
