/*
 * parser.c - one HTTP/1.1 message at a time.
 *
 * llhttp does the grammar. It is paused at the end of the head, where our own rules are checked at
 * once, and at the end of the message, and begins anew for each message, so nothing of one request
 * can change how the next is read. What llhttp takes and we do not: line folding, bare line feeds,
 * no or several Hosts, repeated headers of those we read, empty names, other versions and
 * protocols, transfer codings other than exactly "chunked", bodies on GET and HEAD, and anything
 * without a bound.
 */
#include "server/http/parser.h"

#include <assert.h>
#include <stddef.h>
#include <strings.h>

#define CHUNK_BYTES_PER_BODY_BYTE 8 /* a body in chunks of one byte each has five */

static const struct str header_names[HEADERS] = {
	[HEADER_HOST] = { "host", 4 },
	[HEADER_AUTHORIZATION] = { "authorization", 13 },
	[HEADER_CONTENT_ENCODING] = { "content-encoding", 16 },
	[HEADER_CONTENT_TYPE] = { "content-type", 12 },
	[HEADER_EXPECT] = { "expect", 6 },
	[HEADER_IDEMPOTENCY_KEY] = { "idempotency-key", 15 },
	[HEADER_OPENCLAW_IDEMPOTENCY_KEY] = { "x-openclaw-idempotency-key", 26 },
	[HEADER_OPENCLAW_TOKEN] = { "x-openclaw-token", 16 },
	[HEADER_ORIGIN] = { "origin", 6 },
	[HEADER_SEC_FETCH_SITE] = { "sec-fetch-site", 14 },
	[HEADER_TRANSFER_ENCODING] = { "transfer-encoding", 17 },
};

/* Notes a failure of ours; llhttp then ends with an error of its own, which nobody looks at. */
static int
refuse(struct parser *p, enum error_code code, const char *why)
{
	return error_set(&p->error, code, "%s", why);
}

static int
bad(struct parser *p, const char *why)
{
	return refuse(p, ERROR_BAD_REQUEST, why);
}

/*
 * Callbacks may come in pieces. Pieces of one item lie side by side, except in folded lines, which
 * are refused later.
 */
static void
extend(struct parser *p, struct span *span, const char *at, size_t len)
{
	if (span->len == 0)
		span->start = (size_t)(at - p->base);
	span->len += len;
}

static int
on_url(llhttp_t *http, const char *at, size_t len)
{
	struct parser *p = http->data;

	extend(p, &p->target, at, len);
	return p->target.len <= p->limits->target_bytes_max
		   ? 0
		   : refuse(p, ERROR_URI_TOO_LONG, "the request target is too long");
}

static int
on_version(llhttp_t *http, const char *at, size_t len)
{
	struct parser *p = http->data;

	extend(p, &p->version, at, len);
	return 0;
}

/*
 * METHOD SP target SP HTTP/1.x, with single spaces: llhttp also knows RTSP and ICE, and takes more
 * spaces.
 */
static int
on_version_complete(llhttp_t *http)
{
	struct parser *p = http->data;
	size_t end = p->target.start + p->target.len;

	if (p->base[p->target.start - 2] == ' ' || end + 6 != p->version.start ||
	    memcmp(p->base + end, " HTTP/", 6) != 0)
		return bad(p, "the request line is not METHOD TARGET HTTP/1.1");
	if (http->http_major != 1 || http->http_minor > 1)
		return refuse(p, ERROR_HTTP_VERSION, "only HTTP/1.1 and HTTP/1.0 are spoken here");
	return 0;
}

/* Trailers are dropped, and their bytes with them: of a name only a few are kept aside. */
static int
on_header_field(llhttp_t *http, const char *at, size_t len)
{
	struct parser *p = http->data;

	if (p->head_len > 0) {
		size_t room = sizeof(p->trailer) - 1 - strlen(p->trailer);

		strncat(p->trailer, at, len < room ? len : room);
		return 0;
	}
	extend(p, &p->name, at, len);
	return 0;
}

