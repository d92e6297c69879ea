/*
 * journal.h - how a batch changes the catalog: every change with its way back.
 *
 * Here: the changes, a mark to roll back to inside a batch, and the two ends of a batch.
 * Not here: changes that loading makes for good (catalog.h), the rules (queue/ops).
 */
#ifndef QUEUE_CATALOG_JOURNAL_H
#define QUEUE_CATALOG_JOURNAL_H

#include "queue/catalog/catalog.h"

/*
 * Appends the event; the tag's reference passes to the queue. Ids must ascend. Moves entries: older
 * pointers are dead.
 */
void journal_append(struct catalog *catalog, struct queue *queue, const struct system_event *event,
		    uint64_t text_hash, uint32_t tag);
/* Takes the entry out; it leaves its lease, if it has one. */
void journal_remove(struct catalog *catalog, struct queue *queue, struct entry *entry);

/*
 * Gives an entry another state: LEASED and DELAYED as the extra says (a lease; an available time
 * above 0), its attempts as given. An extra without anything in it is none. *extra is copied.
 */
void journal_set_state(struct catalog *catalog, struct queue *queue, struct entry *entry,
		       int attempts, const struct extra *extra);

/* Makes tag the source of the last context (0: none). */
void journal_set_last(struct catalog *catalog, struct queue *queue, uint32_t tag);
/*
 * The entry will be evicted: if the last context is its own, it outlives it. To be called before.
 */
void journal_keep_last(struct catalog *catalog, struct queue *queue, const struct entry *entry);
/* After removals: the newest remaining context key, else none (ROUTING section 7). */
void journal_refresh_last(struct catalog *catalog, struct queue *queue);

/* Adds a copy, which holds nothing yet. A lease that holds nothing is gone at the end of the batch.
 */
struct lease *journal_add_lease(struct catalog *catalog, const struct lease *from);
/* Says when the lease's timer comes up. */
void journal_set_timer(struct catalog *catalog, struct lease *lease, int64_t at_boot_ms);

/* The place in the journal to roll back to; 0 is the beginning of the batch. */
size_t journal_mark(const struct catalog *catalog);
void journal_rollback(struct catalog *catalog, size_t mark);
void journal_commit(struct catalog *catalog);

#endif
