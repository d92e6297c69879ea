/*
 * census.h - what only a look at every queue can tell.
 *
 * Here: the figures, and how far the walk over the queues has come that finds them anew. All
 * readers share one walk (ops/census.c). Not here: sums that the catalog keeps with every change
 * (catalog/catalog.h).
 */
#ifndef QUEUE_CENSUS_H
#define QUEUE_CENSUS_H

#include "queue/catalog/table.h"

struct op;

/* An event, by when it came. All zero: none. */
struct census_event {
	int64_t id, ts_ms;
};

struct census {
	size_t ready;               /* events that can be had now */
	struct census_event oldest; /* of all pending events, the one that came first */
	/* the steady time since when some queue is ready (ready.h); INT64_MAX: none is */
	int64_t ready_since_ms;
	int64_t oldest_age_ms, oldest_ready_age_ms; /* when it was asked for; 0: there is none */
};

/* All zero: there has been none yet. */
struct census_walk {
	struct census found; /* so far, or in all */
	struct table_scan scan;
	const struct op *by; /* walks on in each turn; NULL: none is under way */
	size_t steps;
	int64_t ended_boot_ms; /* with all of it; 0: never */
};

#endif
