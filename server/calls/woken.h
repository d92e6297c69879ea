/*
 * woken.h - queues that were woken, in order and each once, until the readers of streams have been
 * told to.
 *
 * Here: the list, and what is told of a wake. It has at most one entry for each queue. Not here:
 * who is told (stream.h).
 */
#ifndef SERVER_CALLS_WOKEN_H
#define SERVER_CALLS_WOKEN_H

#include <sys/queue.h>

#include "queue/catalog/table.h"
#include "schema/event.h"

/* Of several wakes of a queue: now if one of them was, all else from the last. */
struct wake_cause {
	char source[SOURCE_BYTES_MAX];
	size_t source_len;
	bool has_source, now;
	int64_t ts_ms;
};

struct str wake_cause_source(const struct wake_cause *cause); /* NULL: none; borrowed */

struct woken {
	struct str key; /* behind the struct */
	struct keyed_hash hash;
	struct wake_cause cause;
	TAILQ_ENTRY(woken) link;
};

TAILQ_HEAD(woken_queue_list, woken);

struct woken_list {
	struct table by_key;
	struct woken_queue_list list;
};

void woken_list_init(struct woken_list *woken);
void woken_list_clear(struct woken_list *woken);
/* Adds the queue at the end, or changes the cause where the list has it. */
void woken_list_add(struct woken_list *list, struct str key, bool now, struct str source);
const struct woken *woken_list_first(const struct woken_list *list); /* NULL: there is none */
void woken_list_drop_first(struct woken_list *list);

#endif
