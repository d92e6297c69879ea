/*
 * catalog.h - what is pending, in memory: the queues by their keys, the leases, and sums over them.
 *
 * Here: finding queues and leases, sums, memory; what loading puts in for good. The catalog is the
 * fold of the store's two logs, rebuilt on open.
 * Not here: how a batch changes it (journal.h), texts (they stay in the store), SQL, HTTP, the
 * rules (queue/ops).
 *
 * A batch changes the catalog while it is being planned, because its later ops must see its earlier
 * ones. Nobody else sees it: other readers are ops, answered when the commit is durable, or look
 * between turns. Each change is journaled until it is committed or rolled back, so what a caller
 * learns has always been committed.
 */
#ifndef QUEUE_CATALOG_CATALOG_H
#define QUEUE_CATALOG_CATALOG_H

#include "queue/catalog/queue.h"
#include "queue/catalog/tag.h"

struct change; /* journal.c's */

struct catalog {
	struct table index; /* queues by key; owned */
	struct tags tags;
	struct leases leases;
	/* events; queues with at least one. The index has the batch's empty queues too */
	size_t pending, sessions;
	size_t entry_bytes; /* allocated for entries */
	size_t key_bytes;
	/* Of the batch under way: */
	struct queue **touched; /* each once */
	size_t touched_count, touched_cap;
	struct change *journal;
	size_t journal_count, journal_cap;
};

void catalog_init(struct catalog *catalog);
void catalog_clear(struct catalog *catalog);
size_t catalog_bytes(const struct catalog *catalog);

/* NULL: nothing pending */
struct queue *catalog_find(const struct catalog *catalog, struct str queue_key);
/* Makes the queue empty where it is missing; it is gone at the end of the batch if it stays so. */
struct queue *catalog_find_or_add(struct catalog *catalog, struct str queue_key);
/* The same, where the hash of the key (text_hash) is at hand. */
struct queue *catalog_find_hashed(const struct catalog *catalog, struct str queue_key,
				  uint64_t hash);
struct queue *catalog_find_or_add_hashed(struct catalog *catalog, struct str queue_key,
					 uint64_t hash);
struct queue *catalog_each(const struct catalog *catalog, size_t *at); /* as table_each */

/* The event's lease, delay and time to live; empty where it has none. */
static inline struct extra
catalog_extra(const struct catalog *catalog, int64_t id)
{
	return leases_extra(&catalog->leases, id);
}

/* A lease that holds something; NULL: over, or never was. */
struct lease *catalog_lease(const struct catalog *catalog, int64_t id);

/*
 * Appends an event when the store is loaded: final at once, not journaled. The tag's reference
 * passes to the queue. Ids must ascend. Moves entries: older pointers are dead.
 */
void catalog_load_event(struct catalog *catalog, struct queue *queue,
			const struct system_event *event, uint64_t text_hash, uint32_t tag);
/*
 * When the store is loaded, after the events: a last context that has outlived its own. Final at
 * once; takes over the reference.
 */
void catalog_load_kept_last(struct catalog *catalog, struct queue *queue, uint32_t tag);

/* For journal.c. */
/* The queue has one event more, or one less: the sums follow. */
static inline void
catalog_count_in(struct catalog *catalog, const struct queue *queue)
{
	catalog->sessions += queue->depth == 1;
	catalog->pending++;
}
static inline void
catalog_count_out(struct catalog *catalog, const struct queue *queue)
{
	catalog->sessions -= queue->depth == 0;
	catalog->pending--;
}
/* Adds the queue to the touched ones. */
void catalog_touch(struct catalog *catalog, struct queue *queue);
/* The end of a batch: touched queues are squeezed, or dropped where nothing is left in them. */
void catalog_tidy(struct catalog *catalog);

#endif