static int
header_named(struct str name)
{
	int header = 0;

	while (header < HEADERS && (header_names[header].len != name.len ||
				    strncasecmp(header_names[header].s, name.s, name.len) != 0))
		header++;
	return header;
}

/* RFC 9110 section 6.5.1: what frames the message cannot come after it. */
static int
trailer_complete(struct parser *p)
{
	bool frames = strcasecmp(p->trailer, "content-length") == 0 ||
		      strcasecmp(p->trailer, "transfer-encoding") == 0;

	p->header = HEADERS;
	p->trailer[0] = '\0';
	return frames ? bad(p, "a trailer cannot say how long the body is") : 0;
}

static int
on_header_field_complete(llhttp_t *http)
{
	struct parser *p = http->data;
	struct str name = { p->base + p->name.start, p->name.len };

	if (p->head_len > 0)
		return trailer_complete(p);
	if (name.len == 0 || name.s[name.len - 1] == ' ' || name.s[name.len - 1] == '\t')
		return bad(p, "a header has no name, or a space behind it");
	p->header = header_named(name);
	p->name = p->value = (struct span){ 0 };
	return 0;
}

static int
on_header_value(llhttp_t *http, const char *at, size_t len)
{
	struct parser *p = http->data;

	if (p->head_len == 0)
		extend(p, &p->value, at, len);
	else if ((at > p->from ? at[-1] : p->last) == '\n')
		return bad(p, "a trailer is folded over two lines");
	return 0;
}

static int
on_header_value_complete(llhttp_t *http)
{
	struct parser *p = http->data;
	struct span *header;

	if (p->header == HEADERS)
		return 0;
	header = &p->headers[p->header];
	if (header->start != 0)
		return bad(p, "a header that may stand once stands twice");
	while (p->value.len > 0 && (p->base[p->value.start + p->value.len - 1] == ' ' ||
				    p->base[p->value.start + p->value.len - 1] == '\t'))
		p->value.len--;
	*header = p->value;
	if (header->start == 0) /* an empty value has no place, but is there */
		header->start = 1;
	return 0;
}

static int
on_headers_complete(llhttp_t *http)
{
	(void)http;
	return HPE_PAUSED;
}

/*
 * Moves the piece to the end of the body before it: chunks are joined, a body of one piece stays
 * where it is.
 */
static int
on_body(llhttp_t *http, const char *at, size_t len)
{
	struct parser *p = http->data;
	char *end = p->base + p->head_len + p->body_len;

	p->body_seen += len;
	if (p->body_seen > p->limits->body_bytes_max)
		return refuse(p, ERROR_TOO_LARGE, "the request body is too long");
	if (p->drop_body)
		return 0;
	if (end != at)
		memmove(end, at, len);
	p->body_len += len;
	return 0;
}

/* A chunk that says it is too long need not be waited for. */
static int
on_chunk_header(llhttp_t *http)
{
	struct parser *p = http->data;

	return http->content_length <= p->limits->body_bytes_max - p->body_seen
		   ? 0
		   : refuse(p, ERROR_TOO_LARGE, "the request body is too long");
}

static int
on_message_complete(llhttp_t *http)
{
	(void)http;
	return HPE_PAUSED;
}

static const llhttp_settings_t settings = {
	.on_url = on_url,
	.on_version = on_version,
	.on_version_complete = on_version_complete,
	.on_header_field = on_header_field,
	.on_header_field_complete = on_header_field_complete,
	.on_header_value = on_header_value,
	.on_header_value_complete = on_header_value_complete,
	.on_headers_complete = on_headers_complete,
	.on_body = on_body,
	.on_chunk_header = on_chunk_header,
	.on_message_complete = on_message_complete,
};

void
parser_init(struct parser *parser, const struct parser_limits *limits)
{
	memset(parser, 0, offsetof(struct parser, error));
	parser->error.code = ERROR_NONE;
	parser->limits = limits;
	llhttp_init(&parser->http, HTTP_REQUEST, &settings);
	parser->http.data = parser;
}

