/*
 * clock.h - what time it is: the one file that reads the kernel's clocks.
 *
 * Here: the wall clock, for times that are stored and shown; the boot clock (CLOCK_BOOTTIME), which
 * counts suspends and decides when an event is due; the monotonic clock, for durations and for the
 * deadlines of connections; and the processor time of the thread, which measures work without
 * waiting. The first two are read together through a variable, so that a test can stop time and let
 * it jump.
 * Not here: which deadline uses which clock (steady, server/http/deadline).
 */
#ifndef QUEUE_CLOCK_H
#define QUEUE_CLOCK_H

#include <stdint.h>

struct clock {
	int64_t wall_ms; /* since 1970; may jump either way */
	int64_t boot_ms; /* since the machine started; never goes back */
	/* another number after each start of the machine; 0: unknown, as without /proc */
	uint64_t boot_id;
};
extern struct clock (*clock_now)(void);

/* Microseconds on the monotonic clock, since some moment; never goes back. */
int64_t clock_monotonic_us(void);

/* Processor time that this thread has used, in microseconds. A system call, unlike the others. */
int64_t clock_processor_us(void);

/*
 * Milliseconds on the monotonic clock, up to a scheduler's tick late, but cheap enough for every
 * request.
 */
int64_t clock_coarse_ms(void);

/* Seconds since 1970, as late and as cheap; may jump either way. */
int64_t clock_coarse_wall_s(void);

#endif
