/*
 * events.c - looking at pending events and taking them back: peek, find, withdraw, purge.
 */
#include "server/calls/calls.h"

#include "server/calls/field.h"
#include "server/calls/json.h"
#include "server/http/reply.h"

#define OK (&(struct sevq_reply){ .status = 200 })

/* GET /v1/events: peek. */

static const struct sevq_field peek_parameters[] = {
	SEVQ_FIELD("sessionKey", TEXT, struct sevq_peek, address.session_key),
	SEVQ_FIELD("agentId", TEXT, struct sevq_peek, address.agent_id),
	SEVQ_FIELD("channel", TEXT, struct sevq_peek, address.channel),
	SEVQ_FIELD("accountId", TEXT, struct sevq_peek, address.account_id),
	SEVQ_FIELD_RANGE("limit", SIZE, struct sevq_peek, limit, 1, SEVQ_PEEK_PAGE_MAX),
	SEVQ_FIELD("after", TEXT, struct sevq_peek, after),
};

static void
answer_peek(struct sevq_request *request)
{
	const struct sevq_peek *peek = &request->peek;
	struct sevq_buf *out = sevq_reply_begin(request);

	SEVQ_ADD(out, "{\"sessionKey\":");
	sevq_json_quote(out, peek->session_key);
	SEVQ_ADD(out, ",\"events\":");
	sevq_json_add_events(out, &peek->found);
	sevq_buf_addf(out, ",\"depth\":%zu,\"more\":%s}", peek->depth, peek->more ? "true" : "false");
	sevq_reply_send(request, OK);
}

void
sevq_events_peek(struct sevq_request *request)
{
	struct sevq_peek *peek = &request->peek;

	sevq_peek_init(peek);
	peek->limit = SEVQ_PEEK_PAGE_DEFAULT;
	if (sevq_query_read(request, peek_parameters, sizeof peek_parameters / sizeof peek_parameters[0], peek, &peek->address) ==
	    0)
		sevq_request_submit(request, answer_peek, NULL);
}

/* GET and DELETE /v1/events/{id}. */

/* The timeline begins with the event's own arrival. */
static void
answer_find(struct sevq_request *request)
{
	const struct sevq_find *find = &request->find;
	struct sevq_buf *out = sevq_reply_begin(request);

	SEVQ_ADD(out, "{\"event\":");
	sevq_json_add_event(out, &find->event);
	sevq_buf_addf(out, ",\"timeline\":[{\"ts\":%lld,\"what\":\"queued\",\"originalSessionKey\":", (long long)find->event.ts_ms);
	sevq_json_quote(out, find->event.original_session_key);
	sevq_buf_addf(out, ",\"rule\":\"%s\"}", sevq_rule_name(find->event.rule));
	for (size_t i = 0; i < find->timeline_count; i++) {
		SEVQ_ADD(out, ",");
		sevq_json_add_entry(out, &find->timeline[i]);
	}
	SEVQ_ADD(out, "]}");
	sevq_reply_send(request, OK);
}

static void
answer_withdraw(struct sevq_request *request)
{
	struct sevq_buf *out = sevq_reply_begin(request);

	SEVQ_ADD(out, "{\"event\":");
	sevq_json_add_event(out, &request->withdraw.event);
	SEVQ_ADD(out, "}");
	sevq_reply_send(request, OK);
}

void
sevq_events_find(struct sevq_request *request)
{
	sevq_find_init(&request->find);
	request->find.id = request->id;
	if (sevq_query_read(request, NULL, 0, NULL, NULL) == 0)
		sevq_request_submit(request, answer_find, NULL);
}

void
sevq_events_withdraw(struct sevq_request *request)
{
	sevq_withdraw_init(&request->withdraw);
	request->withdraw.id = request->id;
	if (sevq_query_read(request, NULL, 0, NULL, NULL) == 0)
		sevq_request_submit(request, answer_withdraw, NULL);
}

/* DELETE /v1/events: purge. */

static const struct sevq_field purge_parameters[] = {
	SEVQ_FIELD("sessionKey", TEXT, struct sevq_purge, address.session_key),
	SEVQ_FIELD("agentId", TEXT, struct sevq_purge, address.agent_id),
	SEVQ_FIELD("channel", TEXT, struct sevq_purge, address.channel),
	SEVQ_FIELD("accountId", TEXT, struct sevq_purge, address.account_id),
	SEVQ_FIELD("contextKey", TEXT, struct sevq_purge, context_key),
};

static void
answer_purge(struct sevq_request *request)
{
	const struct sevq_purge *purge = &request->purge;
	struct sevq_buf *out = sevq_reply_begin(request);

	SEVQ_ADD(out, "{\"sessionKey\":");
	sevq_json_quote(out, purge->session_key);
	sevq_buf_addf(out, ",\"purged\":%zu,\"remaining\":%zu}", purge->purged, purge->remaining);
	sevq_reply_send(request, OK);
}

void
sevq_events_purge(struct sevq_request *request)
{
	struct sevq_purge *purge = &request->purge;

	sevq_purge_init(purge);
	if (sevq_query_read(request, purge_parameters, sizeof purge_parameters / sizeof purge_parameters[0], purge,
			    &purge->address) == 0)
		sevq_request_submit(request, answer_purge, NULL);
}
