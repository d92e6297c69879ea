/*
 * leases.h - the leases, and the delay and time to live of events that have one.
 *
 * Here: the extras and deliveries by event id and the leases by their id, and how many events each
 * lease holds. Not here: the entries and counts of a queue (queue.h), which is only pointed to. Nor
 * how a change is rolled back (journal.h), nor what happens when a time comes (timers.h,
 * queue/ops).
 */
#ifndef QUEUE_CATALOG_LEASES_H
#define QUEUE_CATALOG_LEASES_H

#include <sys/queue.h>

#include "queue/catalog/table.h"
#include "schema/str.h"

struct queue;

/*
 * The lease, delay and time to live of one event. Times are of the engine's steady clock
 * (CLOCK_BOOTTIME), 0 for none; the wall times beside them are shown to people.
 */
struct extra {
	int64_t id; /* of the event */
	struct queue *queue;
	struct lease *lease;       /* NULL unless the entry is leased */
	int64_t lease_end_boot_ms; /* of this event: an extend may name only some of a lease */
	int64_t available_boot_ms, expires_boot_ms;
	int64_t available_at_ms, expires_at_ms;
};

/*
 * What the timeline of one event has of its deliveries and may lose to later ones
 * (ops/timeline.h). Outcomes are ids; 0: none of the kind.
 */
struct deliveries {
	int64_t id;          /* of the event */
	uint32_t given_back; /* how many have ended without an attempt counted */
	uint32_t extensions; /* of its lease */
	int64_t extended;    /* the outcome that extended its lease last */
	/* the newest that was given back, once so many are that it may give way */
	struct past_delivery {
		int64_t leased, extended, returned;
		size_t events; /* that the lease had */
	} past;
};

/*
 * Some events of one queue, held for one consumer until a time. Its timer comes up at the first end
 * of an event that it holds, or before.
 */
struct lease {
	int64_t id; /* of the outcome that recorded it */
	struct queue *queue;
	bool exclusive;        /* nothing else of the queue is deliverable meanwhile */
	bool touched;          /* by the batch under way */
	size_t live;           /* how many events it still holds; 0: it is over */
	int64_t timer_boot_ms; /* when its timer comes up; its other timers are stale */
	const int64_t *ids;    /* of all events it ever held, ascending; behind the struct */
	size_t count;
	struct consumer *consumer; /* who holds it; NULL: without a name */
	LIST_ENTRY(lease) beside;  /* among the leases of the consumer */
};

/* A name under which leases are held, and these leases, newest first. It exists while one does. */
struct consumer {
	struct str name; /* behind the struct */
	struct keyed_hash hash;
	LIST_HEAD(, lease) leases;
};

/* All zero is empty. */
struct leases {
	struct table extras;  /* by event id; owned */
	struct extra **spare; /* freed extras for reuse: leases come and go by the thousand */
	size_t spare_count, spare_cap;
	struct table deliveries; /* by event id; owned */
	struct table by_id;      /* leases; owned */
	struct table consumers;  /* by name; owned */
	size_t lease_bytes;
	struct lease **touched; /* leases of the batch under way, each once */
	size_t touched_count, touched_cap;
};

void leases_clear(struct leases *leases);
size_t leases_bytes(const struct leases *leases);

/* The event's extra, or an empty one. */
struct extra leases_extra(const struct leases *leases, int64_t id);
/* The extra that is stored for the event; NULL: none. */
struct extra *leases_stored_extra(const struct leases *leases, int64_t id);
/*
 * Replaces the stored extra (NULL: there is none) by a copy of the new one, and moves the event
 * from the lease of the old to that of the new one. An extra that says nothing is not
 * stored.
 */
void leases_put_extra(struct leases *leases, struct extra *stored, const struct extra *extra);

/* What is known of the event's deliveries; all zero but for the id: nothing. */
struct deliveries leases_deliveries(const struct leases *leases, int64_t id);
bool leases_has_deliveries(const struct leases *leases, int64_t id);
/* Replaces it; what says nothing is not stored. */
void leases_put_deliveries(struct leases *leases, const struct deliveries *deliveries);

/* The lease of this id, even if it holds no event; NULL: none. */
struct lease *leases_find(const struct leases *leases, int64_t id);
/*
 * Adds a copy of the lease and its ids, held by the consumer of this name (NULL: none); the copy
 * holds no event yet.
 */
struct lease *leases_add(struct leases *leases, const struct lease *from, struct str consumer);
void leases_remove(struct leases *leases, struct lease *lease);
/* The consumer of this name; NULL: it holds no lease. */
const struct consumer *leases_consumer(const struct leases *leases, struct str name);

/* Adds the lease to those that the batch under way has touched. */
void leases_touch(struct leases *leases, struct lease *lease);
/* Removes a touched lease from them. */
void leases_untouch(struct leases *leases, const struct lease *lease);

#endif
