/*
 * events.c - looking at pending events and taking them back: peek, find, withdraw, purge.
 */
#include "server/calls/calls.h"
#include "server/calls/field.h"
#include "server/calls/json.h"
#include "server/calls/submit.h"
#include "server/http/reply.h"

#define OK (&(struct reply){ .status = 200 })

/* --- GET /v1/events: peek --- */

static const struct field peek_parameters[] = {
	FIELD("sessionKey", TEXT, struct peek_op, address.session_key),
	FIELD("agentId", TEXT, struct peek_op, address.agent_id),
	FIELD("channel", TEXT, struct peek_op, address.channel),
	FIELD("accountId", TEXT, struct peek_op, address.account_id),
	FIELD("queueKey", TEXT, struct peek_op, address.queue_key),
	FIELD_RANGE("limit", SIZE, struct peek_op, limit, 1, PEEK_PAGE_MAX),
	FIELD("after", TEXT, struct peek_op, after),
};

static bool
add_found(struct request *request, struct buf *out, struct reply_at *at)
{
	const struct peek_op *peek = &request->work->peek;

	if (at->item == 0) {
		BUF_ADD_LITERAL(out, "{\"sessionKey\":");
		json_quote(out, peek->session_key);
		BUF_ADD_LITERAL(out, ",\"events\":[");
	}
	if (!json_add_events(out, &peek->found, at))
		return false;
	buf_addf(out, "],\"depth\":%zu,\"more\":%s}", peek->depth, peek->more ? "true" : "false");
	return true;
}

static void
answer_peek(struct request *request)
{
	static reply_part *const parts[] = { add_found, NULL };

	reply_send_parts(request, OK, parts);
}

void
events_peek(struct request *request)
{
	struct peek_op *peek = &request->work->peek;

	peek_op_init(peek);
	peek->limit = PEEK_PAGE_DEFAULT;
	if (query_read(request, peek_parameters,
		       sizeof(peek_parameters) / sizeof(peek_parameters[0]), peek,
		       &peek->address) == 0)
		submit_op(request, answer_peek, NULL);
}

/* --- GET and DELETE /v1/events/{id} --- */

static const struct field find_parameters[] = {
	FIELD_RANGE("limit", SIZE, struct find_op, limit, 1, TIMELINE_PAGE_MAX),
	FIELD("cursor", TEXT, struct find_op, cursor),
};

/* The timeline begins with the event's own arrival. */
static void
add_arrival(struct buf *out, const struct system_event *event)
{
	buf_addf(out, "{\"ts\":%lld,\"what\":\"queued\",\"originalSessionKey\":",
		 (long long)event->ts_ms);
	json_quote(out, event->original_session_key);
	buf_addf(out, ",\"rule\":\"%s\"}", rule_name(event->rule));
}

static bool
add_timeline(struct request *request, struct buf *out, struct reply_at *at)
{
	const struct find_op *find = &request->work->find;
	bool first_page = find->cursor.s == NULL;

	if (at->item == 0) {
		BUF_ADD_LITERAL(out, "{\"event\":");
		json_add_event(out, &find->event);
		BUF_ADD_LITERAL(out, ",\"timeline\":[");
		if (first_page)
			add_arrival(out, &find->event);
	}
	for (; at->item < find->timeline_count; at->item++) {
		if (reply_is_full(out) && at->any)
			return false;
		if (at->any || first_page)
			BUF_ADD_LITERAL(out, ",");
		json_add_entry(out, &find->timeline[at->item]);
		at->any = true;
	}
	BUF_ADD_LITERAL(out, "],\"nextCursor\":");
	json_add_text(out, find->next_cursor);
	BUF_ADD_LITERAL(out, "}");
	return true;
}

static void
answer_find(struct request *request)
{
	static reply_part *const parts[] = { add_timeline, NULL };

	reply_send_parts(request, OK, parts);
}

static void
answer_withdraw(struct request *request)
{
	struct buf *out = reply_begin(request);

	BUF_ADD_LITERAL(out, "{\"event\":");
	json_add_event(out, &request->work->withdraw.event);
	BUF_ADD_LITERAL(out, "}");
	reply_send(request, OK);
}

void
events_find(struct request *request)
{
	struct find_op *find = &request->work->find;

	find_op_init(find);
	find->id = request->id;
	if (query_read(request, find_parameters,
		       sizeof(find_parameters) / sizeof(find_parameters[0]), find, NULL) == 0)
		submit_op(request, answer_find, NULL);
}

/* Whoever repeats a withdrawal, or comes too late, is told what became of the event. */
static void
refuse_withdraw(struct request *request)
{
	const struct system_event *event = &request->work->find.event;
	struct error err;

	error_set(&err, ERROR_NOT_FOUND, "event %lld is no longer pending; its state is %s",
		  (long long)event->id, event_state_name(event));
	problem_send(request, &err);
}

static void
fail_withdraw(struct request *request)
{
	struct op *op = &request->work->op;

	if (op->error.code != ERROR_NOT_FOUND) {
		problem_send(request, &op->error);
		return;
	}
	op_clear(op);
	find_op_init(&request->work->find);
	request->work->find.id = request->id;
	request->work->find.limit = 1;
	submit_op(request, refuse_withdraw, NULL);
}

void
events_withdraw(struct request *request)
{
	withdraw_op_init(&request->work->withdraw);
	request->work->withdraw.id = request->id;
	if (query_read(request, NULL, 0, NULL, NULL) == 0)
		submit_op(request, answer_withdraw, fail_withdraw);
}

/* --- DELETE /v1/events: purge --- */

static const struct field purge_parameters[] = {
	FIELD("sessionKey", TEXT, struct purge_op, address.session_key),
	FIELD("agentId", TEXT, struct purge_op, address.agent_id),
	FIELD("channel", TEXT, struct purge_op, address.channel),
	FIELD("accountId", TEXT, struct purge_op, address.account_id),
	FIELD("queueKey", TEXT, struct purge_op, address.queue_key),
	FIELD("contextKey", TEXT, struct purge_op, context_key),
};

static void
answer_purge(struct request *request)
{
	const struct purge_op *purge = &request->work->purge;
	struct buf *out = reply_begin(request);

	BUF_ADD_LITERAL(out, "{\"sessionKey\":");
	json_quote(out, purge->session_key);
	buf_addf(out, ",\"purged\":%zu,\"remaining\":%zu}", purge->purged, purge->remaining);
	reply_send(request, OK);
}

void
events_purge(struct request *request)
{
	struct purge_op *purge = &request->work->purge;

	purge_op_init(purge);
	if (query_read(request, purge_parameters,
		       sizeof(purge_parameters) / sizeof(purge_parameters[0]), purge,
		       &purge->address) == 0)
		submit_op(request, answer_purge, NULL);
}
