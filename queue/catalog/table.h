/*
 * table.h - a hash table of pointers, keyed by a 64-bit hash that the item also carries.
 *
 * Here: open addressing over (hash, item) pairs; the caller says which items are equal.
 * Not here: hashing, ownership: items are borrowed.
 */
#ifndef QUEUE_CATALOG_TABLE_H
#define QUEUE_CATALOG_TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * All zero is an empty table. Invariant: slots is 0 or a power of two, and at most 3/4 of the slots
 * are in use.
 */
struct table {
	struct table_slot {
		uint64_t hash;
		void *item; /* NULL: free */
	} * slot;
	size_t slots, count;
};

typedef bool table_same(const void *item, const void *key);

void *table_find(const struct table *table, uint64_t hash, table_same *same, const void *key);
void table_add(struct table *table, uint64_t hash, void *item); /* is not in the table yet */
void table_remove(struct table *table, uint64_t hash, const void *item); /* is in the table */
void table_clear(struct table *table);
size_t table_bytes(const struct table *table);

/*
 * Answers the items one by one in no order, NULL at the end; start with *at = 0. The table must not
 * change meanwhile.
 */
void *table_each(const struct table *table, size_t *at);

#endif
