/*
 * metrics.h - what is counted, and the two ways to read it: GET /v1/stats and GET /metrics.
 *
 * Here: one table that names every number once for both readers
 * (but those that have a label, which Prometheus alone gets).
 * Not here: who counts; the counters themselves (calls.h, http.h, engine.h).
 */
#ifndef SERVER_CALLS_METRICS_H
#define SERVER_CALLS_METRICS_H

#include "server/calls/calls.h"

/* Everything there is to read, at one moment. */
struct metrics {
	struct engine_stats engine;
	struct census census;
	struct http_stats http;
	const struct http_calls *table; /* whose rows http.answers counts by */
	struct call_stats calls;
	uint64_t uptime_ms, started_ms; /* started: by the wall clock */
	uint64_t ready, held;           /* ready: the server; held: events (metrics.c) */
	uint64_t policy_ok, policy_read_ms;
	uint64_t page_codes, page_sessions; /* that are good now */
};

/*
 * Reads all of it for the request and then calls answer with it, in this turn or a later one. The
 * call has no parameters.
 */
void metrics_send(struct request *request, request_handler *answer);
/* For answer: as they are now. */
void metrics_read(struct request *request, struct metrics *ret);
/* Both append to out; of the JSON object the closing brace is left out. */
void metrics_json(const struct metrics *metrics, struct buf *out);
/* Prometheus, text format 0.0.4 */
void metrics_text(const struct metrics *metrics, struct buf *out);

#endif
