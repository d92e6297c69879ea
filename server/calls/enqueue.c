/*
 * enqueue.c - POST /v1/events: one event, {"events":[...]}, or lines of JSON.
 *
 * The three forms become drafts of one op, which the engine admits as a whole or not at all. A fault is named by where the
 * client put it: "/text", "/events/3/text", and "/3/text" for the fourth line.
 */
#include "server/calls/calls.h"

#include "server/calls/field.h"
#include "server/calls/idempotency.h"
#include "server/calls/json.h"
#include "server/http/reply.h"
#include "server/server.h"

static const struct sevq_field draft_fields[] = {
	SEVQ_FIELD_REQUIRED("text", TEXT, struct sevq_draft, text),
	SEVQ_FIELD("sessionKey", TEXT, struct sevq_draft, address.session_key),
	SEVQ_FIELD("agentId", TEXT, struct sevq_draft, address.agent_id),
	SEVQ_FIELD("channel", TEXT, struct sevq_draft, address.channel),
	SEVQ_FIELD("accountId", TEXT, struct sevq_draft, address.account_id),
	SEVQ_FIELD("contextKey", TEXT, struct sevq_draft, context_key),
	SEVQ_FIELD("deliveryContext", DELIVERY, struct sevq_draft, delivery),
	SEVQ_FIELD("source", TEXT, struct sevq_draft, source),
	SEVQ_FIELD("replace", BOOL, struct sevq_draft, replace),
	SEVQ_FIELD("allowDuplicate", BOOL, struct sevq_draft, allow_duplicate),
	SEVQ_FIELD("wake", WAKE, struct sevq_draft, wake),
	SEVQ_FIELD("traceparent", TEXT, struct sevq_draft, traceparent),
	SEVQ_FIELD_RANGE("delayMs", INT64, struct sevq_draft, delay_ms, 0, SEVQ_DELAY_MS_MAX),
	SEVQ_FIELD_RANGE("ttlMs", INT64, struct sevq_draft, ttl_ms, 1, SEVQ_TTL_MS_MAX),
	SEVQ_FIELD_RANGE("idempotencyKey", TEXT, struct sevq_draft, idempotency.key, 1, SEVQ_IDEMPOTENCY_KEY_BYTES_MAX),
};

#define KEY_KIND 'e'
#define DRAFT_FIELDS (sizeof draft_fields / sizeof draft_fields[0])

/* A draft's own idempotency key stands for the draft as it was written. */
static void
read_draft(struct sevq_request *request, size_t token, struct sevq_draft *draft, struct sevq_bad_fields *bad)
{
	const struct sevq_json *doc = &request->server->doc;

	sevq_fields_read(doc, token, draft_fields, DRAFT_FIELDS, draft, &draft->address, &request->arena, bad);
	if (draft->idempotency.key.s != NULL)
		draft->idempotency = sevq_idempotency_of(request, KEY_KIND, draft->idempotency.key, sevq_json_raw(doc, token));
}

/* One of several: its key is another than the whole request's, if that has one. */
static void
read_one_of(struct sevq_request *request, size_t token, struct sevq_draft *draft, struct sevq_bad_fields *bad)
{
	read_draft(request, token, draft, bad);
	if (draft->idempotency.key.s != NULL && sevq_str_eq(draft->idempotency.key, request->op.idempotency.key))
		sevq_bad_fields_add(bad, SEVQ_STR("/idempotencyKey"), "is the Idempotency-Key of the whole request");
}

/* The only one: its key is the request's. */
static void
read_only(struct sevq_request *request, struct sevq_draft *draft, struct sevq_bad_fields *bad)
{
	struct sevq_str key;

	read_draft(request, 0, draft, bad);
	key = draft->idempotency.key;
	draft->idempotency = (struct sevq_idempotency){ .key = SEVQ_STR_NULL };
	if (key.s == NULL)
		return;
	if (request->op.idempotency.key.s == NULL)
		request->op.idempotency = (struct sevq_idempotency){ .key = key, .request = sevq_text_hash(request->body) };
	else if (!sevq_str_eq(key, request->op.idempotency.key))
		sevq_bad_fields_add(bad, SEVQ_STR("/idempotencyKey"), "is not the Idempotency-Key of the request");
}

/* Answers. */

