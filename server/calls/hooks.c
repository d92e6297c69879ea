/*
 * hooks.c - POST /hooks/wake: {text, mode?, agentId?, sessionKey?, idempotencyKey?}.
 *
 * As OpenClaw reads it: the body's type is not looked at, unknown members and modes are passed
 * over, and what is not said is "now" and the main session of OpenClaw's default agent. Unlike
 * OpenClaw's own, it re-keys, and it is told twice safely. doc/OPENCLAW.md lists what differs.
 */
#include "server/calls/hooks.h"

#include <stdio.h>

#include "queue/policy/hook_gates.h"
#include "schema/json_repair.h"
#include "server/calls/calls.h"
#include "server/calls/idempotency.h"
#include "server/calls/json.h"
#include "server/calls/submit.h"
#include "server/calls/trace.h"
#include "server/http/problem.h"

#define KEY_UNITS_MAX 256 /* of an idempotency key */

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
	.path = { HOOKS_PATH, sizeof(HOOKS_PATH) - 1 },
	.refuse = send_refusal,
};

const char *
hooks_explain(struct str path)
{
	const struct str hooks = STR(HOOKS_PATH);

	if (str_eq(path, STR(HOOKS_PATH "/agent")))
		return HOOKS_PATH "/agent runs an agent, which only OpenClaw's gateway does; "
				  "sevq queues events for agents: POST " HOOK_PATH;
	if (str_starts(path, hooks) && (path.len == hooks.len || path.s[hooks.len] == '/'))
		return "sevq has no webhook but " HOOK_PATH "; hooks.mappings of OpenClaw's "
		       "config are served by its gateway";
	return NULL;
}

static int
refuse(struct request *request, const char *why)
{
	struct error err;

	error_set(&err, ERROR_INVALID_FIELD, "%s", why);
	problem_send(request, &err);
	return -1;
}

/* --- the payload --- */

/*
 * Scans the body as JSON.parse would read it, as far as it can be stored. No body is an empty
 * object. -1 after answering.
 */
static int
scan_body(struct request *request)
{
	struct calls *calls = calls_of(request);
	size_t bytes_max = engine_hook_gates(calls->engine)->body_bytes_max;
	struct str body;
	struct error err;

	if (request->body.len > bytes_max) {
		error_set(&err, ERROR_TOO_LARGE, "the body is over %zu bytes", bytes_max);
		problem_send(request, &err);
		return -1;
	}
	body = json_repair(&request->arena, request->body);
	if (body.len == 0)
		body = STR("{}");
	if (json_scan_deep(&calls->doc, body.s, body.len, &err) == 0)
		return 0;
	problem_send(request, &err);
	return -1;
}

/* A member of the body, which need not be an object; its value's token, or 0. */
static size_t
find_member(struct request *request, struct str name)
{
	const struct json *doc = &calls_of(request)->doc;

	if (doc->tokens[0].type != JSON_OBJECT)
		return 0;
	for (size_t t = json_first(doc, 0); t != 0; t = json_next(doc, 0, t))
		if (str_eq(json_string(doc, t, &request->arena), name))
			return t + 1;
	return 0;
}

/* A value as text without white space at its ends; NULL: it is no string, or blank. */
static struct str
read_text(struct request *request, size_t value)
{
	const struct json *doc = &calls_of(request)->doc;
	struct str text;

	if (value == 0 || doc->tokens[value].type != JSON_STRING)
		return STR_NULL;
	text = text_trim(json_string(doc, value, &request->arena));
	return text.len > 0 ? text : STR_NULL;
}

/*
 * A text that is too long for an event keeps its beginning, up to a character's end, and gets a
 * last line that says so. The hash is that of the whole text: two long texts that begin alike are
 * no duplicates.
 */
static struct str
cut(struct arena *arena, struct str text)
{
	char hash[TEXT_SHA256_BYTES], mark[128];
	size_t kept, mark_len;
	char *to;

	if (text.len <= TEXT_BYTES_MAX)
		return text;
	text_sha256(text, hash);
	mark_len = (size_t)snprintf(mark, sizeof(mark), "\n[cut by sevq: %zu bytes, SHA-256 %.16s]",
				    text.len, hash);
	kept = TEXT_BYTES_MAX - mark_len;
	while (((unsigned char)text.s[kept] & 0xc0) == 0x80)
		kept--;
	to = arena_bytes(arena, kept + mark_len);
	memcpy(to, text.s, kept);
	memcpy(to + kept, mark, mark_len);
	return (struct str){ to, kept + mark_len };
}

/* A text that may be missing, but not be there and say nothing. -1 after answering. */
static int
read_name(struct request *request, struct str member, const char *refusal, struct str *ret)
{
	const size_t value = find_member(request, member);

	*ret = read_text(request, value);
	return value == 0 || ret->s != NULL ? 0 : refuse(request, refusal);
}

/* Any mode of any type but that one means now. */
static enum wake
read_mode(struct request *request)
{
	const struct json *doc = &calls_of(request)->doc;
	const size_t value = find_member(request, STR("mode"));
	const struct str later = str_of(wake_name(WAKE_NEXT_HEARTBEAT));

	return value != 0 && doc->tokens[value].type == JSON_STRING &&
		       str_eq(json_string(doc, value, &request->arena), later)
		   ? WAKE_NEXT_HEARTBEAT
		   : WAKE_NOW;
}

