/*
 * key_order.h - texts in their order: adding, removing, and the next behind one, each a search in a
 * balanced tree.
 *
 * A key is borrowed, by its address, which says whose it is, until it is removed. No two are equal.
 */
#ifndef QUEUE_CATALOG_KEY_ORDER_H
#define QUEUE_CATALOG_KEY_ORDER_H

#include "schema/str.h"

#define KEY_ORDER_BYTES 48 /* of memory, about, for each */

/* All zero is empty. */
struct key_order {
	void *root;
	size_t count;
};

/* The key is not there yet. */
void key_order_add(struct key_order *order, const struct str *key);
/* The key is there. */
void key_order_remove(struct key_order *order, const struct str *key);
/* The first key behind this text; NULL as text: of all. NULL: there is none. */
const struct str *key_order_next(const struct key_order *order, struct str after);

#endif
