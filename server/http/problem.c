/*
 * problem.c - codes to statuses, and application/problem+json.
 */
#include "server/http/problem.h"

#include <assert.h>
#include <stdio.h>

#include "server/calls/hooks.h"
#include "server/http/reply.h"
#include "server/server.h"

#define RETRY_AFTER "Retry-After: 1\r\n"
#define CHALLENGE "WWW-Authenticate: Bearer realm=\"sevq\"\r\n"

/* Status 0: never an answer (start-up, or the process ends before it could answer). */
static const struct {
	int status;
	const char *title, *extra;
} problems[SEVQ_CODE_COUNT] = {
	[SEVQ_BLANK_KEY] = { 400, "The session key is blank", "" },
	[SEVQ_MALFORMED_KEY] = { 400, "The session key is malformed", "" },
	[SEVQ_OWNER_UNRESOLVED] = { 400, "No single agent owns the session key", "" },
	[SEVQ_OWNER_MISMATCH] = { 409, "The session key belongs to another agent", "" },
	[SEVQ_INVALID_JSON] = { 400, "The body is not valid JSON", "" },
	[SEVQ_INVALID_FIELD] = { 400, "A field or parameter is wrong", "" },
	[SEVQ_BAD_REQUEST] = { 400, "The request is malformed", "" },
	[SEVQ_UNAUTHORIZED] = { 401, "A valid bearer token is needed", CHALLENGE },
	[SEVQ_FORBIDDEN] = { 403, "This is not allowed", "" },
	[SEVQ_NOT_FOUND] = { 404, "There is no such thing", "" },
	[SEVQ_METHOD_NOT_ALLOWED] = { 405, "The path has no such method", "" },
	[SEVQ_TIMEOUT] = { 408, "The request took too long to arrive", "" },
	[SEVQ_CONFLICT] = { 409, "The present state does not allow it", "" },
	[SEVQ_TOO_LARGE] = { 413, "The body or batch is too large", "" },
	[SEVQ_URI_TOO_LONG] = { 414, "The request target is too long", "" },
	[SEVQ_UNSUPPORTED_MEDIA_TYPE] = { 415, "The body is of a wrong type", "" },
	[SEVQ_EXPECTATION_FAILED] = { 417, "The expectation is unknown", "" },
	[SEVQ_MISDIRECTED] = { 421, "The request is for another host", "" },
	[SEVQ_IDEMPOTENCY_MISMATCH] = { 422, "The idempotency key was used for another request", "" },
	[SEVQ_QUEUE_FULL] = { 429, "A limit is reached; try again later", RETRY_AFTER },
	[SEVQ_HEADERS_TOO_LARGE] = { 431, "The headers are too large", "" },
	[SEVQ_NOT_IMPLEMENTED] = { 501, "The transfer coding is not known", "" },
	[SEVQ_HTTP_VERSION] = { 505, "The HTTP version is not known", "" },
	[SEVQ_STORAGE_FAILED] = { 503, "The store failed; nothing was changed", RETRY_AFTER },
	[SEVQ_STORAGE_FULL] = { 507, "The store is full; nothing was changed", RETRY_AFTER },
	[SEVQ_CLOSING] = { 503, "The server is shutting down", RETRY_AFTER },
};

static void
add_fault(struct sevq_bad_fields *bad, struct sevq_str pointer, const char *detail)
{
	struct sevq_buf *out = &bad->json, whole = { 0 };

	sevq_buf_reserve(&whole, pointer.len + 1); /* there is a text, even when it is empty */
	if (bad->list != NULL)
		sevq_buf_addf(&whole, "%s/%zu", bad->list, bad->index);
	sevq_buf_add(&whole, pointer.s, pointer.len);
	sevq_buf_adds(out, bad->count > 1 ? ",{\"pointer\":" : "{\"pointer\":");
	sevq_json_quote(out, (struct sevq_str){ whole.data, whole.len });
	sevq_buf_clear(&whole);
	sevq_buf_adds(out, ",\"detail\":");
	sevq_json_quote(out, sevq_str(detail));
	sevq_buf_adds(out, "}");
}

