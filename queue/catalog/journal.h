/*
 * journal.h - the changes that a batch makes to the catalog, each of which can be rolled back.
 *
 * Here: the changes, marks to roll back to inside a batch, and the commit and rollback that end a
 * batch.
 * Not here: what loading adds for good (catalog.h), which change is right when (queue/ops).
 */
#ifndef QUEUE_CATALOG_JOURNAL_H
#define QUEUE_CATALOG_JOURNAL_H

#include "queue/catalog/catalog.h"

/*
 * Appends the event. The queue takes over the caller's reference to the tag. Ids must ascend. Moves
 * entries: pointers to them become invalid.
 */
void journal_append(struct catalog *catalog, struct queue *queue, const struct system_event *event,
		    uint64_t text_hash, uint32_t tag);
/* Removes the entry, also from its lease. The last context is the caller's to refresh. */
void journal_remove(struct catalog *catalog, struct queue *queue, struct entry *entry);

/*
 * Merges entries that other queues had into this one. It takes over their references to tags. The
 * ids ascend. Moves entries: pointers to them become invalid. The last context is the caller's to
 * find. Returns how many entries made way.
 */
size_t journal_merge(struct catalog *catalog, struct queue *queue, const struct entry *entries,
		     size_t count);
/* Notes that the queue holds this event because it was moved there (moved.h). */
void journal_set_moved(struct catalog *catalog, struct queue *queue, int64_t event);

/*
 * Sets an entry's attempts, and its lease, delay and time to live as *extra says, which is copied;
 * the id and the queue in it are filled in here.
 */
void journal_set_state(struct catalog *catalog, struct queue *queue, struct entry *entry,
		       int attempts, const struct extra *extra);

/* Sets what is known of the deliveries of an event of the queue (leases.h). */
void journal_set_deliveries(struct catalog *catalog, struct queue *queue,
			    const struct deliveries *deliveries);

/* Lets the entry count as sent with wake "now". */
void journal_set_now(struct catalog *catalog, struct queue *queue, struct entry *entry);

/* Makes the context key of the tag the last context (0: none). */
void journal_set_last(struct catalog *catalog, struct queue *queue, uint32_t tag);
/*
 * Call before evicting the entry: if the last context is the entry's, it is kept (last_kept),
 * because an eviction does not change the last context (ROUTING section 7).
 */
void journal_keep_last(struct catalog *catalog, struct queue *queue, const struct entry *entry);
/*
 * Call after removals: makes the newest remaining context key the last context, or none. Returns
 * how many entries it has looked at.
 */
size_t journal_refresh_last(struct catalog *catalog, struct queue *queue);
/* The same, also if there is no last context yet. */
size_t journal_find_last(struct catalog *catalog, struct queue *queue);

/*
 * Adds a copy of the lease, held by the consumer of this name (NULL: none). It holds no event yet:
 * journal_set_state puts events under it. A lease that holds none at the end of the batch is
 * dropped.
 */
struct lease *journal_add_lease(struct catalog *catalog, const struct lease *from,
				struct str consumer);
/* Sets when the lease's timer comes up; adding the timer is the caller's. */
void journal_set_timer(struct catalog *catalog, struct lease *lease, int64_t at_boot_ms);

/* A mark to roll back to; rolling back to 0, the beginning of the batch, ends the batch. */
size_t journal_mark(const struct catalog *catalog);
void journal_rollback(struct catalog *catalog, size_t mark);
void journal_commit(struct catalog *catalog);

#endif
