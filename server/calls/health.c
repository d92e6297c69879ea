/*
 * health.c - livez, readyz, healthz, version: for monitors, without a token.
 */
#include "server/calls/calls.h"

#include "server/calls/field.h"
#include "server/calls/json.h"
#include "server/http/reply.h"
#include "server/server.h"

static void
answer(struct sevq_request *request, const char *json)
{
	if (sevq_query_read(request, NULL, 0, NULL, NULL) != 0)
		return;
	sevq_buf_adds(sevq_reply_begin(request), json);
	sevq_reply_send(request, &(struct sevq_reply){ .status = 200 });
}

/* The loop turns. */
void
sevq_health_live(struct sevq_request *request)
{
	answer(request, "{\"status\":\"ok\"}");
}

/* An event could be taken now. */
void
sevq_health_ready(struct sevq_request *request)
{
	struct sevq_error err;

	if (request->server->closing)
		sevq_fail(&err, SEVQ_CLOSING, "the server is shutting down");
	else if (sevq_engine_ready(request->server->engine, &err)) {
		answer(request, "{\"status\":\"ok\"}");
		return;
	}
	sevq_problem_send(request, &err);
}

void
sevq_health_version(struct sevq_request *request)
{
	answer(request, "{\"version\":\"" SEVQ_VERSION "\"}");
}
