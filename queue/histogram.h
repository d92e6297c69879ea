/*
 * histogram.h - how often a value was within which bounds.
 *
 * Here: the counts, and the bounds of those that an engine keeps. Not here: how they are shown
 * (server/calls/metrics).
 */
#ifndef QUEUE_HISTOGRAM_H
#define QUEUE_HISTOGRAM_H

#include <stddef.h>
#include <stdint.h>

#define HISTOGRAM_BOUNDS_MAX 10

struct histogram_bounds {
	size_t count;
	uint64_t most[HISTOGRAM_BOUNDS_MAX]; /* ascending; included */
};

struct histogram {
	uint64_t counts[HISTOGRAM_BOUNDS_MAX + 1]; /* the last used one: over all bounds */
	uint64_t sum;
};

static inline void
histogram_add(struct histogram *histogram, const struct histogram_bounds *bounds, uint64_t value)
{
	size_t i = 0;

	while (i < bounds->count && value > bounds->most[i])
		i++;
	histogram->counts[i]++;
	histogram->sum += value;
}

extern const struct histogram_bounds event_wait_bounds;      /* milliseconds */
extern const struct histogram_bounds commit_duration_bounds; /* microseconds */
extern const struct histogram_bounds commit_batch_bounds;    /* events */

#endif
