/*
 * enqueue.c - POST /v1/events: one event, {"events":[...]}, or lines of JSON.
 *
 * The three forms become drafts of one op, which the engine admits as a whole or not at all. A
 * fault is named by where the client put it: "/text", "/events/3/text", and "/3/text" for the
 * fourth line.
 */
#include "server/calls/calls.h"
#include "server/calls/field.h"
#include "server/calls/idempotency.h"
#include "server/calls/json.h"
#include "server/calls/submit.h"
#include "server/calls/trace.h"
#include "server/http/reply.h"

static const struct field draft_fields[] = {
	FIELD_REQUIRED("text", TEXT, struct draft, text),
	FIELD("sessionKey", TEXT, struct draft, address.session_key),
	FIELD("agentId", TEXT, struct draft, address.agent_id),
	FIELD("channel", TEXT, struct draft, address.channel),
	FIELD("accountId", TEXT, struct draft, address.account_id),
	FIELD("contextKey", TEXT, struct draft, context_key),
	FIELD("deliveryContext", DELIVERY, struct draft, delivery),
	FIELD("source", TEXT, struct draft, source),
	FIELD("replace", BOOL, struct draft, replace),
	FIELD("allowDuplicate", BOOL, struct draft, allow_duplicate),
	FIELD("wake", WAKE, struct draft, wake),
	FIELD("traceparent", TEXT, struct draft, traceparent),
	FIELD_RANGE("delayMs", INT64, struct draft, delay_ms, 0, DELAY_MS_MAX),
	FIELD_RANGE("ttlMs", INT64, struct draft, ttl_ms, 1, TTL_MS_MAX),
	FIELD_RANGE("idempotencyKey", TEXT, struct draft, idempotency.key, 1,
		    IDEMPOTENCY_KEY_BYTES_MAX),
};

#define KEY_KIND 'e'
#define DRAFT_FIELDS (sizeof(draft_fields) / sizeof(draft_fields[0]))

/* A draft's own idempotency key stands for the draft as it was written. */
static void
read_draft(struct request *request, size_t token, struct draft *draft, struct bad_fields *bad)
{
	const struct json *doc = &calls_of(request)->doc;

	bad->drop_unknown_delivery = calls_of(request)->limits.drop_unknown_delivery;
	fields_read(doc, token, draft_fields, DRAFT_FIELDS, draft, &draft->address, &request->arena,
		    bad);
	if (draft->traceparent.s == NULL && request->headers[HEADER_TRACEPARENT].s != NULL)
		draft->traceparent = trace_parent(request);
	if (draft->idempotency.key.s != NULL)
		draft->idempotency = idempotency_key_of(request, KEY_KIND, draft->idempotency.key,
							json_raw(doc, token));
}

/* A draft of several must not repeat the idempotency key of the whole request. */
static void
read_one_of(struct request *request, size_t token, struct draft *draft, struct bad_fields *bad)
{
	read_draft(request, token, draft, bad);
	if (draft->idempotency.key.s != NULL &&
	    str_eq(draft->idempotency.key, request->work->op.idempotency.key))
		bad_fields_add(bad, STR("/idempotencyKey"),
			       "is the Idempotency-Key of the whole request");
}

/* The idempotency key of a single draft is that of the request. */
static void
read_only(struct request *request, struct draft *draft, struct bad_fields *bad)
{
	struct str key;

	read_draft(request, 0, draft, bad);
	key = draft->idempotency.key;
	draft->idempotency = (struct idempotency){ .key = STR_NULL };
	draft->keyed = key.s != NULL || request->work->op.idempotency.key.s != NULL;
	if (key.s == NULL)
		return;
	if (request->work->op.idempotency.key.s == NULL)
		request->work->op.idempotency =
		    (struct idempotency){ .key = key, .request = text_hash(request->body) };
	else if (!str_eq(key, request->work->op.idempotency.key))
		bad_fields_add(bad, STR("/idempotencyKey"),
			       "is not the Idempotency-Key of the request");
}

/* --- answers --- */

