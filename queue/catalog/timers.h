/*
 * timers.h - what is due when: the ends of leases, delays and times to live, on the engine's steady clock.
 *
 * Here: a heap of (time, kind, id). A timer is never taken out early: what it was for may be over when it comes up, so
 * whoever pops it asks the catalog. Timers that are over are squeezed out when they are most of the heap.
 * Not here: what happens then (op_tick.c), clocks.
 */
#ifndef SEVQ_QUEUE_CATALOG_TIMERS_H
#define SEVQ_QUEUE_CATALOG_TIMERS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum sevq_timer_kind { SEVQ_TIMER_LEASE, SEVQ_TIMER_AVAILABLE, SEVQ_TIMER_EXPIRES };

struct sevq_timer {
	int64_t at_boot_ms;
	int64_t id; /* of a lease for LEASE, else of an event */
	enum sevq_timer_kind kind;
};

/* All zero is an empty heap. */
struct sevq_timers {
	struct sevq_timer *heap;
	size_t count, cap;
	size_t squeeze_at; /* not before there are so many */
};

void sevq_timers_add(struct sevq_timers *timers, struct sevq_timer timer);
const struct sevq_timer *sevq_timers_first(const struct sevq_timers *timers); /* NULL: none */
void sevq_timers_pop(struct sevq_timers *timers);
/* Whether most of the timers are over where at most so many are needed, and looking at them all is worth it. */
bool sevq_timers_crowded(const struct sevq_timers *timers, size_t needed);
/* Keeps only the timers for which needed says so. */
void sevq_timers_squeeze(struct sevq_timers *timers, bool (*needed)(const struct sevq_timer *timer, void *arg), void *arg);
void sevq_timers_clear(struct sevq_timers *timers);

#endif
