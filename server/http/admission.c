/*
 * admission.c - the checks between a request's head and its body.
 */
#include "server/http/admission.h"

#include <string.h>
#include <strings.h>

#include "queue/clock.h"
#include "server/http/http.h"
#include "server/http/target.h"

/* "Bearer TOKEN"; NULL for anything else. */
static struct str
bearer(struct str authorization)
{
	struct str token;

	if (authorization.len < 8 || strncasecmp(authorization.s, "Bearer ", 7) != 0)
		return STR_NULL;
	token = (struct str){ authorization.s + 7, authorization.len - 7 };
	while (token.len > 0 && token.s[0] == ' ') {
		token.s++;
		token.len--;
	}
	return token;
}

/* Senders of OpenClaw's webhook may use its own header. */
struct str
admission_token(const struct request *request)
{
	struct str token = bearer(request->headers[HEADER_AUTHORIZATION]);

	return token.s == NULL && request->webhook ? request->headers[HEADER_OPENCLAW_TOKEN]
						   : token;
}

/*
 * Wrong tokens are counted by address, and from some on answered with when to try again. Those for
 * the webhook count apart, as OpenClaw counts: a call without a token is wrong too, and a good one
 * begins the count anew (check_token).
 */
int
admission_count_bad(struct request *request, struct error *err)
{
	struct http *http = request->http;
	struct throttle *throttle = request->webhook ? &http->webhook_throttle : &http->throttle;

	request->retry_after_s = throttle_count(throttle, request->address, clock_coarse_ms());
	if (request->retry_after_s == 0)
		return 0;
	http->stats.tokens_throttled++;
	return error_set(err, ERROR_QUEUE_FULL, "%d bad tokens in a minute came from this address",
			 THROTTLE_BAD_TOKENS);
}

static int
refuse_token(struct request *request, bool presented, struct error *err)
{
	if ((request->webhook || presented) && admission_count_bad(request, err) != 0)
		return -1;
	return error_set(err, ERROR_UNAUTHORIZED,
			 presented ? "the token is not known here"
				   : "Authorization: Bearer TOKEN is needed");
}

static int
check_scope(const struct request *request, unsigned scopes, const struct caller *caller,
	    struct error *err)
{
	if ((scopes & request->call->scope) == 0)
		return error_set(err, ERROR_FORBIDDEN,
				 "the token's scope does not allow this call");
	if (caller->agents.s != NULL && !request->call->by_agent)
		return error_set(err, ERROR_FORBIDDEN,
				 "the call is about all agents, and the token for some");
	return 0;
}

/* The tokens may be read again while the request lasts. */
static void
keep_caller(struct request *request, const struct auth_memo *memo)
{
	request->key_scope = (struct str){ memo->key_scope, sizeof(memo->key_scope) };
	if (memo->caller.name.s != NULL)
		request->caller.name = arena_dup(&request->arena, memo->caller.name);
	if (memo->caller.agents.s != NULL)
		request->caller.agents = arena_dup(&request->arena, memo->caller.agents);
}

/* Of a call that needs no token: one that is presented must be good. */
static int
mind_token(struct request *request, struct auth_memo *memo, struct error *err)
{
	struct str token = admission_token(request);

	if (request->http->auth == NULL)
		return 0;
	request->scopes = token.s != NULL ? auth_recall(request->http->auth, memo, token) : 0;
	if (token.s == NULL)
		return 0;
	if (request->scopes == 0)
		return refuse_token(request, true, err);
	keep_caller(request, memo);
	return 0;
}

static int
check_token(struct request *request, struct auth_memo *memo, struct error *err)
{
	struct str token;
	unsigned scopes;

	request->scopes = SCOPE_ALL;
	if (request->http->auth == NULL || request->call->scope == SCOPE_NONE)
		return request->call->minds_token ? mind_token(request, memo, err) : 0;
	token = admission_token(request);
	request->scopes = scopes =
	    token.s != NULL ? auth_recall(request->http->auth, memo, token) : 0;
	if (scopes == 0)
		return refuse_token(request, token.s != NULL, err);
	keep_caller(request, memo);
	if (request->webhook)
		throttle_forget(&request->http->webhook_throttle, request->address);
	return check_scope(request, scopes, &memo->caller, err);
}

