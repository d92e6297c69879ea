/*
 * consume.c - POST /v1/consume: take exactly these events, wherever they stand.
 */
#include "server/calls/calls.h"

#include "server/calls/field.h"
#include "server/calls/json.h"
#include "server/http/reply.h"

/* What the body says, before it becomes an op. */
struct wanted {
	struct sevq_address address;
	struct sevq_texts ids;
};

static const struct sevq_field fields[] = {
	SEVQ_FIELD("sessionKey", TEXT, struct wanted, address.session_key),
	SEVQ_FIELD("agentId", TEXT, struct wanted, address.agent_id),
	SEVQ_FIELD("channel", TEXT, struct wanted, address.channel),
	SEVQ_FIELD("accountId", TEXT, struct wanted, address.account_id),
	SEVQ_FIELD_LIST_REQUIRED("ids", struct wanted, ids, SEVQ_ANSWER_EVENTS_MAX),
};

static void
answer(struct sevq_request *request)
{
	const struct sevq_consume *consume = &request->consume;
	struct sevq_buf *out = sevq_reply_begin(request);

	SEVQ_ADD(out, "{\"sessionKey\":");
	sevq_json_quote(out, consume->session_key);
	SEVQ_ADD(out, ",\"events\":");
	sevq_json_add_events(out, &consume->taken);
	sevq_buf_addf(out, ",\"remaining\":%zu}", consume->remaining);
	sevq_reply_send(request, &(struct sevq_reply){ .status = 200 });
}

void
sevq_consume_post(struct sevq_request *request)
{
	struct sevq_consume *consume = &request->consume;
	struct wanted wanted = { 0 };

	sevq_consume_init(consume);
	if (sevq_body_read(request, fields, sizeof fields / sizeof fields[0], &wanted, &wanted.address) != 0)
		return;
	consume->address = wanted.address;
	consume->ids = wanted.ids.items;
	consume->id_count = wanted.ids.count;
	sevq_request_submit(request, answer, NULL);
}
