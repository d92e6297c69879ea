/*
 * table.h - a hash table of pointers, keyed by a 64-bit hash that the item also carries.
 *
 * Here: open addressing over (hash, item) pairs; who is equal is the caller's question.
 * Not here: hashing, ownership: items are borrowed.
 */
#ifndef SEVQ_QUEUE_CATALOG_TABLE_H
#define SEVQ_QUEUE_CATALOG_TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* All zero is an empty table. Invariant: slots is 0 or a power of two, and at most 3/4 of it are in use. */
struct sevq_table {
	struct sevq_table_slot {
		uint64_t hash;
		void *item; /* NULL: free */
	} * slot;
	size_t slots, count;
};

typedef bool sevq_table_same(const void *item, const void *key);

void *sevq_table_find(const struct sevq_table *table, uint64_t hash, sevq_table_same *same, const void *key);
void sevq_table_add(struct sevq_table *table, uint64_t hash, void *item);          /* not there yet */
void sevq_table_remove(struct sevq_table *table, uint64_t hash, const void *item); /* is there */
void sevq_table_clear(struct sevq_table *table);
size_t sevq_table_bytes(const struct sevq_table *table);

/* Visits every item in no order: start with *at = 0; NULL at the end. The table must not change meanwhile. */
void *sevq_table_each(const struct sevq_table *table, size_t *at);

#endif
