/*
 * lookup.h - the driver's lookup: what is stored about a lease, an event, an idempotency key.
 */
#ifndef QUEUE_SQLITE_LOOKUP_H
#define QUEUE_SQLITE_LOOKUP_H

#include "queue/sqlite/database.h"

/* As store_driver.lookup says (queue/store.h). */
void sqlite_lookup(struct store *base, const struct lookup *lookups, size_t count,
		   lookup_found *each, read_done *done, void *arg);

/* Outcomes of one clock mark (queue/clock_marks.h), whose times never decrease. */
struct outcome_range {
	int64_t first, end; /* ids; end itself is not in it */
};
struct outcome_range lookup_range_of_mark(const struct sqlite_store *store, size_t index);

/* The id of the first outcome of the range with a time of at least ts_ms; its end: none is. */
int64_t lookup_outcome_since(struct sqlite_store *store, struct outcome_range range, int64_t ts_ms);

#endif
