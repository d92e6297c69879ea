/*
 * load.c - one load for all: the same generator for a sevqd, its peers, and the bare disk and
 * SQLite to hold them against.
 *
 *     load sync|rows --dir DIRECTORY ...
 *     load post|batch|drain|lease|wake --port PORT --token TOKEN [--connections N] [--count N |
 * --seconds S] ... load xadd|rpush|lpop|put|insert --port PORT ...
 *
 * One answer that is not what it must be ends the run with exit code 1. Prints one line of JSON.
 * Requests of the warm-up are checked but not counted. What is under way when the time is up is
 * waited for and counts, with the time that it took: a server that stalls at the end has stalled.
 */
#include "load.h"

#include <err.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "flags.h"
#include "modes.h"

static const struct mode *const modes[] = { &sync_mode,  &rows_mode,  &post_mode, &batch_mode,
					    &drain_mode, &lease_mode, &wake_mode, &xadd_mode,
					    &rpush_mode, &lpop_mode,  &put_mode,  &insert_mode };

uint64_t
now_us(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000 + (uint64_t)t.tv_nsec / 1000;
}

void
load_begin(struct load *load)
{
	load->now_us = now_us();
	load->from_us = load->now_us + (uint64_t)(load->warmup * 1e6);
	load->until_us = load->from_us + (uint64_t)(load->seconds * 1e6);
}

void
load_count(struct load *load, uint64_t begun_us, uint64_t now)
{
	if (begun_us < load->from_us)
		return;
	histogram_add(&load->times, now > begun_us ? now - begun_us : 0);
	load->requests++;
	load->events += load->size;
	load->last_us = now;
}

bool
load_is_over(const struct load *load)
{
	if (load->count > 0)
		return load->rounds_begun >= load->count;
	return load->now_us >= load->until_us && load->requests > 0;
}

static const struct mode *
find_mode(const char *name)
{
	size_t i;

	for (i = 0; i < sizeof(modes) / sizeof(modes[0]); i++)
		if (strcmp(modes[i]->name, name) == 0)
			return modes[i];
	return NULL;
}

/* Whether every flag that the mode requires is given. */
static bool
is_complete(const struct load *load)
{
	if (load->mode->protocol == NULL)
		return load->dir != NULL;
	return load->port > 0 && load->connections > 0 && load->sessions > 0 && load->size > 0;
}

static void
report_quantiles(const struct histogram *times)
{
	static const struct {
		const char *name;
		double share;
	} quantiles[] = { { "p50Us", 0.5 },
			  { "p90Us", 0.9 },
			  { "p99Us", 0.99 },
			  { "p999Us", 0.999 },
			  { "maxUs", 1 } };
	size_t i;

	for (i = 0; i < sizeof(quantiles) / sizeof(quantiles[0]); i++)
		printf(",\"%s\":%llu", quantiles[i].name,
		       (unsigned long long)histogram_quantile(times, quantiles[i].share));
}

/* Every bucket in use: its time and count. Merging several runs needs them all. */
static void
report_times(const struct histogram *times)
{
	const char *comma = "";
	uint64_t bucket;

	printf(",\"times\":[");
	for (bucket = 0; bucket < HISTOGRAM_BUCKETS; bucket++)
		if (times->buckets[bucket] > 0) {
			printf("%s[%llu,%llu]", comma, (unsigned long long)histogram_end(bucket),
			       (unsigned long long)times->buckets[bucket]);
			comma = ",";
		}
	printf("]");
}

static void
report(const struct load *load)
{
	printf(
	    "{\"mode\":\"%s\",\"rounds\":%llu,\"requests\":%llu,\"events\":%llu,\"seconds\":%.6f",
	    load->mode->name, (unsigned long long)load->rounds_begun,
	    (unsigned long long)load->requests, (unsigned long long)load->events,
	    (double)(load->last_us - load->from_us) / 1e6);
	report_quantiles(&load->times);
	report_times(&load->times);
	printf("}\n");
}

int
main(int argc, char **argv)
{
	static struct load load = { .prefix = "agent:main:bench:",
				    .token = "",
				    .connections = 1,
				    .sessions = 1000,
				    .size = 1,
				    .body_bytes = 200,
				    .seconds = 1,
				    .dice = UINT64_C(0x9e3779b97f4a7c15) };

	load.mode = argc > 1 ? find_mode(argv[1]) : NULL;
	if (load.mode == NULL || !flags_read(&load, argc, argv) || !is_complete(&load))
		errx(2, "load MODE --FLAG VALUE...; load.c says which modes, flags.c which flags");
	load.mode->run(&load);
	report(&load);
	return 0;
}
