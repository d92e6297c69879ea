/*
 * metrics.h - what is counted, and the two ways to read it: GET /v1/stats and GET /metrics.
 *
 * Here: the counters of the HTTP side, and one table that names every number once for both readers
 * (but those that have a label, which Prometheus alone gets).
 * Not here: who counts.
 */
#ifndef SERVER_CALLS_METRICS_H
#define SERVER_CALLS_METRICS_H

#include "queue/engine.h"

#define STATUS_CLASSES 6
#define CALLS_MAX 32

/* All uint64_t, since start; connections, buffered_bytes and streams are as of now. */
struct http_stats {
	uint64_t connections, buffered_bytes, streams;
	uint64_t accepted, refused_limit, refused_address, evicted_idle, accept_pauses, hang_ups;
	uint64_t requests, bytes_in, bytes_out;
	uint64_t late_headers, late_body, late_readers, idle_closed;
	uint64_t streams_opened, streams_refused, streams_dropped, wakes_sent, waiters_refused,
	    tokens_throttled;
	uint64_t responses[STATUS_CLASSES]; /* by the status' first digit */
	uint64_t calls[CALLS_MAX];          /* by row of the routes */
	uint64_t problems[ERROR_CODE_COUNT];
};

/* Everything there is to read, at one moment. */
struct metrics {
	struct engine_stats engine;
	struct http_stats http;
	uint64_t uptime_ms, oldest_age_ms;
};

struct server;

void metrics_read(const struct server *server, struct metrics *ret);
/* Both append to out. */
void metrics_json(const struct metrics *metrics, struct buf *out);
/* Prometheus, text format 0.0.4 */
void metrics_text(const struct metrics *metrics, struct buf *out);

#endif
