/*
 * table.c - linear probing with backward-shift deletion, so that no tombstones pile up.
 */
#include "queue/catalog/table.h"

#include <assert.h>
#include <stdlib.h>

#include "schema/mem.h"

#define SLOTS_MIN 16

static size_t
home(const struct table *table, struct keyed_hash hash)
{
	return (size_t)(hash.bits >> table->shift);
}

static size_t
after(const struct table *table, size_t i)
{
	return (i + 1) & (table->slots - 1);
}

void *
table_find(const struct table *table, struct keyed_hash hash, table_same *same, const void *key)
{
	if (table->count == 0)
		return NULL;
	for (size_t i = home(table, hash); table->slot[i].item != NULL; i = after(table, i))
		if (keyed_hash_eq(table->slot[i].hash, hash) && same(table->slot[i].item, key))
			return table->slot[i].item;
	return NULL;
}

static void
place(struct table *table, struct keyed_hash hash, void *item)
{
	size_t i = home(table, hash);

	while (table->slot[i].item != NULL)
		i = after(table, i);
	table->slot[i] = (struct table_slot){ hash, item };
}

static void
resize(struct table *table, size_t slots)
{
	struct table old = *table;

	table->slots = slots;
	table->shift = 64 - (unsigned)__builtin_ctzl(slots);
	table->slot = mem_alloc(slots * sizeof(*table->slot));
	for (size_t i = 0; i < old.slots; i++)
		if (old.slot[i].item != NULL)
			place(table, old.slot[i].hash, old.slot[i].item);
	free(old.slot);
}

void
table_add(struct table *table, struct keyed_hash hash, void *item)
{
	assert(item != NULL);
	if ((table->count + 1) * 4 > table->slots * 3)
		resize(table, table->slots > 0 ? table->slots * 2 : SLOTS_MIN);
	place(table, hash, item);
	table->count++;
}

void
table_remove(struct table *table, struct keyed_hash hash, const void *item)
{
	size_t hole = home(table, hash);

	while (table->slot[hole].item != item) {
		assert(table->slot[hole].item != NULL);
		hole = after(table, hole);
	}
	/* Close the hole: move each following item up whose home slot is at or before the hole. */
	for (size_t i = after(table, hole); table->slot[i].item != NULL; i = after(table, i)) {
		size_t wanted = home(table, table->slot[i].hash);

		if (((i - wanted) & (table->slots - 1)) >= ((i - hole) & (table->slots - 1))) {
			table->slot[hole] = table->slot[i];
			hole = i;
		}
	}
	table->slot[hole].item = NULL;
	table->count--;
	if (table->slots > SLOTS_MIN && table->count * 8 < table->slots)
		resize(table, table->slots / 2);
}

void
table_clear(struct table *table)
{
	free(table->slot);
	*table = (struct table){ 0 };
}

size_t
table_bytes(const struct table *table)
{
	return table->slots * sizeof(*table->slot);
}

void *
table_each(const struct table *table, size_t *at)
{
	while (*at < table->slots) {
		void *item = table->slot[(*at)++].item;

		if (item != NULL)
			return item;
	}
	return NULL;
}

/* Whether the item in the i-th slot of a scan, which may go round the end, has its home before it.
 */
static bool
is_behind_home(const struct table *table, size_t i, size_t item_home)
{
	return i < table->slots ? item_home <= i : item_home > i - table->slots;
}

/*
 * Items whose homes are among the next slots may stand behind them, up to the first free slot;
 * those that stand there with homes before were visited earlier.
 */
void
table_scan(const struct table *table, struct table_scan *scan, size_t slots,
	   void (*visit)(void *arg, void *item), void *arg)
{
	if (table->count == 0 || scan->over) {
		scan->over = true;
		return;
	}
	size_t first = (size_t)(scan->from >> table->shift);
	size_t end = slots < table->slots - first ? first + slots : table->slots;
	for (size_t i = first;; i++) {
		const struct table_slot *slot = &table->slot[i & (table->slots - 1)];

		if (slot->item == NULL && i >= end)
			break;
		if (slot->item == NULL || slot->hash.bits < scan->from)
			continue;
		size_t item_home = home(table, slot->hash);
		if (item_home < end && is_behind_home(table, i, item_home))
			visit(arg, slot->item);
	}
	scan->over = end == table->slots;
	scan->from = (uint64_t)end << table->shift;
}
