/* histogram.h - counts of durations, in buckets of one or two per cent. */
#ifndef BENCH_HISTOGRAM_H
#define BENCH_HISTOGRAM_H

#include <stdint.h>

#define HISTOGRAM_BUCKETS (UINT64_C(59) * 64)

/* All zero is empty. Microseconds. */
struct histogram {
	uint64_t buckets[HISTOGRAM_BUCKETS], count, max;
};

void histogram_add(struct histogram *h, uint64_t us);

/* The longest time that belongs to a bucket. */
uint64_t histogram_end(uint64_t bucket);

/* The q-quantile (q from 0 to 1); 0 for an empty histogram. */
uint64_t histogram_quantile(const struct histogram *h, double q);

#endif