void
sevq_bad_fields_add(struct sevq_bad_fields *bad, struct sevq_str pointer, const char *detail)
{
	if (++bad->count <= SEVQ_BAD_FIELDS_LISTED)
		add_fault(bad, pointer, detail);
}

void
sevq_bad_fields_clear(struct sevq_bad_fields *bad)
{
	sevq_buf_clear(&bad->json);
}

static void
add_detail(struct sevq_buf *out, const struct sevq_error *err)
{
	char detail[SEVQ_DETAIL_BYTES + 48];
	int len = snprintf(detail, sizeof detail, "%s", err->detail);

	if (err->line > 0)
		len += snprintf(detail + len, sizeof detail - (size_t)len, ", at line %d, column %d", err->line, err->column);
	sevq_json_quote(out, (struct sevq_str){ detail, (size_t)len });
}

/* What the status needs besides itself. */
static void
add_headers(const struct sevq_request *request, const struct sevq_error *err, char extra[SEVQ_REPLY_EXTRA_BYTES])
{
	if (err->code == SEVQ_METHOD_NOT_ALLOWED)
		snprintf(extra, SEVQ_REPLY_EXTRA_BYTES, "Allow: %s\r\n", request->allow);
	else if (request->retry_after_s > 0)
		snprintf(extra, SEVQ_REPLY_EXTRA_BYTES, "Retry-After: %d\r\n", request->retry_after_s);
	else
		snprintf(extra, SEVQ_REPLY_EXTRA_BYTES, "%s", problems[err->code].extra);
}

static void
answer(struct sevq_request *request, const struct sevq_error *err, const struct sevq_bad_fields *bad)
{
	struct sevq_reply reply = { .status = problems[err->code].status, .type = "application/problem+json" };
	struct sevq_buf *out = sevq_reply_begin(request);
	const char *name = sevq_code_name(err->code);

	assert(reply.status != 0);
	request->server->stats.problems[err->code]++;
	add_headers(request, err, reply.extra);
	if (request->hook) {
		sevq_hooks_refuse(request, &reply, err);
		return;
	}
	sevq_buf_addf(out, "{\"type\":\"urn:sevq:problem:%s\",\"title\":\"%s\",\"status\":%d,\"detail\":", name,
		      problems[err->code].title, reply.status);
	add_detail(out, err);
	sevq_buf_addf(out, ",\"code\":\"%s\"", name);
	if (bad->count > 0) {
		sevq_buf_adds(out, ",\"errors\":[");
		sevq_buf_add(out, bad->json.data, bad->json.len);
		sevq_buf_adds(out, "]");
	}
	sevq_buf_adds(out, "}");
	sevq_reply_send(request, &reply);
}

void
sevq_problem_send(struct sevq_request *request, const struct sevq_error *err)
{
	sevq_problem_send_in(request, err, NULL, 0);
}

void
sevq_problem_send_in(struct sevq_request *request, const struct sevq_error *err, const char *list, size_t index)
{
	struct sevq_bad_fields bad = { .list = list, .index = index };
	bool of_query = request->body.len == 0 && err->pointer[0] == '/'; /* there a pointer is a bare name */

	if (err->pointer[0] != '\0' || list != NULL)
		sevq_bad_fields_add(&bad, sevq_str(err->pointer + of_query), err->detail);
	answer(request, err, &bad);
	sevq_bad_fields_clear(&bad);
}

void
sevq_problem_send_fields(struct sevq_request *request, struct sevq_bad_fields *bad)
{
	struct sevq_error err;

	assert(bad->count > 0);
	sevq_fail(&err, SEVQ_INVALID_FIELD, "%zu %s wrong; nothing was changed", bad->count,
		  bad->count == 1 ? "field or parameter is" : "fields or parameters are");
	answer(request, &err, bad);
	sevq_bad_fields_clear(bad);
}
