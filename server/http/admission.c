/*
 * admission.c - the checks between a request's head and its body.
 */
#include "server/http/admission.h"

#include <string.h>
#include <strings.h>

#include "server/http/guard.h"
#include "server/calls/routes.h"
#include "server/server.h"
#include "server/http/target.h"
#include "server/http/throttle.h"

/* "Bearer TOKEN"; NULL for anything else. */
static struct sevq_str
bearer(struct sevq_str authorization)
{
	struct sevq_str token;

	if (authorization.len < 8 || strncasecmp(authorization.s, "Bearer ", 7) != 0)
		return SEVQ_STR_NULL;
	token = (struct sevq_str){ authorization.s + 7, authorization.len - 7 };
	while (token.len > 0 && token.s[0] == ' ') {
		token.s++;
		token.len--;
	}
	return token;
}

/* Senders of OpenClaw's webhook may use its own header. */
static struct sevq_str
presented_token(const struct sevq_request *request)
{
	struct sevq_str token = bearer(request->headers[SEVQ_HEADER_AUTHORIZATION]);

	return token.s == NULL && request->hook ? request->headers[SEVQ_HEADER_OPENCLAW_TOKEN] : token;
}

/* OpenClaw's webhook lets an address try so many tokens a minute. */
static int
refuse_token(struct sevq_request *request, bool presented, struct sevq_error *err)
{
	if (request->hook)
		request->retry_after_s = sevq_throttle_count(&request->server->throttle, request->address, sevq_now_ms());
	if (request->retry_after_s > 0) {
		request->server->stats.tokens_throttled++;
		return sevq_fail(err, SEVQ_QUEUE_FULL, "too many bad tokens from this address");
	}
	return sevq_fail(err, SEVQ_UNAUTHORIZED,
			 presented ? "the token is not known here" : "Authorization: Bearer TOKEN is needed");
}

static int
check_token(struct sevq_request *request, struct sevq_auth_memo *memo, struct sevq_error *err)
{
	unsigned scopes, needed = request->call->scope;
	struct sevq_str token;

	if (request->server->auth == NULL || needed == SEVQ_SCOPE_NONE)
		return 0;
	token = presented_token(request);
	scopes = token.s != NULL ? sevq_auth_recall(request->server->auth, memo, token) : 0;
	if (scopes == 0)
		return refuse_token(request, token.s != NULL, err);
	if (request->hook)
		sevq_throttle_forget(&request->server->throttle, request->address);
	if ((scopes & needed) == 0)
		return sevq_fail(err, SEVQ_FORBIDDEN, "the token's scope does not allow this call");
	return 0;
}

/* application/json or, for events, application/x-ndjson; a charset can only be UTF-8. */
static int
check_type(struct sevq_request *request, struct sevq_error *err)
{
	struct sevq_str type = request->headers[SEVQ_HEADER_CONTENT_TYPE], parameter = SEVQ_STR("");
	const char *semicolon = type.s != NULL ? memchr(type.s, ';', type.len) : NULL;

	if (semicolon != NULL) {
		parameter = sevq_trim((struct sevq_str){ semicolon + 1, (size_t)(type.s + type.len - semicolon - 1) });
		type = sevq_trim((struct sevq_str){ type.s, (size_t)(semicolon - type.s) });
	}
	request->lines = request->call->takes_lines && type.len == 20 && strncasecmp(type.s, "application/x-ndjson", 20) == 0;
	if (!request->lines && (type.len != 16 || strncasecmp(type.s, "application/json", 16) != 0))
		return sevq_fail(err, SEVQ_UNSUPPORTED_MEDIA_TYPE, "Content-Type must be application/json");
	if (parameter.len > 0 && (parameter.len != 13 || strncasecmp(parameter.s, "charset=utf-8", 13) != 0) &&
	    (parameter.len != 15 || strncasecmp(parameter.s, "charset=\"utf-8\"", 15) != 0))
		return sevq_fail(err, SEVQ_UNSUPPORTED_MEDIA_TYPE, "the only charset is utf-8");
	return 0;
}

static int
check_body(struct sevq_request *request, bool has_body, struct sevq_error *err)
{
	if (request->call->takes_body && request->query.len > 0)
		return sevq_fail(err, SEVQ_INVALID_FIELD, "this call takes its fields in the body, not in the query");
	if (!request->call->takes_body)
		return has_body ? sevq_fail(err, SEVQ_BAD_REQUEST, "this call has no body") : 0;
	if (request->call->takes_any || (!has_body && request->headers[SEVQ_HEADER_CONTENT_TYPE].s == NULL))
		return 0; /* no body of no type: the handler misses its JSON */
	return check_type(request, err);
}

/* Small requests always pass: acknowledging and looking must work when others have filled the buffers. */
static int
check_buffers(struct sevq_request *request, uint64_t missing, struct sevq_error *err)
{
	uint64_t buffered = request->server->stats.buffered_bytes;
	uint64_t most = (uint64_t)request->server->options->max_buffered_bytes;

	if ((missing > request->server->limits.head_bytes_max && buffered + missing > most) ||
	    (request->call->bulky && buffered > most))
		return sevq_fail(err, SEVQ_QUEUE_FULL, "too much is buffered for other connections");
	return 0;
}

static int
find_call(struct sevq_request *request, struct sevq_error *err)
{
	struct sevq_str id = SEVQ_STR_NULL;

	request->call = sevq_routes_find(request->method, request->path, &id, request->allow, err);
	if (request->call == NULL)
		return -1;
	if (id.s == NULL)
		return 0;
	if (sevq_target_decode(&request->arena, id, false, &id, err) != 0)
		return -1;
	request->id = sevq_arena_dup(&request->arena, id); /* the buffer may move when the body comes */
	return 0;
}

static int
check_origin(const struct sevq_request *request, const struct sevq_endpoint *endpoint, struct sevq_error *err)
{
	struct sevq_origin origin = { request->headers[SEVQ_HEADER_HOST], request->headers[SEVQ_HEADER_ORIGIN],
				      request->headers[SEVQ_HEADER_SEC_FETCH_SITE] };
	bool changes = request->method != HTTP_GET && request->method != HTTP_HEAD;

	return sevq_guard_check(request->server->options, endpoint, &origin, changes, err);
}

int
sevq_admit(struct sevq_request *request, const struct sevq_parser *parser, const struct sevq_endpoint *endpoint,
	   struct sevq_auth_memo *memo, struct sevq_error *err)
{
	if (check_origin(request, endpoint, err) != 0 || find_call(request, err) != 0 || check_token(request, memo, err) != 0)
		return -1;
	if (request->server->closing && request->call->scope != SEVQ_SCOPE_NONE)
		return sevq_fail(err, SEVQ_CLOSING, "the server is shutting down");
	if (check_body(request, parser->has_body, err) != 0)
		return -1;
	return check_buffers(request, sevq_parser_body_missing(parser), err);
}
