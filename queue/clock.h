/*
 * clock.h - what time it is: the one clock of queue/.
 *
 * Here: the wall clock, which is written down; the boot clock (CLOCK_BOOTTIME), which counts
 * suspends and decides what is due while a server runs; and the monotonic clock, which measures how
 * long something took. The first two are read together through a variable, so that a test can stop
 * time and let it jump.
 * Not here: which deadline uses which clock (engine, load). Private to queue/.
 */
#ifndef QUEUE_CLOCK_H
#define QUEUE_CLOCK_H

#include <stdint.h>

struct clock {
	int64_t wall_ms; /* since 1970; may jump either way */
	int64_t boot_ms; /* since the machine started; never goes back */
};
extern struct clock (*clock_now)(void);

/* Microseconds since some moment; never goes back. For durations only; tests do not replace it. */
int64_t clock_monotonic_us(void);

#endif
