/*
 * stats.c - GET /v1/stats: the numbers of metrics as JSON, and what the server runs by.
 */
#include "server/calls/calls.h"
#include "server/calls/json.h"
#include "server/calls/metrics.h"
#include "server/http/reply.h"
#include "server/policy_in_force.h"

/* What it runs by, and the limits that calls may reach. */
static void
add_configuration(struct buf *out, const struct calls *calls)
{
	const struct call_limits *limits = &calls->limits;

	BUF_ADD_LITERAL(out, ",\"version\":\"" SEVQ_VERSION "\",\"policyHash\":");
	json_add_text(out, policy_in_force_hash(calls->policy));
	buf_addf(out,
		 ",\"limits\":{\"maxPending\":%lld,\"maxPendingTotal\":%lld,\"maxSessions\":%lld,"
		 "\"maxWaiters\":%lld,\"maxStreams\":%lld,\"dbMaxBytes\":%lld,"
		 "\"dbMinFreeBytes\":%lld}}",
		 (long long)limits->pending_max, (long long)limits->pending_total_max,
		 (long long)limits->sessions_max, (long long)limits->waiters_max,
		 (long long)limits->streams_max, (long long)limits->db_bytes_max,
		 (long long)limits->db_free_bytes_min);
}

static void
answer(struct request *request)
{
	struct metrics metrics;

	metrics_read(request, &metrics);
	struct buf *out = reply_begin(request);
	metrics_json(&metrics, out);
	add_configuration(out, calls_of(request));
	reply_send(request, &(struct reply){ .status = 200 });
}

void
stats_get(struct request *request)
{
	metrics_send(request, answer);
}
