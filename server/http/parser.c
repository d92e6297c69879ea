/*
 * parser.c - one HTTP/1.1 message at a time.
 *
 * llhttp does the grammar of the head. It is paused at its end, where our own rules are checked at
 * once, and begins anew for each message, so nothing of one request can change how the next is
 * read. What llhttp takes and we do not: line folding, bare line feeds, no or several Hosts,
 * repeated headers of those we read, empty names, other versions and protocols, transfer codings
 * other than exactly "chunked", bodies on GET and HEAD, and anything without a bound.
 *
 * What frames a message has one meaning: we read Content-Length and Transfer-Encoding ourselves,
 * and refuse the message unless llhttp has read the same in them. Connection and Expect are read
 * here alone, and Upgrade by nobody: what llhttp makes of these is not looked at. The body is
 * framed here, a chunked one by chunked.c.
 */
#include "server/http/parser.h"

#include <assert.h>
#include <stddef.h>
#include <strings.h>

#define CHUNK_BYTES_PER_BODY_BYTE 8 /* a body in chunks of one byte each has five */

static const struct str header_names[HEADERS] = {
	[HEADER_HOST] = { "host", 4 },
	[HEADER_AUTHORIZATION] = { "authorization", 13 },
	[HEADER_CONNECTION] = { "connection", 10 },
	[HEADER_CONTENT_ENCODING] = { "content-encoding", 16 },
	[HEADER_CONTENT_LENGTH] = { "content-length", 14 },
	[HEADER_CONTENT_TYPE] = { "content-type", 12 },
	[HEADER_EXPECT] = { "expect", 6 },
	[HEADER_IDEMPOTENCY_KEY] = { "idempotency-key", 15 },
	[HEADER_IF_NONE_MATCH] = { "if-none-match", 13 },
	[HEADER_OPENCLAW_IDEMPOTENCY_KEY] = { "x-openclaw-idempotency-key", 26 },
	[HEADER_OPENCLAW_TOKEN] = { "x-openclaw-token", 16 },
	[HEADER_ORIGIN] = { "origin", 6 },
	[HEADER_SEC_FETCH_SITE] = { "sec-fetch-site", 14 },
	[HEADER_TRACEPARENT] = { "traceparent", 11 },
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

static int
on_header_field(llhttp_t *http, const char *at, size_t len)
{
	struct parser *p = http->data;

	extend(p, &p->name, at, len);
	return 0;
}

static bool
is_blank(char c)
{
	return c == ' ' || c == '\t';
}

static bool
same(struct str a, struct str b)
{
	return a.len == b.len && strncasecmp(a.s, b.s, a.len) == 0;
}

static int
header_named(struct str name)
{
	int header = 0;

	while (header < HEADERS && !same(header_names[header], name))
		header++;
	return header;
}

/*
 * llhttp takes spaces behind a length, but no tabs. They mean the same (RFC 9110 section 5.5), so
 * it is given spaces.
 */
static void
blank_tabs(char *s, const char *end)
{
	for (; s < end && *s != '\r' && *s != '\n'; s++)
		if (*s == '\t')
			*s = ' ';
}

static int
on_header_field_complete(llhttp_t *http)
{
	struct parser *p = http->data;
	struct str name = { p->base + p->name.start, p->name.len };

	if (name.len == 0 || is_blank(name.s[name.len - 1]))
		return bad(p, "a header has no name, or a space behind it");
	p->header = header_named(name);
	if (p->header == HEADER_CONTENT_LENGTH)
		blank_tabs(p->base + p->name.start + p->name.len, p->end);
	p->name = p->value = (struct span){ 0 };
	return 0;
}

static int
on_header_value(llhttp_t *http, const char *at, size_t len)
{
	struct parser *p = http->data;

	extend(p, &p->value, at, len);
	return 0;
}

/* RFC 9110 section 5.6.1: members between commas, which may be empty. False at the end. */
static bool
next_member(struct str *list, struct str *member)
{
	const char *comma;

	if (list->len == 0)
		return false;
	comma = memchr(list->s, ',', list->len);
	*member = (struct str){ list->s, comma != NULL ? (size_t)(comma - list->s) : list->len };
	list->s += member->len + (comma != NULL);
	list->len -= member->len + (comma != NULL);
	while (member->len > 0 && is_blank(member->s[0]))
		*member = (struct str){ member->s + 1, member->len - 1 };
	while (member->len > 0 && is_blank(member->s[member->len - 1]))
		member->len--;
	return true;
}

/* Connection may stand several times, which is the same as one list. */
static void
read_connection(struct parser *p, struct str value)
{
	struct str option;

	while (next_member(&value, &option)) {
		p->wants_close |= same(option, STR("close"));
		p->wants_keep_alive |= same(option, STR("keep-alive"));
	}
}

/* Headers that are hints: nothing in them is an error. */
static bool
may_repeat(int header)
{
	return header == HEADER_TRACEPARENT || header == HEADER_IF_NONE_MATCH;
}

static int
on_header_value_complete(llhttp_t *http)
{
	struct parser *p = http->data;
	struct span *header;

	if (p->header == HEADERS)
		return 0;
	header = &p->headers[p->header];
	if (p->header == HEADER_CONNECTION)
		read_connection(p, (struct str){ p->base + p->value.start, p->value.len });
	else if (header->start != 0 && may_repeat(p->header))
		p->value.len = 0; /* of several none counts */
	else if (header->start != 0)
		return bad(p, "a header that may stand once stands twice");
	while (p->value.len > 0 && is_blank(p->base[p->value.start + p->value.len - 1]))
		p->value.len--;
	*header = p->value;
	if (header->start == 0) /* an empty value has no place, but is there */
		header->start = 1;
	p->header = HEADERS;
	return 0;
}

static int
on_headers_complete(llhttp_t *http)
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
};