int
admission_check_again(const struct request *request, struct auth_memo *memo, struct error *err)
{
	const struct str token = { memo->token, memo->len };
	unsigned scopes;

	if (request->http->auth == NULL || request->call->scope == SCOPE_NONE)
		return 0;
	scopes = auth_recall(request->http->auth, memo, token);
	if (scopes == 0)
		return error_set(err, ERROR_UNAUTHORIZED, "the token is no longer known here");
	if (!str_eq(memo->caller.agents, request->caller.agents))
		return error_set(err, ERROR_UNAUTHORIZED, "the token is for other agents now");
	return check_scope(request, scopes, &memo->caller, err);
}

/* application/json or, for events, application/x-ndjson; a charset can only be UTF-8. */
static int
check_type(struct request *request, struct error *err)
{
	struct str type = request->headers[HEADER_CONTENT_TYPE], parameter = STR("");
	const char *semicolon = type.s != NULL ? memchr(type.s, ';', type.len) : NULL;

	if (semicolon != NULL) {
		parameter = text_trim(
		    (struct str){ semicolon + 1, (size_t)(type.s + type.len - semicolon - 1) });
		type = text_trim((struct str){ type.s, (size_t)(semicolon - type.s) });
	}
	request->lines = request->call->takes_lines && type.len == 20 &&
			 strncasecmp(type.s, "application/x-ndjson", 20) == 0;
	if (!request->lines && (type.len != 16 || strncasecmp(type.s, "application/json", 16) != 0))
		return error_set(err, ERROR_UNSUPPORTED_MEDIA_TYPE,
				 "Content-Type must be application/json");
	if (parameter.len > 0 &&
	    (parameter.len != 13 || strncasecmp(parameter.s, "charset=utf-8", 13) != 0) &&
	    (parameter.len != 15 || strncasecmp(parameter.s, "charset=\"utf-8\"", 15) != 0))
		return error_set(err, ERROR_UNSUPPORTED_MEDIA_TYPE, "the only charset is utf-8");
	return 0;
}

static int
check_body(struct request *request, bool has_body, struct error *err)
{
	if (request->call->takes_body && request->query.len > 0)
		return error_set(err, ERROR_INVALID_FIELD,
				 "this call takes its fields in the body, not in the query");
	if (!request->call->takes_body)
		return has_body ? error_set(err, ERROR_BAD_REQUEST, "this call has no body") : 0;
	if (request->call->takes_any ||
	    (!has_body && request->headers[HEADER_CONTENT_TYPE].s == NULL))
		return 0; /* no body of no type: the handler misses its JSON */
	return check_type(request, err);
}

/*
 * Small requests always pass: acknowledging and looking must work when others have filled the
 * buffers.
 */
static int
check_buffers(struct request *request, uint64_t missing, struct error *err)
{
	uint64_t buffered = request->http->stats.buffered_bytes;
	uint64_t most = request->http->limits.buffered_bytes_max;

	if ((missing <= request->http->limits.message.head_bytes_max ||
	     buffered + missing <= most) &&
	    !(request->call->bulky && buffered > most))
		return 0;
	error_set(err, ERROR_QUEUE_FULL,
		  "too much is buffered for other connections; --max-buffered-bytes is %llu",
		  (unsigned long long)most);
	err->lasting = missing > most;
	return -1;
}

static int
find_call(struct request *request, struct error *err)
{
	struct str id = STR_NULL;

	request->call =
	    request->http->calls->find(request->method, request->path, &id, request->allow, err);
	if (request->call == NULL)
		return -1;
	if (id.s == NULL)
		return 0;
	if (target_decode(&request->arena, id, false, &id, err) != 0)
		return -1;
	request->id = arena_dup(&request->arena, id); /* the buffer may move when the body comes */
	return 0;
}

static int
check_origin(const struct request *request, const struct endpoint *endpoint, struct error *err)
{
	struct origin origin = { request->headers[HEADER_HOST], request->headers[HEADER_ORIGIN],
				 request->headers[HEADER_SEC_FETCH_SITE] };
	bool changes = request->method != HTTP_GET && request->method != HTTP_HEAD;

	return guard_check(&request->http->guard, endpoint, &origin, changes, err);
}

int
admission_check(struct request *request, const struct parser *parser,
		const struct endpoint *endpoint, struct auth_memo *memo, struct error *err)
{
	if (check_origin(request, endpoint, err) != 0 || find_call(request, err) != 0 ||
	    check_token(request, memo, err) != 0)
		return -1;
	if (request->http->closing && request->call->scope != SCOPE_NONE)
		return error_set(err, ERROR_CLOSING, "the server is shutting down");
	if (check_body(request, parser->has_body, err) != 0)
		return -1;
	return check_buffers(request, parser_body_missing(parser), err);
}
