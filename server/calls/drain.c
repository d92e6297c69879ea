/*
 * drain.c - POST /v1/drain: take and forget, oldest first.
 */
#include "server/calls/calls.h"
#include "server/calls/field.h"
#include "server/calls/idempotency.h"
#include "server/calls/json.h"
#include "server/calls/submit.h"
#include "server/http/reply.h"

static const struct field fields[] = {
	FIELD("sessionKey", TEXT, struct drain_op, address.session_key),
	FIELD("agentId", TEXT, struct drain_op, address.agent_id),
	FIELD("channel", TEXT, struct drain_op, address.channel),
	FIELD("accountId", TEXT, struct drain_op, address.account_id),
	FIELD_RANGE("limit", SIZE, struct drain_op, limit, 1, ANSWER_EVENTS_MAX),
	FIELD("contextKeyPrefix", TEXT, struct drain_op, context_key_prefix),
	FIELD("format", FORMAT, struct drain_op, prompt),
	FIELD("execCompletions", EXEC_COMPLETIONS, struct drain_op, exec_completions),
};

static void
answer(struct request *request)
{
	const struct drain_op *drain = &request->work->drain;
	struct reply reply = { .status = 200 };
	struct buf *out = reply_begin(request);

	BUF_ADD_LITERAL(out, "{\"sessionKey\":");
	json_quote(out, drain->session_key);
	BUF_ADD_LITERAL(out, ",\"events\":");
	json_add_events(out, &drain->taken);
	BUF_ADD_LITERAL(out, ",\"remaining\":");
	buf_add_int(out, (long long)drain->remaining);
	if (drain->prompt)
		json_add_block(out, &drain->taken, engine_timezone(calls_of(request)->engine));
	BUF_ADD_LITERAL(out, "}");
	idempotency_note_replay(request, &reply);
	reply_send(request, &reply);
}

void
drain_post(struct request *request)
{
	struct drain_op *drain = &request->work->drain;

	drain_op_init(drain);
	if (idempotency_key_set(request, 'd') == 0 &&
	    body_read(request, fields, sizeof(fields) / sizeof(fields[0]), drain,
		      &drain->address) == 0)
		submit_op(request, answer, NULL);
}