/*
 * Every line ends with CR LF, and none begins with white space (a folded line, RFC 9112 section
 * 5.2).
 */
static int
check_lines(struct parser *p)
{
	const char *end = p->base + p->head_len;

	for (const char *lf = p->base;
	     lf < end && (lf = memchr(lf, '\n', (size_t)(end - lf))) != NULL; lf++) {
		if (lf == p->base || lf[-1] != '\r')
			return bad(p, "a line does not end with CR LF");
		if (lf + 1 < end && (lf[1] == ' ' || lf[1] == '\t'))
			return bad(p, "a header is folded over two lines");
	}
	return 0;
}

/*
 * RFC 9112 section 6.1: without chunked as the last coding the length is unknown; others before it
 * we do not speak.
 */
static int
check_transfer_encoding(struct parser *p)
{
	struct str coding = parser_text(p->base, p->headers[HEADER_TRANSFER_ENCODING]);
	const char *comma;

	if (coding.s == NULL)
		return 0;
	if (p->http.http_minor == 0)
		return bad(p, "HTTP/1.0 has no Transfer-Encoding");
	if (coding.len == 7 && strncasecmp(coding.s, "chunked", 7) == 0)
		return 0;
	comma = memrchr(coding.s, ',', coding.len);
	if (comma != NULL) {
		struct str last = text_trim(
		    (struct str){ comma + 1, (size_t)(coding.s + coding.len - comma - 1) });

		if (last.len == 7 && strncasecmp(last.s, "chunked", 7) == 0)
			return refuse(p, ERROR_NOT_IMPLEMENTED,
				      "the only transfer coding spoken here is chunked");
	}
	return bad(p, "Transfer-Encoding does not end with chunked");
}

/*
 * Names, addresses and a port; no user, no path, no list. Whether the name is ours is not decided
 * here.
 */
static int
check_host(struct parser *p)
{
	struct str host = parser_text(p->base, p->headers[HEADER_HOST]);

	if (host.len == 0 && (host.s != NULL || p->http.http_minor == 1))
		return bad(p, "there must be exactly one Host");
	for (size_t i = 0; i < host.len; i++) {
		char c = host.s[i];

		if (!((c | 0x20) >= 'a' && (c | 0x20) <= 'z') && !(c >= '0' && c <= '9') &&
		    memchr(".-_:[]", c, 6) == NULL)
			return bad(p, "Host is not NAME or NAME:PORT");
	}
	return 0;
}

static int
check_head(struct parser *p)
{
	struct str expect = parser_text(p->base, p->headers[HEADER_EXPECT]);

	if (p->http.http_major != 1)
		return bad(p, "the request line has no version");
	if (check_lines(p) != 0 || check_transfer_encoding(p) != 0 || check_host(p) != 0)
		return -1;
	if (p->has_body && (p->http.method == HTTP_GET || p->http.method == HTTP_HEAD))
		return bad(p, "GET and HEAD have no body");
	if (expect.s != NULL &&
	    (expect.len != 12 || strncasecmp(expect.s, "100-continue", 12) != 0))
		return refuse(p, ERROR_EXPECTATION_FAILED,
			      "the only expectation known here is 100-continue");
	if (p->http.http_minor == 0 && p->http.method == HTTP_POST &&
	    (p->http.flags & F_CONTENT_LENGTH) == 0)
		return bad(p, "POST needs a Content-Length in HTTP/1.0");
	if (p->headers[HEADER_CONTENT_ENCODING].start != 0)
		return refuse(p, ERROR_UNSUPPORTED_MEDIA_TYPE, "no content coding is known here");
	if ((p->http.flags & F_CONTENT_LENGTH) != 0 &&
	    p->http.content_length > p->limits->body_bytes_max)
		return refuse(p, ERROR_TOO_LARGE, "the request body is too long");
	return 0;
}

/*
 * llhttp's own refusals. A version with two digits is one we do not speak; everything else is no
 * HTTP.
 */
