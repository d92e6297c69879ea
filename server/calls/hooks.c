/*
 * hooks.c - POST /hooks/wake: {text, mode?, agentId?, sessionKey?}.
 *
 * As OpenClaw reads it: the body's type is not looked at, unknown members and modes are passed over, and what is not said
 * is "now" and the main session of the policy's owner. Unlike OpenClaw's own, it re-keys, and it is told twice safely.
 */
#include "server/calls/hooks.h"

#include "server/calls/calls.h"
#include "server/calls/field.h"
#include "server/calls/idempotency.h"
#include "server/calls/json.h"
#include "server/server.h"

bool
sevq_hooks_own(struct sevq_str target)
{
	size_t len = sizeof(SEVQ_HOOK_PATH) - 1;

	return sevq_str_starts(target, SEVQ_STR(SEVQ_HOOK_PATH)) && (target.len == len || target.s[len] == '?');
}

void
sevq_hooks_refuse(struct sevq_request *request, struct sevq_reply *reply, const struct sevq_error *err)
{
	struct sevq_buf *out = sevq_reply_begin(request);

	SEVQ_ADD(out, "{\"ok\":false,\"error\":");
	sevq_json_quote(out, sevq_str(err->detail));
	SEVQ_ADD(out, "}");
	reply->type = NULL;
	sevq_reply_send(request, reply);
}

static int
refuse(struct sevq_request *request, const char *member, const char *why)
{
	struct sevq_error err;

	sevq_fail(&err, SEVQ_INVALID_FIELD, "%s %s", member, why);
	sevq_problem_send(request, &err);
	return -1;
}

/* One member that is text; null and blank are as if it were not there. */
static int
read_text(struct sevq_request *request, const char *member, struct sevq_str *ret)
{
	const struct sevq_json *doc = &request->server->doc;

	for (size_t t = sevq_json_first(doc, 0); t != 0; t = sevq_json_next(doc, 0, t)) {
		if (!sevq_str_eq(sevq_json_string(doc, t, &request->arena), sevq_str(member)) ||
		    doc->tokens[t + 1].type == SEVQ_JSON_NULL)
			continue;
		if (doc->tokens[t + 1].type != SEVQ_JSON_STRING)
			return refuse(request, member, "must be a string");
		*ret = sevq_json_string(doc, t + 1, &request->arena);
		if (sevq_trim(*ret).len == 0)
			*ret = SEVQ_STR_NULL;
	}
	return 0;
}

static int
read_payload(struct sevq_request *request, struct sevq_draft *draft)
{
	struct sevq_str mode = SEVQ_STR_NULL;

	if (sevq_body_scan(request) != 0)
		return -1;
	if (request->server->doc.tokens[0].type != SEVQ_JSON_OBJECT)
		return refuse(request, "the body", "must be an object");
	if (read_text(request, "text", &draft->text) != 0 || read_text(request, "mode", &mode) != 0 ||
	    read_text(request, "agentId", &draft->address.agent_id) != 0 ||
	    read_text(request, "sessionKey", &draft->address.session_key) != 0)
		return -1;
	if (draft->text.s == NULL)
		return refuse(request, "text", "required");
	if (draft->address.agent_id.s == NULL && draft->address.session_key.s == NULL)
		draft->address.session_key = SEVQ_STR("main");
	draft->wake =
	    sevq_str_eq(mode, sevq_str(sevq_wake_name(SEVQ_WAKE_NEXT_HEARTBEAT))) ? SEVQ_WAKE_NEXT_HEARTBEAT : SEVQ_WAKE_NOW;
	draft->source = SEVQ_STR("hook");
	return 0;
}

static void
answer(struct sevq_request *request)
{
	const struct sevq_enqueue_result *result = &request->enqueue.results[0];
	struct sevq_reply reply = { .status = 200 };
	struct sevq_buf *out = sevq_reply_begin(request);

	sevq_buf_addf(out, "{\"ok\":true,\"mode\":\"%s\",\"eventOutcome\":\"%s\"}", sevq_wake_name(request->enqueue.drafts[0].wake),
		      result->outcome == SEVQ_DUPLICATE ? "coalesced" : "queued");
	sevq_reply_replayed(request, &reply);
	sevq_reply_send(request, &reply);
}

void
sevq_hooks_wake(struct sevq_request *request)
{
	struct sevq_enqueue *enqueue = &request->enqueue;

	sevq_enqueue_init(enqueue);
	enqueue->drafts = sevq_arena_alloc(&request->arena, sizeof *enqueue->drafts);
	enqueue->count = 1;
	if (sevq_idempotency_set(request, 'h') == 0 && read_payload(request, enqueue->drafts) == 0)
		sevq_request_submit(request, answer, NULL);
}
