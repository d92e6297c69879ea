/*
 * catalog.h - the pending events, in memory: the queues by their keys, the leases, and sums.
 *
 * Here: finding queues and leases, sums, memory, and what loading adds for good. The catalog is
 * what the store's two logs amount to, rebuilt from them on open. Not here: the changes of a batch
 * (journal.h), texts (they stay in the store), SQL, HTTP, the rules (queue/ops).
 *
 * A batch changes the catalog while it is being planned, because its later ops must see what the
 * earlier ones did. Nobody outside sees a change that could still be rolled back: other readers are
 * ops, which are answered once the commit is durable, or they read between batches.
 */
#ifndef QUEUE_CATALOG_CATALOG_H
#define QUEUE_CATALOG_CATALOG_H

#include "queue/catalog/dead_letters.h"
#include "queue/catalog/key_order.h"
#include "queue/catalog/matches.h"
#include "queue/catalog/moved.h"

struct change; /* journal.c's */

struct catalog {
	struct table index; /* queues by key; owned */
	struct tags tags;
	struct leases leases;
	struct matches matches;
	struct moved_events moved;
	struct key_order stranded; /* the keys of queues with a strand */
	struct dead_letters dead;  /* of written commits only */
	/* events; queues with at least one. The index also has queues that the batch emptied */
	size_t pending, sessions;
	size_t leased, delayed; /* of pending */
	size_t entry_bytes;     /* allocated for entries */
	size_t key_bytes;       /* of queues, their keys and their strands */
	struct catalog_walk {
		uint32_t number;                   /* one more with each walk */
		size_t left;                       /* queues that it has not met yet */
		size_t at;                         /* in the index */
	} walks[WALK_KINDS];                       /* the last of each kind */
	size_t stranded_sessions, stranded_events; /* of queues with a strand */
	/* Of the batch under way: */
	struct queue **touched; /* each once */
	size_t touched_count, touched_cap;
	struct change *journal;
	size_t journal_count, journal_cap;
	struct entry *merged; /* those that journal_merge has merged, to take them out again */
	size_t merged_count, merged_cap;
};

void catalog_init(struct catalog *catalog);
void catalog_clear(struct catalog *catalog);
size_t catalog_bytes(const struct catalog *catalog);

/* The queue of that key; NULL: nothing is pending there. */
struct queue *catalog_find(const struct catalog *catalog, struct str queue_key);
/* The same, but a missing queue is added; it is dropped at the end of the batch if it is empty. */
struct queue *catalog_find_or_add(struct catalog *catalog, struct str queue_key);
/* Both with the hash of the key, for callers that have it already. */
struct queue *catalog_find_hashed(const struct catalog *catalog, struct str queue_key,
				  struct keyed_hash hash);
struct queue *catalog_find_or_add_hashed(struct catalog *catalog, struct str queue_key,
					 struct keyed_hash hash);
struct queue *catalog_each(const struct catalog *catalog, size_t *at); /* as table_each */

/* The event's lease, delay and time to live; all zero but for the id if it has none of them. */
static inline struct extra
catalog_extra(const struct catalog *catalog, int64_t id)
{
	return leases_extra(&catalog->leases, id);
}
/* The same, without a lookup if the entry has none of them. */
static inline struct extra
catalog_extra_of(const struct catalog *catalog, const struct entry *entry)
{
	return entry_has_extra(entry) ? catalog_extra(catalog, entry->id)
				      : (struct extra){ .id = entry->id };
}

/* The lease, if it still holds events; NULL: it is over, or never was. */
struct lease *catalog_lease(const struct catalog *catalog, int64_t id);

/*
 * Appends an event for good, without the journal. The queue takes over the caller's reference to
 * the tag. Ids must ascend. Moves entries: pointers to them become invalid.
 */
void catalog_load_event(struct catalog *catalog, struct queue *queue,
			const struct system_event *event, uint64_t text_hash, uint32_t tag);
/*
 * Sets, for good and after the events are loaded, a last context that was kept although its event
 * was evicted. Takes over the caller's reference to the tag.
 */
void catalog_load_kept_last(struct catalog *catalog, struct queue *queue, uint32_t tag);

/* Begins a walk that meets every queue once, but none that is made later. */
void catalog_walk_begin(struct catalog *catalog, enum walk_kind kind);
/*
 * Returns the next queue that the walk meets. NULL: it has met all (left is 0); or this call has
 * looked at as many in vain as one turn may. The catalog may change between two calls.
 */
struct queue *catalog_walk_next(struct catalog *catalog, enum walk_kind kind);

/* Sets the queue's strand to a copy; NULL: the key stands. */
void catalog_set_strand(struct catalog *catalog, struct queue *queue, const struct strand *strand);

/* The stranded queue with the lowest key behind this one; NULL: of all. NULL: there is none. */
struct queue *catalog_next_stranded(const struct catalog *catalog, struct str after);

/* For journal.c. */
/* Follow in the sums that the queue has one event more, or one less. */
static inline void
catalog_count_in(struct catalog *catalog, const struct queue *queue)
{
	catalog->sessions += queue->depth == 1;
	catalog->pending++;
	if (queue->strand != NULL) {
		catalog->stranded_sessions += queue->depth == 1;
		catalog->stranded_events++;
	}
}
static inline void
catalog_count_out(struct catalog *catalog, const struct queue *queue)
{
	catalog->sessions -= queue->depth == 0;
	catalog->pending--;
	if (queue->strand != NULL) {
		catalog->stranded_sessions -= queue->depth == 0;
		catalog->stranded_events--;
	}
}
/* Adds the queue to those that the batch under way has touched. */
void catalog_touch(struct catalog *catalog, struct queue *queue);
/* Ends the batch for the touched queues: compacts them, and drops the empty ones. */
void catalog_tidy(struct catalog *catalog);

#endif
