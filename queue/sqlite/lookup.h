/*
 * lookup.h - the driver's lookup: what is stored about a lease, an event, an idempotency key.
 */
#ifndef QUEUE_SQLITE_LOOKUP_H
#define QUEUE_SQLITE_LOOKUP_H

#include "queue/sqlite/database.h"

/* As store_driver.lookup says (queue/store.h). */
void sqlite_lookup(struct store *base, const struct lookup *lookups, size_t count,
		   lookup_found *each, read_done *done, void *arg);

/* The id of the first outcome with a time of at least ts_ms; above the newest when there is none.
 */
int64_t lookup_outcome_since(struct sqlite_store *store, int64_t ts_ms);

#endif
