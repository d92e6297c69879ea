/*
 * route.c - POST /v1/route: where an event would go and why; nothing is stored.
 */
#include "server/calls/calls.h"

#include "server/calls/field.h"
#include "server/calls/json.h"
#include "server/http/reply.h"
#include "server/server.h"

static const struct sevq_field fields[] = {
	SEVQ_FIELD("sessionKey", TEXT, struct sevq_address, session_key),
	SEVQ_FIELD("agentId", TEXT, struct sevq_address, agent_id),
	SEVQ_FIELD("channel", TEXT, struct sevq_address, channel),
	SEVQ_FIELD("accountId", TEXT, struct sevq_address, account_id),
};

void
sevq_route_post(struct sevq_request *request)
{
	struct sevq_address address = { 0 };
	struct sevq_decision decision;
	struct sevq_error err;

	if (sevq_body_read(request, fields, sizeof fields / sizeof fields[0], &address, &address) != 0)
		return;
	if (sevq_engine_route(request->server->engine, &address, &request->arena, &decision, &err) != 0) {
		sevq_problem_send(request, &err);
		return;
	}
	sevq_json_add_decision(sevq_reply_begin(request), &decision);
	sevq_reply_send(request, &(struct sevq_reply){ .status = 200 });
}
