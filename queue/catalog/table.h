/*
 * table.h - a hash table of pointers.
 *
 * Here: open addressing over (hash, item) pairs; the caller says which items are equal. Hashes are
 * keyed (keyed_hash.h), so the cost does not depend on which keys the items have: to find, add or
 * remove one takes a few steps, to grow the table one pass over a part of it.
 * Not here: hashing, ownership: items are borrowed.
 */
#ifndef QUEUE_CATALOG_TABLE_H
#define QUEUE_CATALOG_TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "schema/keyed_hash.h"

/* Above so many slots a table is divided into parts. */
#define TABLE_WHOLE_SLOTS_MAX 4096
#define TABLE_PARTS 256

/*
 * Where the items are. Invariants:
 * 1. slots is 0 or 1 << (64 - shift), and at most 3/4 of the slots are in use.
 * 2. The home of an item is the slot whose number is the highest bits of its hash behind the first
 *    `skip` ones. The slots from there to the item's own, around the end, are all in use. So items
 *    stand almost in order of their hashes, whatever the number of slots.
 */
struct table_part {
	struct table_slot {
		struct keyed_hash hash;
		void *item; /* NULL: free */
	} * slot;
	size_t slots, count;
	unsigned shift, skip;
};

/*
 * All zero is an empty table. Nothing else happens while slots are moved to twice as many, so that
 * is done for one part of a large table at a time: with a million items a part has 4,000.
 */
struct table {
	struct table_part whole;  /* empty while there are parts */
	struct table_part *parts; /* one for each value of the upper 8 bits of a hash; NULL: none */
	size_t count, slots;      /* of all */
};

typedef bool table_same(const void *item, const void *key);

void *table_find(const struct table *table, struct keyed_hash hash, table_same *same,
		 const void *key);
/* The item is not in the table yet. */
void table_add(struct table *table, struct keyed_hash hash, void *item);
/* The item is in the table. */
void table_remove(struct table *table, struct keyed_hash hash, const void *item);
void table_clear(struct table *table);
size_t table_bytes(const struct table *table);

/*
 * Answers the items one by one in no order, NULL at the end; start with *at = 0. The table must not
 * change meanwhile.
 */
void *table_each(const struct table *table, size_t *at);

/* How far a scan has come: all zero is its beginning. */
struct table_scan {
	uint64_t from; /* items with lower hashes have been visited */
	bool over;
};

/*
 * Visits some items, those of the next `slots` slots (an empty part counts as one), in order of
 * their hashes, and nothing once scan->over is set. The table may change between two calls: an item
 * that is in it all the time is visited exactly once, and any other once or not at all. It must not
 * change during a call.
 */
void table_scan(const struct table *table, struct table_scan *scan, size_t slots,
		void (*visit)(void *arg, void *item), void *arg);

#endif
