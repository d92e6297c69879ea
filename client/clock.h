/*
 * clock.h - what time it is: the one file of the library and the command that reads the clocks.
 *
 * Here: the wall clock, for times that the server knows too; the monotonic clock, for durations and
 * deadlines. Not here: sleeping (command/backoff.h), times as text (command/table.h).
 */
#ifndef SEVQ_CLOCK_H
#define SEVQ_CLOCK_H

#include <stdint.h>

int64_t sevq_clock_wall_ms(void);      /* since 1970; may jump either way */
int64_t sevq_clock_monotonic_ms(void); /* since some moment; never goes back */

#endif
