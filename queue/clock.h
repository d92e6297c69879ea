/*
 * clock.h - what time it is, for everything that is due some day.
 *
 * Here: the wall clock, which is written down, and the steady one (CLOCK_BOOTTIME), which counts
 * suspends and is what everything runs on while a server runs. One variable, so that a test can
 * stop time and let it jump.
 * Not here: which of them means what (engine, load), how long a commit took. Private to queue/.
 */
#ifndef QUEUE_CLOCK_H
#define QUEUE_CLOCK_H

#include <stdint.h>

struct clock {
	int64_t wall_ms; /* since 1970; may jump either way */
	int64_t boot_ms; /* since the machine started; never goes back */
};
extern struct clock (*clock_now)(void);

#endif
