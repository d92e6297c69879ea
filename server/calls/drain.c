/*
 * drain.c - POST /v1/drain: take and forget, oldest first.
 */
#include "server/calls/calls.h"

#include "server/calls/field.h"
#include "server/calls/idempotency.h"
#include "server/calls/json.h"
#include "server/http/reply.h"
#include "server/server.h"

static const struct sevq_field fields[] = {
	SEVQ_FIELD("sessionKey", TEXT, struct sevq_drain, address.session_key),
	SEVQ_FIELD("agentId", TEXT, struct sevq_drain, address.agent_id),
	SEVQ_FIELD("channel", TEXT, struct sevq_drain, address.channel),
	SEVQ_FIELD("accountId", TEXT, struct sevq_drain, address.account_id),
	SEVQ_FIELD_RANGE("limit", SIZE, struct sevq_drain, limit, 1, SEVQ_ANSWER_EVENTS_MAX),
	SEVQ_FIELD("contextKeyPrefix", TEXT, struct sevq_drain, context_key_prefix),
	SEVQ_FIELD("format", FORMAT, struct sevq_drain, prompt),
};

static void
answer(struct sevq_request *request)
{
	const struct sevq_drain *drain = &request->drain;
	struct sevq_reply reply = { .status = 200 };
	struct sevq_buf *out = sevq_reply_begin(request);

	SEVQ_ADD(out, "{\"sessionKey\":");
	sevq_json_quote(out, drain->session_key);
	SEVQ_ADD(out, ",\"events\":");
	sevq_json_add_events(out, &drain->taken);
	SEVQ_ADD(out, ",\"remaining\":");
	sevq_buf_add_int(out, (long long)drain->remaining);
	if (drain->prompt)
		sevq_json_add_block(out, &drain->taken, sevq_engine_timezone(request->server->engine));
	SEVQ_ADD(out, "}");
	sevq_reply_replayed(request, &reply);
	sevq_reply_send(request, &reply);
}

void
sevq_drain_post(struct sevq_request *request)
{
	struct sevq_drain *drain = &request->drain;

	sevq_drain_init(drain);
	if (sevq_idempotency_set(request, 'd') == 0 &&
	    sevq_body_read(request, fields, sizeof fields / sizeof fields[0], drain, &drain->address) == 0)
		sevq_request_submit(request, answer, NULL);
}
