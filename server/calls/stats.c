/*
 * stats.c - GET /v1/stats: the numbers of metrics as JSON.
 */
#include "server/calls/calls.h"
#include "server/calls/field.h"
#include "server/calls/metrics.h"
#include "server/http/reply.h"

void
stats_get(struct request *request)
{
	struct metrics metrics;

	if (query_read(request, NULL, 0, NULL, NULL) != 0)
		return;
	metrics_read(calls_of(request), &metrics);
	metrics_json(&metrics, reply_begin(request));
	reply_send(request, &(struct reply){ .status = 200 });
}