static void
add_result(struct buf *out, const struct enqueue_result *result)
{
	static const char *const outcomes[] = { [ENQUEUE_QUEUED] = "queued",
						[ENQUEUE_REPLACED] = "replaced",
						[ENQUEUE_DUPLICATE] = "duplicate" };

	BUF_ADD_LITERAL(out, "{\"outcome\":\"");
	buf_adds(out, outcomes[result->outcome]);
	BUF_ADD_LITERAL(out, "\",\"event\":");
	if (result->event.id > 0)
		json_add_event(out, &result->event);
	else
		BUF_ADD_LITERAL(out, "null"); /* repeated by its own key, and forgotten since */
	BUF_ADD_LITERAL(out, "}");
}

/* A repeated answer cannot be given when its events have been forgotten. */
static bool
is_forgotten(struct request *request)
{
	const struct enqueue_op *enqueue = &request->work->enqueue;
	struct error err;
	size_t i = 0;

	while (i < enqueue->count && enqueue->results[i].event.id > 0)
		i++;
	if (i == enqueue->count || !request->work->op.idempotency.replayed)
		return false;
	error_set(
	    &err, ERROR_CONFLICT,
	    "the first answer is no longer kept; the events were enqueued then, and not again now");
	problem_send(request, &err);
	return true;
}

static void
answer_one(struct request *request)
{
	const struct enqueue_result *result = &request->work->enqueue.results[0];
	struct reply reply = { .status = result->outcome == ENQUEUE_DUPLICATE ? 200 : 201 };

	if (is_forgotten(request))
		return;
	add_result(reply_begin(request), result);
	if (reply.status == 201)
		reply_created(&reply, result->event.id);
	idempotency_note_replay(request, &reply);
	reply_send(request, &reply);
}

static bool
add_results(struct request *request, struct buf *out, struct reply_at *at)
{
	const struct enqueue_op *enqueue = &request->work->enqueue;

	if (at->item == 0)
		BUF_ADD_LITERAL(out, "{\"results\":[");
	for (; at->item < enqueue->count; at->item++) {
		if (reply_is_full(out))
			return false;
		if (at->item > 0)
			BUF_ADD_LITERAL(out, ",");
		add_result(out, &enqueue->results[at->item]);
	}
	BUF_ADD_LITERAL(out, "]}");
	return true;
}

static void
answer_many(struct request *request)
{
	static reply_part *const parts[] = { add_results, NULL };
	struct reply reply = { .status = 200 };

	if (is_forgotten(request))
		return;
	idempotency_note_replay(request, &reply);
	reply_send_parts(request, &reply, parts);
}

/* A failure of one draft names the draft; limits and storage failures concern the whole call. */
static void
fail_at(struct request *request, const char *list, size_t index)
{
	const struct error *err = &request->work->enqueue.op.error;
	bool of_draft = err->code == ERROR_INVALID_FIELD || err->code == ERROR_BLANK_KEY ||
			err->code == ERROR_MALFORMED_KEY || err->code == ERROR_OWNER_UNRESOLVED ||
			err->code == ERROR_OWNER_MISMATCH;

	problem_send_in(request, err, of_draft ? list : NULL, index);
}

static void
fail_batch(struct request *request)
{
	fail_at(request, "/events", request->work->enqueue.failed);
}

/* --- the three forms --- */

static struct draft *
make_drafts(struct request *request, size_t count)
{
	request->work->enqueue.count = count;
	request->work->enqueue.drafts = arena_alloc(&request->arena, count * sizeof(struct draft));
	return request->work->enqueue.drafts;
}

static int
check_count(struct request *request, size_t count)
{
	struct error err;

	if (count <= (size_t)calls_of(request)->limits.batch_events_max)
		return 0;
	error_set(&err, ERROR_TOO_LARGE, "a batch has at most %lld events",
		  (long long)calls_of(request)->limits.batch_events_max);
	problem_send(request, &err);
	return -1;
}

static void
submit(struct request *request, struct bad_fields *bad, request_handler *answer,
       request_handler *fail)
{
	if (bad->count > 0)
		problem_send_fields(request, bad);
	else
		submit_op(request, answer, fail);
}

static void
post_one(struct request *request)
{
	struct bad_fields bad = { 0 };

	read_only(request, make_drafts(request, 1), &bad);
	if (bad.count > 0)
		problem_send_fields(request, &bad);
	else
		submit_op_prepared(request, answer_one);
}

