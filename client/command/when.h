/*
 * when.h - durations and dates as people write them.
 *
 * Here: reading them. Not here: writing times (table.h), the clocks (client/clock.h).
 */
#ifndef SEVQ_COMMAND_WHEN_H
#define SEVQ_COMMAND_WHEN_H

#include <stdbool.h>
#include <stdint.h>

/*
 * Reads "250ms", "90s", "5m", "2h", "1d", or a number of seconds; from 1 ms to most_ms. *ret is
 * written only on success, as below.
 */
bool sevq_duration_read(const char *text, int64_t most_ms, int64_t *ret);

/* Reads "2027-01-31" or "2027-01-31T12:00:00Z", in UTC, as milliseconds since 1970. */
bool sevq_date_read(const char *text, int64_t *ret);

/*
 * Reads a moment before now: a duration back from now, a date as above, or one without its seconds
 * or its Z. In milliseconds since 1970, and at least 1.
 */
bool sevq_moment_read(const char *text, int64_t *ret);

#endif
