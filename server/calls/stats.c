/*
 * stats.c - GET /v1/stats: the numbers of metrics as JSON.
 */
#include "server/calls/calls.h"

#include "server/calls/field.h"
#include "server/calls/metrics.h"
#include "server/http/reply.h"

void
sevq_stats_get(struct sevq_request *request)
{
	struct sevq_metrics metrics;

	if (sevq_query_read(request, NULL, 0, NULL, NULL) != 0)
		return;
	sevq_metrics_read(request->server, &metrics);
	sevq_metrics_json(&metrics, sevq_reply_begin(request));
	sevq_reply_send(request, &(struct sevq_reply){ .status = 200 });
}