static int
read_payload(struct request *request, struct draft *draft)
{
	struct address *address = &draft->address;

	if (scan_body(request) != 0)
		return -1;
	draft->source = STR("hook");
	draft->text = read_text(request, find_member(request, STR("text")));
	if (draft->text.s == NULL)
		return refuse(request, "text required");
	draft->text = cut(&request->arena, draft->text);
	draft->wake = read_mode(request);
	if (read_name(request, STR("agentId"), "agentId must be a string that is not blank",
		      &address->agent_id) != 0 ||
	    read_name(request, STR("sessionKey"), "sessionKey must be a string that is not blank",
		      &address->session_key) != 0)
		return -1;
	if (address->session_key.s != NULL && draft->wake == WAKE_NEXT_HEARTBEAT)
		return refuse(request, "sessionKey requires mode=now");
	return 0;
}

/* --- the idempotency key --- */

/* The length of the text in JavaScript, which counts a character beyond U+FFFF twice. */
static size_t
utf16_units(struct str text)
{
	size_t units = 0;

	for (size_t i = 0; i < text.len; i++) {
		const unsigned char byte = (unsigned char)text.s[i];

		units += byte >= 0xf0 ? 2 : (byte & 0xc0) != 0x80 ? 1 : 0;
	}
	return units;
}

/* A key of any text; one that cannot be kept as it is, as its hash. */
static struct str
storable_key(struct arena *arena, struct str key)
{
	char hash[TEXT_SHA256_BYTES];

	if (key.len <= IDEMPOTENCY_KEY_BYTES_MAX && text_is_utf8(key.s, key.len))
		return key;
	text_sha256(key, hash);
	return arena_dup(arena, str_of(hash));
}

/* Passes over what OpenClaw passes over: blank keys, and those of more than 256 units. */
static struct str
usable_key(struct arena *arena, struct str key, size_t units)
{
	return key.len > 0 && units <= KEY_UNITS_MAX ? storable_key(arena, key) : STR_NULL;
}

/*
 * The first usable key of the two headers and the body, as OpenClaw's other webhooks look for it;
 * NULL: there is none. A header in quotes is a string of RFC 8941, as everywhere. -1 after
 * answering that it is a wrong one.
 */
static int
read_key(struct request *request, struct str *ret)
{
	static const enum header headers[] = { HEADER_IDEMPOTENCY_KEY,
					       HEADER_OPENCLAW_IDEMPOTENCY_KEY };
	struct arena *arena = &request->arena;
	struct str key = STR_NULL, text;

	for (size_t i = 0; i < sizeof(headers) / sizeof(headers[0]) && key.s == NULL; i++) {
		text = request->headers[headers[i]];
		if (text.len > 0 && text.s[0] == '"' && !idempotency_unquote(arena, text, &text))
			return refuse(request, "the idempotency key begins with a quote and is no "
					       "quoted string");
		text = text_trim(text);
		key = usable_key(arena, text, text.len);
	}
	if (key.s == NULL) {
		text = read_text(request, find_member(request, STR("idempotencyKey")));
		key = usable_key(arena, text, utf16_units(text));
	}
	*ret = key;
	return 0;
}

/*
 * Told twice with the same key, an event is stored once. What counts as the same is what OpenClaw
 * reads of the body: its form, and members such as a number of attempts, may differ.
 */
static int
set_key(struct request *request, struct draft *draft)
{
	const struct str parts[] = { draft->text, draft->address.agent_id,
				     draft->address.session_key, str_of(wake_name(draft->wake)) };
	struct buf whole = { 0 };
	struct str key;

	if (read_key(request, &key) != 0)
		return -1;
	if (key.s == NULL)
		return 0;
	for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
		buf_add(&whole, parts[i].s, parts[i].len);
		buf_add(&whole, "", 1); /* none of them has a NUL */
	}
	request->work->op.idempotency =
	    idempotency_key_of(request, 'h', key, (struct str){ whole.data, whole.len });
	draft->keyed = true;
	buf_clear(&whole);
	return 0;
}

/* --- the policy's gates --- */

/* -1 after answering that the policy does not let a sender ask for this address. */
static int
pass_gates(struct request *request, struct address *address)
{
	const struct engine *engine = calls_of(request)->engine;
	const struct hook_gates *gates = engine_hook_gates(engine);
	struct arena *arena = &request->arena;
	struct decision decision;
	struct error err;

	if (hook_gates_admit(gates, address, arena, &err) == 0 &&
	    engine_route(engine, address, arena, &decision, &err) == 0 &&
	    hook_gates_admit_agent(gates, decision.owner, &err) == 0)
		return 0;
	problem_send(request, &err);
	return -1;
}

/* --- the call --- */

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
	struct draft *draft = arena_alloc(&request->arena, sizeof(*draft));

	enqueue_op_init(enqueue);
	enqueue->drafts = draft;
	enqueue->count = 1;
	draft->traceparent = trace_parent(request);
	if (read_payload(request, draft) == 0 && set_key(request, draft) == 0 &&
	    pass_gates(request, &draft->address) == 0)
		submit_op(request, answer, NULL);
}