static void
add_result(struct sevq_buf *out, const struct sevq_enqueue_result *result)
{
	static const char *const outcomes[] = {
		[SEVQ_QUEUED] = "queued", [SEVQ_REPLACED] = "replaced", [SEVQ_DUPLICATE] = "duplicate"
	};

	SEVQ_ADD(out, "{\"outcome\":\"");
	sevq_buf_adds(out, outcomes[result->outcome]);
	SEVQ_ADD(out, "\",\"event\":");
	if (result->event.id > 0)
		sevq_json_add_event(out, &result->event);
	else
		SEVQ_ADD(out, "null"); /* repeated by its own key, and forgotten since */
	SEVQ_ADD(out, "}");
}

/* A repeated answer cannot be given when its events have been forgotten. */
static bool
is_forgotten(struct sevq_request *request)
{
	const struct sevq_enqueue *enqueue = &request->enqueue;
	struct sevq_error err;
	size_t i = 0;

	while (i < enqueue->count && enqueue->results[i].event.id > 0)
		i++;
	if (i == enqueue->count || !request->op.idempotency.replayed)
		return false;
	sevq_fail(&err, SEVQ_CONFLICT, "the first answer is no longer kept; the events were enqueued then, and not again now");
	sevq_problem_send(request, &err);
	return true;
}

static void
answer_one(struct sevq_request *request)
{
	const struct sevq_enqueue_result *result = &request->enqueue.results[0];
	struct sevq_reply reply = { .status = result->outcome == SEVQ_DUPLICATE ? 200 : 201 };

	if (is_forgotten(request))
		return;
	add_result(sevq_reply_begin(request), result);
	if (reply.status == 201)
		sevq_reply_created(&reply, result->event.id);
	sevq_reply_replayed(request, &reply);
	sevq_reply_send(request, &reply);
}

static void
answer_many(struct sevq_request *request)
{
	struct sevq_reply reply = { .status = 200 };
	struct sevq_buf *out = sevq_reply_begin(request);

	if (is_forgotten(request))
		return;
	SEVQ_ADD(out, "{\"results\":[");
	for (size_t i = 0; i < request->enqueue.count; i++) {
		if (i > 0)
			SEVQ_ADD(out, ",");
		add_result(out, &request->enqueue.results[i]);
	}
	SEVQ_ADD(out, "]}");
	sevq_reply_replayed(request, &reply);
	sevq_reply_send(request, &reply);
}

/* A failure of one draft is told with its place; limits and storage concern the whole call. */
static void
fail_at(struct sevq_request *request, const char *list, size_t index)
{
	const struct sevq_error *err = &request->enqueue.op.error;
	bool of_draft = err->code == SEVQ_INVALID_FIELD || err->code == SEVQ_BLANK_KEY || err->code == SEVQ_MALFORMED_KEY ||
			err->code == SEVQ_OWNER_UNRESOLVED || err->code == SEVQ_OWNER_MISMATCH;

	sevq_problem_send_in(request, err, of_draft ? list : NULL, index);
}

static void
fail_batch(struct sevq_request *request)
{
	fail_at(request, "/events", request->enqueue.failed);
}

/* The three forms. */

static struct sevq_draft *
make_drafts(struct sevq_request *request, size_t count)
{
	request->enqueue.count = count;
	request->enqueue.drafts = sevq_arena_alloc(&request->arena, count * sizeof(struct sevq_draft));
	return request->enqueue.drafts;
}

static int
check_count(struct sevq_request *request, size_t count)
{
	struct sevq_error err;

	if (count <= (size_t)request->server->options->max_batch_events)
		return 0;
	sevq_fail(&err, SEVQ_TOO_LARGE, "a batch has at most %lld events", (long long)request->server->options->max_batch_events);
	sevq_problem_send(request, &err);
	return -1;
}

static void
submit(struct sevq_request *request, struct sevq_bad_fields *bad, sevq_handler *answer, sevq_handler *fail)
{
	if (bad->count > 0)
		sevq_problem_send_fields(request, bad);
	else
		sevq_request_submit(request, answer, fail);
}

static void
post_one(struct sevq_request *request)
{
	struct sevq_bad_fields bad = { 0 };

	read_only(request, make_drafts(request, 1), &bad);
	if (bad.count > 0)
		sevq_problem_send_fields(request, &bad);
	else
		sevq_request_submit_short(request, answer_one);
}

