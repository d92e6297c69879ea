/*
 * histogram.c - 64 buckets for each doubling of the time, and one a microsecond below 128.
 */
#include "histogram.h"

#define STEPS UINT64_C(64)

/* The right shift that brings a time below 2 * STEPS. */
static unsigned
shift_of(uint64_t us)
{
	return us < 2 * STEPS ? 0 : 57 - (unsigned)__builtin_clzll(us);
}

static uint64_t
bucket_of(uint64_t us)
{
	const unsigned shift = shift_of(us);

	return (uint64_t)shift * STEPS + (us >> shift);
}

uint64_t
histogram_end(uint64_t bucket)
{
	const uint64_t shift = bucket < 2 * STEPS ? 0 : bucket / STEPS - 1;

	return ((bucket - shift * STEPS + 1) << shift) - 1;
}

void
histogram_add(struct histogram *h, uint64_t us)
{
	h->buckets[bucket_of(us)]++;
	h->count++;
	if (us > h->max)
		h->max = us;
}

uint64_t
histogram_quantile(const struct histogram *h, double q)
{
	const double wanted = q * (double)h->count;
	uint64_t bucket, seen = 0;

	for (bucket = 0; bucket < HISTOGRAM_BUCKETS; bucket++) {
		seen += h->buckets[bucket];
		if (h->buckets[bucket] > 0 && (double)seen >= wanted)
			return histogram_end(bucket) < h->max ? histogram_end(bucket) : h->max;
	}
	return 0;
}
