/*
 * matches.h - which pending events of a queue match each other (ROUTING section 7).
 *
 * Here: finding those that match a tag and that no lease holds. A short queue is walked; the events
 * of longer ones that have a context key are in an index, by queue and match, and by text as well.
 * Not here: which of them is a duplicate or replaced (ops/enqueue.c).
 */
#ifndef QUEUE_CATALOG_MATCHES_H
#define QUEUE_CATALOG_MATCHES_H

#include "queue/catalog/queue.h"
#include "queue/catalog/tag.h"

#define MATCHES_WALK_MAX 32
/* of more events that match and have one text only the newest are found */
#define MATCHES_TWINS_MAX 32

/*
 * All zero but for walk_max is empty. Indexed events that match form a ring, and those of them that
 * have one text another.
 */
struct matches {
	/* a queue whose array holds more entries is indexed; at most MATCHES_TWINS_MAX */
	size_t walk_max;
	struct table by_id;             /* all indexed events; owned */
	struct table by_match, by_text; /* of each ring the event that was added first */
};

void matches_clear(struct matches *matches);
size_t matches_bytes(const struct matches *matches);

/* The queue's newest entry was just appended. */
void matches_appended(struct matches *matches, const struct tags *tags, struct queue *queue);
/* These entries were just merged into the queue. */
void matches_merged(struct matches *matches, const struct tags *tags, struct queue *queue,
		    const struct entry *entries, size_t count);
/* Before and after every other change of an entry, and before it is removed. */
void matches_leave(struct matches *matches, const struct tags *tags, const struct queue *queue,
		   const struct entry *entry);
void matches_enter(struct matches *matches, const struct tags *tags, const struct queue *queue,
		   const struct entry *entry);
/* Between batches: a queue that has become short is indexed no longer. */
void matches_tidy(struct matches *matches, const struct tags *tags, struct queue *queue);

/*
 * Finds the queue's events that match the tag, which has a context key, in no order; returns how
 * many there are. ids: room for all of them, or NULL to count them only. Adds to *walked how many
 * entries were looked at.
 */
size_t matches_find(const struct matches *matches, const struct tags *tags,
		    const struct queue *queue, uint32_t tag, int64_t *ids, size_t *walked);
/* The same of those that have this hash of the text as well. */
size_t matches_find_twins(const struct matches *matches, const struct tags *tags,
			  const struct queue *queue, uint32_t tag, uint64_t text_hash,
			  int64_t ids[MATCHES_TWINS_MAX], size_t *walked);

#endif