/* The number of events in {"events":[...]}; what else stands there is bad. */
static size_t
count_events(struct sevq_request *request, size_t events, struct sevq_bad_fields *bad)
{
	const struct sevq_json *doc = &request->server->doc;
	size_t count = 0;

	for (size_t t = sevq_json_first(doc, 0); t != 0; t = sevq_json_next(doc, 0, t))
		if (t + 1 != events)
			sevq_fields_add_unknown(bad, sevq_json_string(doc, t, &request->arena));
	if (doc->tokens[events].type == SEVQ_JSON_ARRAY)
		for (size_t t = sevq_json_first(doc, events); t != 0; t = sevq_json_next(doc, events, t))
			count++;
	if (count == 0)
		sevq_bad_fields_add(bad, SEVQ_STR("/events"), "must be an array of at least one event");
	return count;
}

static void
read_batch(struct sevq_request *request, size_t events, struct sevq_bad_fields *bad)
{
	const struct sevq_json *doc = &request->server->doc;
	struct sevq_draft *draft = request->enqueue.drafts;
	size_t i = 0;

	bad->list = "/events";
	for (size_t t = sevq_json_first(doc, events); t != 0; t = sevq_json_next(doc, events, t), i++) {
		bad->index = i;
		read_one_of(request, t, &draft[i], bad);
	}
}

static void
post_batch(struct sevq_request *request, size_t events)
{
	struct sevq_bad_fields bad = { 0 };
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
next_line(struct sevq_str *rest, struct sevq_str *line)
{
	const char *end = memchr(rest->s, '\n', rest->len);

	if (rest->len == 0)
		return false;
	*line = (struct sevq_str){ rest->s, end != NULL ? (size_t)(end - rest->s) : rest->len };
	rest->s += line->len + (end != NULL);
	rest->len -= line->len + (end != NULL);
	while (line->len > 0 && memchr(" \t\r", line->s[line->len - 1], 3) != NULL)
		line->len--;
	return true;
}

/* Blank lines are passed over, so the failed draft's line has to be found again. */
static void
fail_lines(struct sevq_request *request)
{
	struct sevq_str rest = request->body, line;
	size_t number = 0, drafts = 0;

	while (next_line(&rest, &line) && (line.len == 0 || drafts++ < request->enqueue.failed))
		number++;
	fail_at(request, "", number);
}

static int
read_line(struct sevq_request *request, struct sevq_str line, size_t number, struct sevq_draft *draft, struct sevq_bad_fields *bad)
{
	struct sevq_error err;

	if (sevq_json_scan(&request->server->doc, line.s, line.len, &err) != 0) {
		err.line = (int)number + 1; /* of the body, not of the line */
		sevq_problem_send(request, &err);
		return -1;
	}
	bad->list = ""; /* a body of lines is itself the list */
	bad->index = number;
	read_one_of(request, 0, draft, bad);
	return 0;
}

static size_t
count_lines(struct sevq_str text)
{
	struct sevq_str line;
	size_t count = 0;

	while (next_line(&text, &line))
		count += line.len > 0;
	return count;
}

static void
post_lines(struct sevq_request *request)
{
	struct sevq_str rest = request->body, line;
	size_t count = count_lines(rest), i = 0, number = 0;
	struct sevq_bad_fields bad = { 0 };
	struct sevq_draft *drafts;

	if (count == 0)
		sevq_bad_fields_add(&bad, SEVQ_STR(""), "must have at least one event");
	if (check_count(request, count) != 0)
		return;
	drafts = make_drafts(request, count);
	for (; next_line(&rest, &line); number++)
		if (line.len > 0 && read_line(request, line, number, &drafts[i++], &bad) != 0) {
			sevq_bad_fields_clear(&bad);
			return;
		}
	submit(request, &bad, answer_many, fail_lines);
}

/* The value of the member "events" of an object, or 0. */
static size_t
find_events(struct sevq_request *request)
{
	const struct sevq_json *doc = &request->server->doc;

	if (doc->tokens[0].type != SEVQ_JSON_OBJECT)
		return 0;
	for (size_t t = sevq_json_first(doc, 0); t != 0; t = sevq_json_next(doc, 0, t))
		if (sevq_str_eq(sevq_json_string(doc, t, &request->arena), SEVQ_STR("events")))
			return t + 1;
	return 0;
}

void
sevq_events_post(struct sevq_request *request)
{
	size_t events;

	sevq_enqueue_init(&request->enqueue);
	if (sevq_idempotency_set(request, KEY_KIND) != 0)
		return;
	if (request->lines) {
		post_lines(request);
		return;
	}
	if (sevq_body_scan(request) != 0)
		return;
	events = find_events(request);
	if (events > 0)
		post_batch(request, events);
	else
		post_one(request);
}
