/*
 * drain.c - POST /v1/drain: take and forget, oldest first.
 */
#include "server/calls/askers.h"
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

static bool
add_events(struct request *request, struct buf *out, struct reply_at *at)
{
	const struct drain_op *drain = &request->work->drain;

	if (at->item == 0) {
		BUF_ADD_LITERAL(out, "{\"sessionKey\":");
		json_quote(out, drain->session_key);
		BUF_ADD_LITERAL(out, ",\"events\":[");
	}
	if (!json_add_events(out, &drain->taken, at))
		return false;
	BUF_ADD_LITERAL(out, "],\"remaining\":");
	buf_add_int(out, (long long)drain->remaining);
	if (!drain->prompt)
		BUF_ADD_LITERAL(out, "}");
	return true;
}

static bool
add_block(struct request *request, struct buf *out, struct reply_at *at)
{
	return json_add_block(out, &request->work->drain.taken, request->work->zone, at);
}

static bool
add_left_out(struct request *request, struct buf *out, struct reply_at *at)
{
	if (!json_add_left_out(out, &request->work->drain.taken, at))
		return false;
	BUF_ADD_LITERAL(out, "}");
	return true;
}

static void
note_asked(struct request *request)
{
	const struct drain_op *drain = &request->work->drain;

	if (!drain->op.idempotency.replayed)
		askers_note(calls_of(request)->askers,
			    &(struct asked){ .kind = ASKER_DRAIN,
					     .rule = drain->op.rule,
					     .key = asked_key(&drain->address),
					     .queue_key = drain->session_key,
					     .token = request->caller.name },
			    drain->taken.count);
}

static void
answer(struct request *request)
{
	static reply_part *const plain[] = { add_events, NULL };
	static reply_part *const prompt[] = { add_events, add_block, add_left_out, NULL };
	struct reply reply = { .status = 200 };

	note_asked(request);
	idempotency_note_replay(request, &reply);
	if (request->work->drain.prompt)
		submit_keep_zone(request);
	reply_send_parts(request, &reply, request->work->drain.prompt ? prompt : plain);
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
