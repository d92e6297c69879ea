/*
 * route.c - POST /v1/route: where an event would go and why; nothing is stored.
 */
#include "server/calls/calls.h"
#include "server/calls/field.h"
#include "server/calls/json.h"
#include "server/http/reply.h"

static const struct field fields[] = {
	FIELD("sessionKey", TEXT, struct address, session_key),
	FIELD("agentId", TEXT, struct address, agent_id),
	FIELD("channel", TEXT, struct address, channel),
	FIELD("accountId", TEXT, struct address, account_id),
};

void
route_post(struct request *request)
{
	struct address address = { 0 };
	struct decision decision;
	struct error err;

	if (body_read(request, fields, sizeof(fields) / sizeof(fields[0]), &address, &address) != 0)
		return;
	if (engine_route(calls_of(request)->engine, &address, &request->arena, &decision, &err) !=
		0 ||
	    caller_check(&request->caller, decision.queue_key, &err) != 0) {
		problem_send(request, &err);
		return;
	}
	json_add_decision(reply_begin(request), &decision);
	reply_send(request, &(struct reply){ .status = 200 });
}
