/*
 * bounds.h - which numbers a row may have.
 *
 * Beyond these they are damage: no row of ours comes near them, and sums and differences of a few
 * of them fit into 64 bits.
 */
#ifndef QUEUE_SQLITE_BOUNDS_H
#define QUEUE_SQLITE_BOUNDS_H

#include <stdbool.h>
#include <stdint.h>

#define BOUNDS_ID_MAX (INT64_MAX >> 4)
#define BOUNDS_TIME_MAX (INT64_MAX >> 4)

static inline bool
bounds_hold_id(int64_t id)
{
	return id > 0 && id <= BOUNDS_ID_MAX;
}

/* Also a distance between times, which may be negative. */
static inline bool
bounds_hold_time(int64_t ms)
{
	return ms >= -BOUNDS_TIME_MAX && ms <= BOUNDS_TIME_MAX;
}

#endif
