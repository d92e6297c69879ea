/*
 * problem.c - codes to statuses, and application/problem+json.
 */
#include "server/http/problem.h"

#include <assert.h>
#include <stdio.h>

#include "schema/json.h"
#include "server/http/access_log.h"
#include "server/http/reply.h"

#define RETRY_AFTER "Retry-After: 1\r\n"
#define POINTER_SAID_BYTES 96
#define CHALLENGE "WWW-Authenticate: Bearer realm=\"sevq\"\r\n"

/* Status 0: never an answer (start-up, or the process ends before it could answer). */
static const struct {
	int status;
	const char *title, *extra;
} problems[ERROR_CODE_COUNT] = {
	[ERROR_BLANK_KEY] = { 400, "The session key is blank", "" },
	[ERROR_MALFORMED_KEY] = { 400, "The session key is malformed", "" },
	[ERROR_OWNER_UNRESOLVED] = { 400, "No single agent owns the session key", "" },
	[ERROR_OWNER_MISMATCH] = { 409, "The session key belongs to another agent", "" },
	[ERROR_INVALID_JSON] = { 400, "The body is not valid JSON", "" },
	[ERROR_INVALID_FIELD] = { 400, "A field or parameter is wrong", "" },
	[ERROR_BAD_REQUEST] = { 400, "The request is malformed", "" },
	[ERROR_UNAUTHORIZED] = { 401, "A valid bearer token is needed", CHALLENGE },
	[ERROR_FORBIDDEN] = { 403, "This is not allowed", "" },
	[ERROR_NOT_FOUND] = { 404, "There is no such thing", "" },
	[ERROR_METHOD_NOT_ALLOWED] = { 405, "The path has no such method", "" },
	[ERROR_TIMEOUT] = { 408, "The request took too long to arrive", "" },
	[ERROR_CONFLICT] = { 409, "The present state does not allow it", "" },
	[ERROR_REROUTED] = { 409, "The policy routes the session key to another queue", "" },
	[ERROR_TOO_LARGE] = { 413, "The body or batch is too large", "" },
	[ERROR_URI_TOO_LONG] = { 414, "The request target is too long", "" },
	[ERROR_UNSUPPORTED_MEDIA_TYPE] = { 415, "The body is of a wrong type", "" },
	[ERROR_EXPECTATION_FAILED] = { 417, "The expectation is unknown", "" },
	[ERROR_MISDIRECTED] = { 421, "The request is for another host", "" },
	[ERROR_IDEMPOTENCY_MISMATCH] = { 422, "The idempotency key was used for another request",
					 "" },
	[ERROR_POLICY_INVALID] = { 422, "The policy is invalid; the old one stays", "" },
	[ERROR_QUEUE_FULL] = { 429, "A limit is reached; try again later", RETRY_AFTER },
	[ERROR_HEADERS_TOO_LARGE] = { 431, "The headers are too large", "" },
	[ERROR_NOT_IMPLEMENTED] = { 501, "The transfer coding is not known", "" },
	[ERROR_HTTP_VERSION] = { 505, "The HTTP version is not known", "" },
	[ERROR_STORAGE_FAILED] = { 503, "The store failed; nothing was changed", RETRY_AFTER },
	[ERROR_STORAGE_FULL] = { 507, "The store is full; nothing was changed", RETRY_AFTER },
	[ERROR_CLOSING] = { 503, "The server is shutting down", RETRY_AFTER },
};

/* A client may name its fields as it likes: a long name is left out. */
static void
say_first(struct bad_fields *bad, struct str pointer, const char *detail)
{
	struct error err;

	if (pointer.len > 0 && pointer.len <= POINTER_SAID_BYTES)
		error_set(&err, ERROR_INVALID_FIELD, "%.*s %s", (int)pointer.len, pointer.s,
			  detail);
	else
		error_set(&err, ERROR_INVALID_FIELD, "a field %s", detail);
	snprintf(bad->first, sizeof(bad->first), "%s", err.detail);
}

static void
add_fault(struct bad_fields *bad, struct str pointer, const char *detail)
{
	struct buf *out = &bad->json, whole = { 0 };

	buf_reserve(&whole, pointer.len + 1); /* there is a text, even when it is empty */
	if (bad->list != NULL)
		buf_addf(&whole, "%s/%zu", bad->list, bad->index);
	buf_add(&whole, pointer.s, pointer.len);
	buf_adds(out, bad->count > 1 ? ",{\"pointer\":" : "{\"pointer\":");
	json_quote(out, (struct str){ whole.data, whole.len });
	if (bad->count == 1)
		say_first(bad, (struct str){ whole.data, whole.len }, detail);
	buf_clear(&whole);
	buf_adds(out, ",\"detail\":");
	json_quote(out, str_of(detail));
	buf_adds(out, "}");
}

