/*
 * page_access.c - POST /v1/page-codes and POST /v1/page-sessions: how a page gets a token without
 * anybody typing one, or reading one over a shoulder.
 *
 * Who has a token asks for a code and opens the page with it; the page trades the code for a token
 * of its own. Both stay in memory and may never do more than the first token
 * (server/http/grants.h).
 */
#include "server/calls/calls.h"
#include "server/calls/field.h"
#include "server/calls/json.h"
#include "server/calls/page.h"
#include "server/http/admission.h"
#include "server/http/reply.h"

struct access_body {
	struct str scope, code;
};

static const struct field code_fields[] = {
	FIELD("scope", TEXT, struct access_body, scope),
};
static const struct field session_fields[] = {
	FIELD_REQUIRED("code", TEXT, struct access_body, code),
};

/* The kind is the member's name. granted NULL: no token is asked for here, and none is needed. */
static void
answer(struct request *request, const char *kind, const struct auth_granted *granted)
{
	struct buf *out = reply_begin(request);

	buf_addf(out, "{\"%s\":", kind);
	json_add_text(out, granted != NULL ? str_of(granted->text) : STR_NULL);
	BUF_ADD_LITERAL(out, ",\"scopes\":");
	json_add_scopes(out, granted != NULL ? granted->scopes : SCOPE_ALL);
	BUF_ADD_LITERAL(out, ",\"expiresAt\":");
	json_add_time(out, granted != NULL ? granted->expires_ms : 0);
	BUF_ADD_LITERAL(out, "}");
	reply_send(request, &(struct reply){ .status = 200 });
}

/* Those of the words that the caller has. */
static int
read_scopes(const struct request *request, struct str words, unsigned *ret, struct error *err)
{
	struct error why;

	*ret = 0;
	if (scopes_read(words, ret, &why) != 0 || *ret == 0)
		return error_set_field(err, "/scope",
				       "must be of produce, consume, read and admin, with commas");
	*ret &= request->scopes;
	return *ret != 0 ? 0
			 : error_set(err, ERROR_FORBIDDEN, "the token has none of these scopes");
}

static int
make_code(struct request *request, unsigned scopes, struct auth_granted *ret, struct error *err)
{
	struct http *http = request->http;
	int64_t wait_ms;

	if (auth_make_code(http->auth, admission_token(request), scopes, ret, &wait_ms, err) == 0)
		return 0;
	request->retry_after_s = (int)((wait_ms + 999) / 1000);
	http->stats.codes_refused += err->code == ERROR_QUEUE_FULL;
	return -1;
}

void
page_codes_post(struct request *request)
{
	struct access_body body = { .scope = STR("read") };
	bool has_tokens = request->http->auth != NULL;
	struct auth_granted code;
	unsigned scopes;
	struct error err;

	if (body_read(request, code_fields, 1, &body, NULL) != 0)
		return;
	if (page_check(request, &err) != 0 ||
	    read_scopes(request, body.scope, &scopes, &err) != 0 ||
	    (has_tokens && make_code(request, scopes, &code, &err) != 0))
		problem_send(request, &err);
	else
		answer(request, "code", has_tokens ? &code : NULL);
}

/* Bad codes count as bad tokens do. */
static int
trade(struct request *request, struct str code, struct auth_granted *ret, struct error *err)
{
	struct http *http = request->http;
	struct error too_many;
	bool one_ended = false;

	if (auth_trade_code(http->auth, code, ret, &one_ended, err) != 0) {
		if (admission_count_bad(request, &too_many) != 0)
			*err = too_many;
		return -1;
	}
	http->stats.granted_ended += one_ended;
	/* what goes on by one that has ended ends with this turn */
	http->token_expiry = one_ended ? (struct expiry){ 0, 0 } : auth_next_expiry(http->auth);
	return 0;
}

void
page_sessions_post(struct request *request)
{
	struct access_body body = { .code = STR_NULL };
	bool has_tokens = request->http->auth != NULL;
	struct auth_granted token;
	struct error err;

	if (body_read(request, session_fields, 1, &body, NULL) != 0)
		return;
	if (page_check(request, &err) != 0 ||
	    (has_tokens && trade(request, body.code, &token, &err) != 0))
		problem_send(request, &err);
	else
		answer(request, "token", has_tokens ? &token : NULL);
}
