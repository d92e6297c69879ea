/*
 * hooks.c - POST /hooks/wake: {text, mode?, agentId?, sessionKey?}.
 *
 * As OpenClaw reads it: the body's type is not looked at, unknown members and modes are passed
 * over, and what is not said is "now" and the main session of the policy's owner. Unlike OpenClaw's
 * own, it re-keys, and it is told twice safely.
 */
#include "server/calls/hooks.h"

#include "server/calls/calls.h"
#include "server/calls/field.h"
#include "server/calls/idempotency.h"
#include "server/calls/json.h"

static void
send_refusal(struct request *request, struct reply *reply, const struct error *err)
{
	struct buf *out = reply_begin(request);

	BUF_ADD_LITERAL(out, "{\"ok\":false,\"error\":");
	json_quote(out, str_of(err->detail));
	BUF_ADD_LITERAL(out, "}");
	reply->type = NULL;
	reply_send(request, reply);
}

const struct webhook hooks_webhook = {
	.path = { HOOK_PATH, sizeof(HOOK_PATH) - 1 },
	.refuse = send_refusal,
};

#include "server/calls/submit.h"
static int
refuse(struct request *request, const char *member, const char *why)
{
	struct error err;

	error_set(&err, ERROR_INVALID_FIELD, "%s %s", member, why);
	problem_send(request, &err);
	return -1;
}

/* Reads one text member; null and blank text count as absent. */
static int
read_text(struct request *request, const char *member, struct str *ret)
{
	const struct json *doc = &calls_of(request)->doc;

	for (size_t t = json_first(doc, 0); t != 0; t = json_next(doc, 0, t)) {
		if (!str_eq(json_string(doc, t, &request->arena), str_of(member)) ||
		    doc->tokens[t + 1].type == JSON_NULL)
			continue;
		if (doc->tokens[t + 1].type != JSON_STRING)
			return refuse(request, member, "must be a string");
		*ret = json_string(doc, t + 1, &request->arena);
		if (text_trim(*ret).len == 0)
			*ret = STR_NULL;
	}
	return 0;
}

static int
read_payload(struct request *request, struct draft *draft)
{
	struct str mode = STR_NULL;

	if (body_scan(request) != 0)
		return -1;
	if (calls_of(request)->doc.tokens[0].type != JSON_OBJECT)
		return refuse(request, "the body", "must be an object");
	if (read_text(request, "text", &draft->text) != 0 ||
	    read_text(request, "mode", &mode) != 0 ||
	    read_text(request, "agentId", &draft->address.agent_id) != 0 ||
	    read_text(request, "sessionKey", &draft->address.session_key) != 0)
		return -1;
	if (draft->text.s == NULL)
		return refuse(request, "text", "required");
	if (draft->address.agent_id.s == NULL && draft->address.session_key.s == NULL)
		draft->address.session_key = STR("main");
	draft->wake =
	    str_eq(mode, str_of(wake_name(WAKE_NEXT_HEARTBEAT))) ? WAKE_NEXT_HEARTBEAT : WAKE_NOW;
	draft->source = STR("hook");
	return 0;
}

static void
answer(struct request *request)
{
	const struct enqueue_result *result = &request->work->enqueue.results[0];
	struct reply reply = { .status = 200 };
	struct buf *out = reply_begin(request);

	buf_addf(out, "{\"ok\":true,\"mode\":\"%s\",\"eventOutcome\":\"%s\"}",
		 wake_name(request->work->enqueue.drafts[0].wake),
		 result->outcome == ENQUEUE_DUPLICATE ? "coalesced" : "queued");
	idempotency_note_replay(request, &reply);
	reply_send(request, &reply);
}

void
hooks_wake(struct request *request)
{
	struct enqueue_op *enqueue = &request->work->enqueue;

	enqueue_op_init(enqueue);
	enqueue->drafts = arena_alloc(&request->arena, sizeof(*enqueue->drafts));
	enqueue->count = 1;
	if (idempotency_key_set(request, 'h') == 0 && read_payload(request, enqueue->drafts) == 0)
		submit_op(request, answer, NULL);
}