void
bad_fields_add(struct bad_fields *bad, struct str pointer, const char *detail)
{
	if (++bad->count <= BAD_FIELDS_LISTED)
		add_fault(bad, pointer, detail);
}

void
bad_fields_clear(struct bad_fields *bad)
{
	buf_clear(&bad->json);
}

static void
add_detail(struct buf *out, const struct error *err)
{
	char detail[ERROR_DETAIL_BYTES + 48];
	int len = snprintf(detail, sizeof(detail), "%s", err->detail);

	if (err->line > 0)
		len += snprintf(detail + len, sizeof(detail) - (size_t)len,
				", at line %d, column %d", err->line, err->column);
	json_quote(out, (struct str){ detail, (size_t)len });
}

/* Adds the header that the status calls for, such as Allow or Retry-After. */
static void
add_headers(const struct request *request, const struct error *err, char extra[REPLY_EXTRA_BYTES])
{
	if (err->code == ERROR_METHOD_NOT_ALLOWED)
		snprintf(extra, REPLY_EXTRA_BYTES, "Allow: %s\r\n", request->allow);
	else if (err->lasting)
		*extra = '\0';
	else if (request->retry_after_s > 0)
		snprintf(extra, REPLY_EXTRA_BYTES, "Retry-After: %d\r\n", request->retry_after_s);
	else
		snprintf(extra, REPLY_EXTRA_BYTES, "%s", problems[err->code].extra);
}

static void
answer(struct request *request, const struct error *err, const struct bad_fields *bad)
{
	struct reply reply = { .status = problems[err->code].status,
			       .type = "application/problem+json" };
	struct buf *out = reply_begin(request);
	const char *name = error_code_name(err->code);

	assert(reply.status != 0);
	request->http->stats.problems[err->code]++;
	access_log_refusal(request, reply.status, err);
	add_headers(request, err, reply.extra);
	if (request->webhook) {
		request->http->calls->webhook->refuse(request, &reply, err);
		return;
	}
	buf_addf(out,
		 "{\"type\":\"urn:sevq:problem:%s\",\"title\":\"%s\",\"status\":%d,\"detail\":",
		 name, problems[err->code].title, reply.status);
	add_detail(out, err);
	buf_addf(out, ",\"code\":\"%s\"", name);
	if (bad->count > 0) {
		buf_adds(out, ",\"errors\":[");
		buf_add(out, bad->json.data, bad->json.len);
		buf_adds(out, "]");
	}
	buf_adds(out, "}");
	reply_send(request, &reply);
}

void
problem_send(struct request *request, const struct error *err)
{
	problem_send_in(request, err, NULL, 0);
}

void
problem_send_in(struct request *request, const struct error *err, const char *list, size_t index)
{
	struct bad_fields bad = { .list = list, .index = index };
	/* there a pointer is a bare name */
	bool of_query = request->body.len == 0 && err->pointer[0] == '/';

	if (err->pointer[0] != '\0' || list != NULL)
		bad_fields_add(&bad, str_of(err->pointer + of_query), err->detail);
	answer(request, err, &bad);
	bad_fields_clear(&bad);
}

static void
add_number_or_null(struct buf *out, int number)
{
	if (number > 0)
		buf_add_int(out, number);
	else
		buf_adds(out, "null");
}

void
problem_send_file(struct request *request, const struct error *err, struct str file,
		  const char *detail)
{
	struct bad_fields bad = { .count = 1 };

	buf_adds(&bad.json, "{\"file\":");
	if (file.s != NULL)
		json_quote(&bad.json, file);
	else
		buf_adds(&bad.json, "null");
	buf_adds(&bad.json, ",\"line\":");
	add_number_or_null(&bad.json, err->line);
	buf_adds(&bad.json, ",\"column\":");
	add_number_or_null(&bad.json, err->column);
	buf_adds(&bad.json, ",\"detail\":");
	json_quote(&bad.json, str_of(detail));
	buf_adds(&bad.json, "}");
	answer(request, err, &bad);
	bad_fields_clear(&bad);
}

void
problem_send_fields(struct request *request, struct bad_fields *bad)
{
	struct error err;

	assert(bad->count > 0);
	if (bad->count == 1)
		error_set(&err, ERROR_INVALID_FIELD, "%s; nothing was changed", bad->first);
	else
		error_set(&err, ERROR_INVALID_FIELD, "%s; %zu more %s wrong; nothing was changed",
			  bad->first, bad->count - 1, bad->count == 2 ? "is" : "are");
	answer(request, &err, bad);
	bad_fields_clear(bad);
}
