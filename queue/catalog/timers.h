/*
 * timers.h - what is due when: the ends of leases, delays and times to live, on the engine's steady
 * clock.
 *
 * Here: a heap of (time, kind, id). A timer is never taken out early: what it was for may be over
 * when it comes up, so whoever pops it asks the catalog. Timers that are over are squeezed out when
 * they are most of the heap.
 * Not here: what happens then (op_tick.c), clocks.
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
	size_t compact_at; /* not before there are so many */
};

void timers_add(struct timers *timers, struct due_timer timer);
const struct due_timer *timers_first(const struct timers *timers); /* NULL: none */
void timers_pop(struct timers *timers);
/*
 * Whether most of the timers are over where at most so many are needed, and looking at them all is
 * worth it.
 */
bool timers_mostly_stale(const struct timers *timers, size_t needed);
/* Keeps only the timers for which needed says so. */
void timers_compact(struct timers *timers, bool (*needed)(const struct due_timer *timer, void *arg),
		    void *arg);
void timers_clear(struct timers *timers);

#endif