/* The number of events in {"events":[...]}; what else stands there is bad. */
static size_t
count_events(struct request *request, size_t events, struct bad_fields *bad)
{
	const struct json *doc = &calls_of(request)->doc;
	size_t count = 0;

	for (size_t t = json_first(doc, 0); t != 0; t = json_next(doc, 0, t))
		if (t + 1 != events)
			fields_add_unknown(bad, json_string(doc, t, &request->arena));
	if (doc->tokens[events].type == JSON_ARRAY)
		for (size_t t = json_first(doc, events); t != 0; t = json_next(doc, events, t))
			count++;
	if (count == 0)
		bad_fields_add(bad, STR("/events"), "must be an array of at least one event");
	return count;
}

static void
read_batch(struct request *request, size_t events, struct bad_fields *bad)
{
	const struct json *doc = &calls_of(request)->doc;
	struct draft *draft = request->work->enqueue.drafts;
	size_t i = 0;

	bad->list = "/events";
	for (size_t t = json_first(doc, events); t != 0; t = json_next(doc, events, t), i++) {
		bad->index = i;
		read_one_of(request, t, &draft[i], bad);
	}
}

static void
post_batch(struct request *request, size_t events)
{
	struct bad_fields bad = { 0 };
	size_t count = count_events(request, events, &bad);

	if (bad.count == 0) {
		if (check_count(request, count) != 0)
			return;
		make_drafts(request, count);
		read_batch(request, events, &bad);
	}
	submit(request, &bad, answer_many, fail_batch);
}

/* The next line without its end; a blank one is empty. False behind the last. */
static bool
next_line(struct str *rest, struct str *line)
{
	const char *end = memchr(rest->s, '\n', rest->len);

	if (rest->len == 0)
		return false;
	*line = (struct str){ rest->s, end != NULL ? (size_t)(end - rest->s) : rest->len };
	rest->s += line->len + (end != NULL);
	rest->len -= line->len + (end != NULL);
	while (line->len > 0 && memchr(" \t\r", line->s[line->len - 1], 3) != NULL)
		line->len--;
	return true;
}

/* Blank lines are passed over, so the failed draft's line has to be found again. */
static void
fail_lines(struct request *request)
{
	struct str rest = request->body, line;
	size_t number = 0, drafts = 0;

	while (next_line(&rest, &line) &&
	       (line.len == 0 || drafts++ < request->work->enqueue.failed))
		number++;
	fail_at(request, "", number);
}

static int
read_line(struct request *request, struct str line, size_t number, struct draft *draft,
	  struct bad_fields *bad)
{
	struct error err;

	if (json_scan(&calls_of(request)->doc, line.s, line.len, &err) != 0) {
		err.line = (int)number + 1; /* of the body, not of the line */
		problem_send(request, &err);
		return -1;
	}
	bad->list = ""; /* a body of lines is itself the list */
	bad->index = number;
	read_one_of(request, 0, draft, bad);
	return 0;
}

static size_t
count_lines(struct str text)
{
	struct str line;
	size_t count = 0;

	while (next_line(&text, &line))
		count += line.len > 0;
	return count;
}

static void
post_lines(struct request *request)
{
	struct str rest = request->body, line;
	size_t count = count_lines(rest), i = 0, number = 0;
	struct bad_fields bad = { 0 };
	struct draft *drafts;

	if (count == 0)
		bad_fields_add(&bad, STR(""), "must have at least one event");
	if (check_count(request, count) != 0)
		return;
	drafts = make_drafts(request, count);
	for (; next_line(&rest, &line); number++)
		if (line.len > 0 && read_line(request, line, number, &drafts[i++], &bad) != 0) {
			bad_fields_clear(&bad);
			return;
		}
	submit(request, &bad, answer_many, fail_lines);
}

/* The value of the member "events" of an object, or 0. */
static size_t
find_events(struct request *request)
{
	const struct json *doc = &calls_of(request)->doc;

	if (doc->tokens[0].type != JSON_OBJECT)
		return 0;
	for (size_t t = json_first(doc, 0); t != 0; t = json_next(doc, 0, t))
		if (str_eq(json_string(doc, t, &request->arena), STR("events")))
			return t + 1;
	return 0;
}

void
events_post(struct request *request)
{
	size_t events;

	enqueue_op_init(&request->work->enqueue);
	if (idempotency_key_set(request, KEY_KIND) != 0)
		return;
	if (request->lines) {
		post_lines(request);
		return;
	}
	if (body_scan(request) != 0)
		return;
	events = find_events(request);
	if (events > 0)
		post_batch(request, events);
	else
		post_one(request);
}