static enum parsed
llhttp_failed(struct parser *p, llhttp_errno_t why)
{
	const char *version = p->base + p->version.start;

	if (p->error.code != ERROR_NONE)
		return PARSED_FAILED;
	if (why == HPE_INVALID_VERSION && p->version.len == 3 && version[1] == '.' &&
	    (p->http.http_major != 1 || p->http.http_minor > 1))
		refuse(p, ERROR_HTTP_VERSION, "only HTTP/1.1 and HTTP/1.0 are spoken here");
	else if (why == HPE_INVALID_CONTENT_LENGTH && p->http.reason != NULL &&
		 strstr(p->http.reason, "overflow") != NULL)
		refuse(p, ERROR_TOO_LARGE, "the request body is too long");
	else
		error_set(&p->error, ERROR_BAD_REQUEST, "this is not HTTP/1.1: %s",
			  p->http.reason != NULL ? p->http.reason : llhttp_errno_name(why));
	return PARSED_FAILED;
}

static enum parsed
head_complete(struct parser *p)
{
	llhttp_resume(&p->http);
	p->head_len = p->fed;
	p->has_body = (p->http.flags & F_CHUNKED) != 0 || p->http.content_length > 0;
	return check_head(p) == 0 ? PARSED_HEAD : PARSED_FAILED;
}

/* Nothing is unbounded: not the head, and not what a chunked body adds to its bytes. */
static bool
over_limit(struct parser *p)
{
	size_t most = p->limits->head_bytes_max;

	if (p->head_len == 0)
		return p->fed >= most &&
		       refuse(p, ERROR_HEADERS_TOO_LARGE, "the request headers are too long") != 0;
	return p->chunk_bytes > most + CHUNK_BYTES_PER_BODY_BYTE * p->body_seen &&
	       refuse(p, ERROR_HEADERS_TOO_LARGE, "chunk extensions or trailers are too long") != 0;
}

enum parsed
parser_feed(struct parser *parser, char *base, size_t len)
{
	size_t before = parser->fed, body_before = parser->body_seen, end = len;
	llhttp_errno_t result;

	assert(parser->error.code == ERROR_NONE && parser->fed <= len);
	if (parser->head_len > 0 && !parser->has_body)
		return PARSED_DONE;
	if (parser->head_len == 0 && end > parser->limits->head_bytes_max)
		end = parser->limits->head_bytes_max;
	parser->base = base;
	parser->from = base + before;
	result = llhttp_execute(&parser->http, base + before, end - before);
	if (result != HPE_OK && result != HPE_PAUSED)
		return llhttp_failed(parser, result);
	parser->fed =
	    result == HPE_PAUSED ? (size_t)(llhttp_get_error_pos(&parser->http) - base) : end;
	if (result == HPE_PAUSED && parser->head_len == 0)
		return head_complete(parser);
	if (parser->head_len > 0)
		parser->chunk_bytes += parser->fed - before - (parser->body_seen - body_before);
	if (over_limit(parser))
		return PARSED_FAILED;
	if (result == HPE_PAUSED)
		return PARSED_DONE;
	parser->last = end > before ? base[end - 1] : parser->last;
	parser->fed = parser_end(parser);
	return PARSED_MORE;
}

size_t
parser_end(const struct parser *parser)
{
	return parser->head_len > 0 ? parser->head_len + parser->body_len : parser->fed;
}

struct str
parser_text(const char *base, struct span span)
{
	return span.start > 0 ? (struct str){ base + span.start, span.len } : STR_NULL;
}

bool
parser_keeps_alive(const struct parser *parser)
{
	if ((parser->http.flags & F_CONNECTION_CLOSE) != 0)
		return false;
	return parser->http.http_minor > 0 || (parser->http.flags & F_CONNECTION_KEEP_ALIVE) != 0;
}

uint64_t
parser_body_missing(const struct parser *parser)
{
	return parser->head_len > 0 && (parser->http.flags & F_CHUNKED) == 0
		   ? parser->http.content_length
		   : 0;
}
