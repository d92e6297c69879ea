/*
 * stats.c - GET /v1/stats: the numbers of metrics as JSON, and what the server runs by.
 */
#include "server/calls/calls.h"
#include "server/calls/json.h"
#include "server/calls/metrics.h"
#include "server/http/reply.h"
#include "server/options.h"
#include "server/policy_in_force.h"

/* What it runs by, and the limits that calls may reach. */
static void
add_configuration(struct buf *out, const struct policy_in_force *force)
{
	const struct options *options = force->options;
	bool read = force->source.count > 0;

	BUF_ADD_LITERAL(out, ",\"version\":\"" SEVQ_VERSION "\",\"policyHash\":");
	json_add_text(out, read ? str_of(force->source.hash) : STR_NULL);
	buf_addf(out,
		 ",\"limits\":{\"maxPending\":%lld,\"maxPendingTotal\":%lld,\"maxSessions\":%lld,"
		 "\"maxWaiters\":%lld,\"maxStreams\":%lld,\"dbMaxBytes\":%lld,"
		 "\"dbMinFreeBytes\":%lld}}",
		 (long long)options->max_pending, (long long)options->max_pending_total,
		 (long long)options->max_sessions, (long long)options->max_waiters,
		 (long long)options->max_streams, (long long)options->db_max_bytes,
		 (long long)options->db_min_free_bytes);
}

static void
answer(struct request *request)
{
	struct metrics metrics;

	metrics_read(request, &metrics);
	struct buf *out = reply_begin(request);
	metrics_json(&metrics, out);
	add_configuration(out, calls_of(request)->policy);
	reply_send(request, &(struct reply){ .status = 200 });
}

void
stats_get(struct request *request)
{
	metrics_send(request, answer);
}
