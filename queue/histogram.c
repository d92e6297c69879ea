/* histogram.c - the bounds of the histograms that an engine keeps. */
#include "queue/histogram.h"

const struct histogram_bounds event_wait_bounds = {
	9, { 10, 100, 1000, 10000, 60000, 600000, 3600000, 21600000, 86400000 }
};
const struct histogram_bounds commit_duration_bounds = {
	10, { 100, 250, 500, 1000, 2500, 5000, 10000, 50000, 250000, 1000000 }
};
const struct histogram_bounds commit_batch_bounds = { 7, { 0, 1, 3, 10, 30, 100, 1000 } };
