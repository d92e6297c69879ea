/*
 * access_log.c - records of answers and refusals.
 */
#include "server/http/access_log.h"

#include "queue/clock.h"
#include "server/http/connection.h"
#include "server/log.h"

/* Nothing is known of a request whose head was not read. */
static struct log_field
method_of(const struct request *request)
{
	bool known = request->connection->parser.head_len > 0;

	return log_text(known ? "method" : NULL, llhttp_method_name(request->method));
}

static struct log_field
path_of(const struct request *request)
{
	bool known = request->call != NULL;

	return log_text(known ? "path" : NULL, known ? request->call->path : NULL);
}

static struct log_field
token_of(const struct request *request)
{
	struct str name = request->caller.name;

	return (struct log_field){ name.s != NULL ? "token" : NULL, name, 0 };
}

struct log_field
access_log_peer(const struct connection *c, char text[ENDPOINT_TEXT_BYTES])
{
	struct endpoint peer;

	if (!wire_peer(&c->wire, &peer))
		return log_text(NULL, NULL);
	endpoint_format(&peer, text);
	return log_text("peer", endpoint_is_unix(&peer) ? "unix" : text);
}

void
access_log_answer(const struct request *request, int status, size_t body_bytes)
{
	char peer[ENDPOINT_TEXT_BYTES];

	if (!log_enabled(LOG_DEBUG))
		return;
	log_line(LOG_DEBUG, log_msg("answered"), method_of(request), path_of(request),
		 log_number("status", status), log_number("bytes", (long long)body_bytes),
		 log_number(request->began_us > 0 ? "durationUs" : NULL,
			    clock_monotonic_us() - request->began_us),
		 token_of(request), access_log_peer(request->connection, peer));
}

static bool
is_worth_telling(int status)
{
	return status == 401 || status == 403 || status == 429 || status == 507;
}

void
access_log_refusal(const struct request *request, int status, const struct error *err)
{
	char peer[ENDPOINT_TEXT_BYTES];

	if (!is_worth_telling(status) || !log_enabled(LOG_WARN) ||
	    !log_limit_allows(&request->http->refusals))
		return;
	log_line(LOG_WARN, log_msg("refused"), method_of(request), path_of(request),
		 log_number("status", status), log_text("code", error_code_name(err->code)),
		 log_text("detail", err->detail), token_of(request),
		 access_log_peer(request->connection, peer));
}

void
access_log_tell_more(struct http *http)
{
	log_limit_tell_more(&http->refusals);
	log_limit_tell_more(&http->failed_handshakes);
}

int64_t
access_log_next_ms(const struct http *http)
{
	int64_t refusals_ms = log_limit_next_ms(&http->refusals),
		handshakes_ms = log_limit_next_ms(&http->failed_handshakes);

	return refusals_ms < handshakes_ms ? refusals_ms : handshakes_ms;
}