void
parser_init(struct parser *parser, const struct parser_limits *limits)
{
	memset(parser, 0, offsetof(struct parser, error));
	parser->error.code = ERROR_NONE;
	parser->limits = limits;
	parser->header = HEADERS;
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
	const char *start = p->base, *end = p->base + p->head_len;

	while (*start == '\n' ||
	       *start == '\r') /* llhttp passes over empty lines before a request */
		if (*start++ == '\r' && *start != '\n')
			return bad(p, "a CR stands without LF");
	for (const char *lf = p->base;
	     lf < end && (lf = memchr(lf, '\n', (size_t)(end - lf))) != NULL; lf++) {
		if (lf == p->base || lf[-1] != '\r')
			return bad(p, "a line does not end with CR LF");
		if (lf + 1 < end && (lf[1] == ' ' || lf[1] == '\t'))
			return bad(p, "a header is folded over two lines");
	}
	return 0;
}

/* RFC 9112 section 6.1. Other codings before chunked are known to exist, but not spoken here. */
static int
check_transfer_encoding(struct parser *p)
{
	struct str codings = parser_text(p->base, p->headers[HEADER_TRANSFER_ENCODING]);
	struct str rest = codings, last = STR("");

	if (codings.s == NULL)
		return 0;
	if (p->http.http_minor == 0)
		return bad(p, "HTTP/1.0 has no Transfer-Encoding");
	while (next_member(&rest, &last))
		;
	if (!same(last, STR("chunked")))
		return bad(p, "Transfer-Encoding does not end with chunked");
	if (memchr(codings.s, ',', codings.len) != NULL)
		return refuse(p, ERROR_NOT_IMPLEMENTED,
			      "the only transfer coding spoken here is chunked");
	p->is_chunked = true;
	return 0;
}

/* Digits alone. llhttp has refused what does not fit in 64 bits. */
static int
check_content_length(struct parser *p)
{
	struct str length = parser_text(p->base, p->headers[HEADER_CONTENT_LENGTH]);

	for (size_t i = 0; i < length.len; i++) {
		if (length.s[i] < '0' || length.s[i] > '9')
			return bad(p, "Content-Length is no number");
		p->body_missing = p->body_missing * 10 + (uint64_t)(length.s[i] - '0');
	}
	return 0;
}

/* Whether two readers may be at different places after this message. */
static int
check_agreement(struct parser *p)
{
	const uint16_t flags = p->http.flags;
	bool has_length = p->headers[HEADER_CONTENT_LENGTH].start != 0,
	     has_coding = p->headers[HEADER_TRANSFER_ENCODING].start != 0;

	if (has_length && has_coding)
		return bad(p, "Content-Length and Transfer-Encoding exclude each other");
	if (has_length != ((flags & F_CONTENT_LENGTH) != 0) ||
	    (has_length && p->body_missing != p->http.content_length))
		return bad(p, "Content-Length can be read in two ways");
	if (has_coding != ((flags & F_TRANSFER_ENCODING) != 0) ||
	    p->is_chunked != ((flags & F_CHUNKED) != 0))
		return bad(p, "Transfer-Encoding can be read in two ways");
	return 0;
}

