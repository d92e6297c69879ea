/*
 * metrics.h - what is counted, and the two ways to read it: GET /v1/stats and GET /metrics.
 *
 * Here: the counters of the HTTP side, and one table that names every number once for both readers (but those that
 * have a label, which Prometheus alone gets).
 * Not here: who counts.
 */
#ifndef SEVQ_SERVER_CALLS_METRICS_H
#define SEVQ_SERVER_CALLS_METRICS_H

#include "queue/engine.h"

#define SEVQ_STATUS_CLASSES 6
#define SEVQ_CALLS_MAX 32

/* All uint64_t, since start; connections, buffered_bytes and streams are as of now. */
struct sevq_http_stats {
	uint64_t connections, buffered_bytes, streams;
	uint64_t accepted, refused_limit, refused_address, evicted_idle, accept_pauses, hang_ups;
	uint64_t requests, bytes_in, bytes_out;
	uint64_t late_headers, late_body, late_readers, idle_closed;
	uint64_t streams_opened, streams_refused, streams_dropped, wakes_sent, waiters_refused, tokens_throttled;
	uint64_t responses[SEVQ_STATUS_CLASSES]; /* by the status' first digit */
	uint64_t calls[SEVQ_CALLS_MAX];          /* by row of the routes */
	uint64_t problems[SEVQ_CODE_COUNT];
};

/* Everything there is to read, at one moment. */
struct sevq_metrics {
	struct sevq_engine_stats engine;
	struct sevq_http_stats http;
	uint64_t uptime_ms, oldest_age_ms;
};

struct sevq_server;

void sevq_metrics_read(const struct sevq_server *server, struct sevq_metrics *ret);
/* Both append to out. */
void sevq_metrics_json(const struct sevq_metrics *metrics, struct sevq_buf *out);
void sevq_metrics_text(const struct sevq_metrics *metrics, struct sevq_buf *out); /* Prometheus, text format 0.0.4 */

#endif
