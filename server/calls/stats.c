/*
 * stats.c - GET /v1/stats: the numbers of metrics as JSON.
 */
#include "server/calls/calls.h"
#include "server/calls/metrics.h"
#include "server/http/reply.h"

static void
answer(struct request *request)
{
	struct metrics metrics;

	metrics_read(request, &metrics);
	metrics_json(&metrics, reply_begin(request));
	reply_send(request, &(struct reply){ .status = 200 });
}

void
stats_get(struct request *request)
{
	metrics_send(request, answer);
}
