/*
 * timers.h - when leases and delays end and events expire, on the engine's steady clock.
 *
 * Here: a heap of (time, kind, id), in order of time, then of id, so that the events of one moment
 * are told of in the order they came. A timer is not removed when its lease or event is gone, or
 * has another time: whoever pops one asks the catalog whether it still counts. Stale timers are
 * dropped together once they are most of the heap. Not here: what happens when a timer is due
 * (ops/tick.c), clocks.
 */
#ifndef QUEUE_CATALOG_TIMERS_H
#define QUEUE_CATALOG_TIMERS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum timer_kind { TIMER_LEASE, TIMER_AVAILABLE, TIMER_EXPIRES };

struct due_timer {
	int64_t at_boot_ms;
	int64_t id; /* of a lease for LEASE, else of an event */
	enum timer_kind kind;
};

/* All zero is an empty heap. */
struct timers {
	struct due_timer *heap;
	size_t count, cap;
	size_t compact_at; /* no compaction before there are so many timers */
};

void timers_add(struct timers *timers, struct due_timer timer);
const struct due_timer *timers_first(const struct timers *timers); /* NULL: none */
void timers_pop(struct timers *timers);
/*
 * Whether timers_compact is worth a pass over the heap, if at most `needed` of the timers still
 * count.
 */
bool timers_mostly_stale(const struct timers *timers, size_t needed);
/* Drops the timers for which needed answers false. */
void timers_compact(struct timers *timers, bool (*needed)(const struct due_timer *timer, void *arg),
		    void *arg);
void timers_clear(struct timers *timers);

#endif
