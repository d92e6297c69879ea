/*
 * consume.c - POST /v1/consume: take exactly these events, wherever they stand.
 */
#include "server/calls/askers.h"
#include "server/calls/calls.h"
#include "server/calls/field.h"
#include "server/calls/json.h"
#include "server/calls/submit.h"
#include "server/http/reply.h"

/* The body's fields, before they become an op. */
struct consume_body {
	struct address address;
	struct texts ids;
};

static const struct field fields[] = {
	FIELD("sessionKey", TEXT, struct consume_body, address.session_key),
	FIELD("agentId", TEXT, struct consume_body, address.agent_id),
	FIELD("channel", TEXT, struct consume_body, address.channel),
	FIELD("accountId", TEXT, struct consume_body, address.account_id),
	FIELD_LIST_REQUIRED("ids", struct consume_body, ids, ANSWER_EVENTS_MAX),
};

static bool
add_events(struct request *request, struct buf *out, struct reply_at *at)
{
	const struct consume_op *consume = &request->work->consume;

	if (at->item == 0) {
		BUF_ADD_LITERAL(out, "{\"sessionKey\":");
		json_quote(out, consume->session_key);
		BUF_ADD_LITERAL(out, ",\"events\":[");
	}
	if (!json_add_events(out, &consume->taken, at))
		return false;
	buf_addf(out, "],\"remaining\":%zu}", consume->remaining);
	return true;
}

static void
answer(struct request *request)
{
	static reply_part *const parts[] = { add_events, NULL };
	const struct consume_op *consume = &request->work->consume;

	askers_note(calls_of(request)->askers,
		    &(struct asked){ .kind = ASKER_CONSUME,
				     .rule = consume->op.rule,
				     .key = asked_key(&consume->address),
				     .queue_key = consume->session_key,
				     .token = request->caller.name },
		    consume->taken.count);
	reply_send_parts(request, &(struct reply){ .status = 200 }, parts);
}

void
consume_post(struct request *request)
{
	struct consume_op *consume = &request->work->consume;
	struct consume_body body = { 0 };

	consume_op_init(consume);
	if (body_read(request, fields, sizeof(fields) / sizeof(fields[0]), &body, &body.address) !=
	    0)
		return;
	consume->address = body.address;
	consume->ids = body.ids.items;
	consume->id_count = body.ids.count;
	submit_op(request, answer, NULL);
}