static int
check_framing(struct parser *p)
{
	if (check_transfer_encoding(p) != 0 || check_content_length(p) != 0 ||
	    check_agreement(p) != 0)
		return -1;
	p->has_body = p->is_chunked || p->body_missing > 0;
	if (p->has_body && (p->http.method == HTTP_GET || p->http.method == HTTP_HEAD))
		return bad(p, "GET and HEAD have no body");
	if (p->http.method == HTTP_CONNECT)
		return bad(p, "CONNECT has no path");
	if (p->http.http_minor == 0 && p->http.method == HTTP_POST &&
	    p->headers[HEADER_CONTENT_LENGTH].start == 0)
		return bad(p, "POST needs a Content-Length in HTTP/1.0");
	return 0;
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
	if (check_lines(p) != 0 || check_framing(p) != 0 || check_host(p) != 0)
		return -1;
	if (expect.s != NULL && !same(expect, STR("100-continue")))
		return refuse(p, ERROR_EXPECTATION_FAILED,
			      "the only expectation known here is 100-continue");
	if (p->headers[HEADER_CONTENT_ENCODING].start != 0)
		return refuse(p, ERROR_UNSUPPORTED_MEDIA_TYPE, "no content coding is known here");
	if (p->body_missing > p->limits->body_bytes_max)
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
	p->head_len = p->fed;
	return check_head(p) == 0 ? PARSED_HEAD : PARSED_FAILED;
}

static enum parsed
feed_head(struct parser *p, size_t len)
{
	const size_t most = p->limits->head_bytes_max, end = len < most ? len : most;
	llhttp_errno_t result;

	p->end = p->base + end;
	if (p->header == HEADER_CONTENT_LENGTH && p->base[p->fed - 1] != '\r' &&
	    p->base[p->fed - 1] != '\n') /* its value goes on */
		blank_tabs(p->base + p->fed, p->end);
	result = llhttp_execute(&p->http, p->base + p->fed, end - p->fed);
	if (result == HPE_PAUSED) {
		p->fed = (size_t)(llhttp_get_error_pos(&p->http) - p->base);
		return head_complete(p);
	}
	if (result != HPE_OK)
		return llhttp_failed(p, result);
	p->fed = end;
	if (p->fed < most)
		return PARSED_MORE;
	refuse(p, ERROR_HEADERS_TOO_LARGE, "the request headers are too long");
	return PARSED_FAILED;
}

/*
 * Takes the next len bytes as body. They are moved to the end of what the body has so far: chunks
 * are joined, a body of one piece stays where it is.
 */
static void
take_body(struct parser *p, size_t len)
{
	char *end = p->base + p->head_len + p->body_len;

	p->body_seen += len;
	if (!p->drop_body) {
		if (end != p->base + p->fed)
			memmove(end, p->base + p->fed, len);
		p->body_len += len;
	}
	p->fed += len;
}

static size_t
least(uint64_t a, size_t b)
{
	return a < b ? (size_t)a : b;
}

/*
 * Reads one byte of framing. Nothing is unbounded: what chunks add to the bytes of a body has a
 * limit, too. A chunk that says it is too long need not be waited for.
 */
static int
read_framing(struct parser *p)
{
	const struct parser_limits *limits = p->limits;

	if (++p->chunk_bytes > limits->head_bytes_max + CHUNK_BYTES_PER_BODY_BYTE * p->body_seen)
		return refuse(p, ERROR_HEADERS_TOO_LARGE,
			      "chunk extensions or trailers are too long");
	if (chunked_read(&p->chunked, p->base[p->fed++], &p->error) != 0)
		return -1;
	if (chunked_in_data(&p->chunked) && p->chunked.left > limits->body_bytes_max - p->body_seen)
		return refuse(p, ERROR_TOO_LARGE, "the request body is too long");
	return 0;
}

static enum parsed
feed_chunked(struct parser *p, size_t len)
{
	while (p->fed < len && !chunked_at_end(&p->chunked)) {
		if (chunked_in_data(&p->chunked)) {
			size_t piece = least(p->chunked.left, len - p->fed);

			take_body(p, piece);
			chunked_take(&p->chunked, piece);
		} else if (read_framing(p) != 0)
			return PARSED_FAILED;
	}
	return chunked_at_end(&p->chunked) ? PARSED_DONE : PARSED_MORE;
}

static enum parsed
feed_body(struct parser *p, size_t len)
{
	if (p->is_chunked)
		return feed_chunked(p, len);
	if (p->body_missing > 0) {
		size_t piece = least(p->body_missing, len - p->fed);

		take_body(p, piece);
		p->body_missing -= piece;
	}
	return p->body_missing == 0 ? PARSED_DONE : PARSED_MORE;
}

enum parsed
parser_feed(struct parser *parser, char *base, size_t len)
{
	enum parsed parsed;

	assert(parser->error.code == ERROR_NONE && parser->fed <= len);
	parser->base = base;
	parsed = parser->head_len == 0 ? feed_head(parser, len) : feed_body(parser, len);
	if (parsed == PARSED_MORE)
		parser->fed = parser_end(parser);
	return parsed;
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
	return !parser->wants_close && (parser->http.http_minor > 0 || parser->wants_keep_alive);
}

uint64_t
parser_body_missing(const struct parser *parser)
{
	return parser->body_missing;
}
