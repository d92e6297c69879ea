/*
 * stats.h - what an engine counts.
 *
 * Here: the struct. Not here: who counts what (batch, ops, engine), how it is shown
 * (server/calls/metrics).
 */
#ifndef QUEUE_STATS_H
#define QUEUE_STATS_H

#include "queue/histogram.h"
#include "queue/store.h"

/* Counters since the engine was opened, and the present state. */
struct engine_stats {
	uint64_t outcomes[OUTCOME_COUNT]; /* events, by what happened to them */
	uint64_t enqueued, duplicates;    /* events */
	/* calls */
	uint64_t rejected_session_full, rejected_sessions_full, rejected_pending_full,
	    rejected_storage_full;
	/* calls refused because the answers of their batch were over the answer budget */
	uint64_t rejected_answers;
	/* commits: of batches that had something to write; ops: all kinds, reads included */
	uint64_t commits, commit_failures, ops;
	/* entries of queues that ops have looked at one by one */
	uint64_t walked;
	/* the largest batch, in ops */
	size_t batch_ops_max;
	/* time spent in commits */
	uint64_t commit_us_total;
	uint64_t routed[RULE_COUNT];      /* events stored, by rule */
	struct histogram event_wait;      /* milliseconds from arrival until the first take */
	struct histogram commit_duration; /* microseconds */
	struct histogram commit_batch;    /* events that one commit stored */
	/* how often the wall clock jumped by more than a minute */
	uint64_t clock_jumps;
	/* events for answers, found in memory (recent.h), and read from the store */
	uint64_t recent_hits, recent_misses;
	/* The present state, from here on; engine_stats copies the counters above apart. */
	size_t pending, sessions, leased_now, delayed_now, leases, waiters; /* now */
	/* stranded queues and their events; queues that the policy in force has not judged yet */
	size_t stranded_sessions, stranded_events, unjudged;
	/* memory of the catalog */
	size_t catalog_bytes;
	/* memory of recent events */
	size_t recent_bytes;
	struct store_stats store;
};

#endif
