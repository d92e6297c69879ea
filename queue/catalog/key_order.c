/*
 * key_order.c - a tree of the C library (tsearch), whose comparing function may keep what it meets:
 * so a search for a text finds the next key behind it too.
 */
#include "queue/catalog/key_order.h"

#include <search.h>
#include <stdint.h>

#include "schema/mem.h"

static int
by_text(const void *a, const void *b)
{
	return str_cmp(*(const struct str *)a, *(const struct str *)b);
}

void
key_order_add(struct key_order *order, const struct str *key)
{
	mem_there(tsearch(key, &order->root, by_text));
	order->count++;
}

void
key_order_remove(struct key_order *order, const struct str *key)
{
	tdelete(key, &order->root, by_text);
	order->count--;
}

struct search {
	struct str after;
	const struct str *next; /* the lowest that was met behind it */
};

/* Never finds anything, so the search goes down to where the text would stand. */
static int
pass(const void *searched, const void *key)
{
	struct search *search = (struct search *)(uintptr_t)searched;
	bool behind =
	    search->after.s == NULL || str_cmp(*(const struct str *)key, search->after) > 0;

	if (behind)
		search->next = key;
	return behind ? -1 : 1;
}

const struct str *
key_order_next(const struct key_order *order, struct str after)
{
	struct search search = { .after = after };

	tfind(&search, &order->root, pass);
	return search.next;
}
