/*
 * health.c - livez, readyz, healthz, version: for monitors, without a token.
 */
#include "server/calls/calls.h"
#include "server/calls/field.h"
#include "server/calls/json.h"
#include "server/http/reply.h"

static void
answer(struct request *request, const char *json)
{
	if (query_read(request, NULL, 0, NULL, NULL) != 0)
		return;
	buf_adds(reply_begin(request), json);
	reply_send(request, &(struct reply){ .status = 200 });
}

/* The loop turns. */
void
health_live(struct request *request)
{
	answer(request, "{\"status\":\"ok\"}");
}

/* An event could be taken now. */
void
health_ready(struct request *request)
{
	struct error err;

	if (request->http->closing)
		error_set(&err, ERROR_CLOSING, "the server is shutting down");
	else if (engine_ready(calls_of(request)->engine, &err)) {
		answer(request, "{\"status\":\"ok\"}");
		return;
	}
	problem_send(request, &err);
}

void
health_version(struct request *request)
{
	answer(request, "{\"version\":\"" SEVQ_VERSION "\"}");
}
