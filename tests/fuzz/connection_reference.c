/*
 * connection_reference.c - one message after the other, line by line.
 */
#include "connection_reference.h"

#include <stdint.h>
#include <string.h>
#include <strings.h>

#define LINES_MAX REFERENCE_HEAD_BYTES
#define FRAMING_PER_BODY_BYTE 8

struct text {
	const char *s;
	size_t len;
};

struct reader {
	const char *s;
	size_t len, at;
};

struct header {
	struct text name, value; /* the value between its white space, and all behind the colon */
	struct text raw;
};

struct message {
	struct text method, authority, path, query;
	bool http_1_0;
	struct header headers[LINES_MAX];
	size_t header_count;
	char body[REFERENCE_BODY_BYTES];
	size_t body_len;
	bool has_body;
};

static bool
is(struct text a, const char *b)
{
	return a.len == strlen(b) && memcmp(a.s, b, a.len) == 0;
}

static bool
is_in_any_case(struct text a, const char *b)
{
	return a.len == strlen(b) && strncasecmp(a.s, b, a.len) == 0;
}

static bool
contains(const char *set, char c)
{
	return c != '\0' && strchr(set, c) != NULL;
}

static bool
is_digit(char c)
{
	return contains("0123456789", c);
}

static bool
is_token(char c)
{
	return is_digit(c) || contains("abcdefghijklmnopqrstuvwxyz", c) ||
	       contains("ABCDEFGHIJKLMNOPQRSTUVWXYZ", c) || contains("!#$%&'*+-.^_`|~", c);
}

static bool
is_blank(char c)
{
	return c == ' ' || c == '\t';
}

static bool
is_text(char c)
{
	unsigned char byte = (unsigned char)c;

	return byte == '\t' || byte >= 0x80 || (byte >= 0x20 && byte != 0x7f);
}

static struct text
trim(struct text text)
{
	while (text.len > 0 && is_blank(text.s[0]))
		text = (struct text){ text.s + 1, text.len - 1 };
	while (text.len > 0 && is_blank(text.s[text.len - 1]))
		text.len--;
	return text;
}

/* Takes a line with its CR LF. False if there is none, or a CR or LF stands alone. */
static bool
take_line(struct reader *in, struct text *line)
{
	size_t end = in->at;

	while (end < in->len && in->s[end] != '\r' && in->s[end] != '\n')
		end++;
	if (end + 1 >= in->len || in->s[end] != '\r' || in->s[end + 1] != '\n')
		return false;
	*line = (struct text){ in->s + in->at, end - in->at };
	in->at = end + 2;
	return true;
}

static bool
take(struct reader *in, char c)
{
	if (in->at == in->len || in->s[in->at] != c)
		return false;
	in->at++;
	return true;
}

static void
take_blanks(struct reader *in)
{
	while (in->at < in->len && is_blank(in->s[in->at]))
		in->at++;
}

static bool
take_token(struct reader *in)
{
	size_t from = in->at;

	while (in->at < in->len && is_token(in->s[in->at]))
		in->at++;
	return in->at > from;
}

/* --- the request line --- */

static bool
is_method(struct text method)
{
	static const char *const methods[] = {
		"DELETE",    "GET",       "HEAD",        "POST",     "PUT",    "OPTIONS",
		"TRACE",     "COPY",      "LOCK",        "MKCOL",    "MOVE",   "PROPFIND",
		"PROPPATCH", "SEARCH",    "UNLOCK",      "BIND",     "REBIND", "UNBIND",
		"ACL",       "REPORT",    "MKACTIVITY",  "CHECKOUT", "MERGE",  "M-SEARCH",
		"NOTIFY",    "SUBSCRIBE", "UNSUBSCRIBE", "PATCH",    "PURGE",  "MKCALENDAR",
		"LINK",      "UNLINK",    "SOURCE",
	};

	for (size_t i = 0; i < sizeof(methods) / sizeof(methods[0]); i++)
		if (is(method, methods[i]))
			return true;
	return false;
}

/* NAME or NAME:PORT, and both are ours. */
static bool
is_ours(struct text authority)
{
	static const char *const names[] = { "127.0.0.1", "localhost", "[::1]" };

	for (size_t i = 0; i < 3; i++) {
		struct text name = { authority.s, strlen(names[i]) };
		unsigned port = 0;

		if (authority.len < name.len || !is_in_any_case(name, names[i]))
			continue;
		if (authority.len == name.len)
			return true;
		if (authority.s[name.len] != ':' || authority.len - name.len > 6)
			return false;
		for (size_t k = name.len + 1; k < authority.len; k++) {
			if (!is_digit(authority.s[k]))
				return false;
			port = port * 10 + (unsigned)(authority.s[k] - '0');
		}
		return port == 7387;
	}
	return false;
}

static bool
read_target(struct message *m, struct text target)
{
	struct text path = target;
	size_t end = 0;

	if (target.len == 0 || target.len > REFERENCE_TARGET_BYTES)
		return false;
	for (size_t i = 0; i < target.len; i++)
		if (target.s[i] <= 0x20 || target.s[i] >= 0x7f ||
		    contains("\"#<>\\^`", target.s[i]) ||
		    (i + 3 <= target.len && memcmp(target.s + i, "%00", 3) == 0))
			return false;
	if (target.len > 7 && strncasecmp(target.s, "http://", 7) == 0) {
		m->authority = (struct text){ target.s + 7, 0 };
		while (7 + m->authority.len < target.len &&
		       !contains("/?", target.s[7 + m->authority.len]))
			m->authority.len++;
		path = (struct text){ target.s + 7 + m->authority.len,
				      target.len - 7 - m->authority.len };
		if (!is_ours(m->authority))
			return false;
		if (path.len == 0 || path.s[0] == '?') {
			m->path = (struct text){ "/", 1 };
			m->query = path.len > 0 ? (struct text){ path.s + 1, path.len - 1 } : path;
			return true;
		}
	}
	if (path.s[0] != '/' || (path.len > 1 && path.s[1] == '/'))
		return false;
	while (end < path.len && path.s[end] != '?')
		end++;
	m->path = (struct text){ path.s, end };
	m->query = (struct text){ path.s + end, 0 };
	if (end < path.len)
		m->query = (struct text){ path.s + end + 1, path.len - end - 1 };
	return true;
}

static bool
read_request_line(struct message *m, struct text line)
{
	size_t space = 0, last;
	struct text version;

	while (space < line.len && line.s[space] != ' ')
		space++;
	m->method = (struct text){ line.s, space };
	last = line.len;
	while (last > space && line.s[last - 1] != ' ')
		last--;
	if (last <= space + 1)
		return false;
	version = (struct text){ line.s + last, line.len - last };
	m->http_1_0 = is(version, "HTTP/1.0");
	return is_method(m->method) && (m->http_1_0 || is(version, "HTTP/1.1")) &&
	       read_target(m, (struct text){ line.s + space + 1, last - 1 - (space + 1) });
}

/* --- headers --- */

static bool
read_header(struct text line, struct header *ret)
{
	size_t colon = 0;

	while (colon < line.len && is_token(line.s[colon]))
		colon++;
	if (colon == 0 || colon == line.len || line.s[colon] != ':')
		return false;
	ret->name = (struct text){ line.s, colon };
	ret->raw = (struct text){ line.s + colon + 1, line.len - colon - 1 };
	ret->value = trim(ret->raw);
	for (size_t i = 0; i < ret->raw.len; i++)
		if (!is_text(ret->raw.s[i]))
			return false;
	return true;
}

static const struct header *
find(const struct message *m, const char *name, size_t *count)
{
	const struct header *found = NULL;

	*count = 0;
	for (size_t i = 0; i < m->header_count; i++)
		if (is_in_any_case(m->headers[i].name, name)) {
			found = found != NULL ? found : &m->headers[i];
			++*count;
		}
	return found;
}

static const struct header *
first(const struct message *m, const char *name)
{
	size_t count;

	return find(m, name, &count);
}

/* Whether a list has the member, in any of the headers with this name. */
static bool
lists(const struct message *m, const char *name, const char *member)
{
	for (size_t i = 0; i < m->header_count; i++) {
		struct text rest = m->headers[i].value;

		if (!is_in_any_case(m->headers[i].name, name))
			continue;
		for (size_t k = 0; k <= rest.len; k++) {
			if (k < rest.len && rest.s[k] != ',')
				continue;
			if (is_in_any_case(trim((struct text){ rest.s, k }), member))
				return true;
			if (k == rest.len)
				break;
			rest = (struct text){ rest.s + k + 1, rest.len - k - 1 };
			k = (size_t)-1;
		}
	}
	return false;
}

static bool
read_head(struct message *m, struct reader *in)
{
	static const char *const once[] = { "host",
					    "authorization",
					    "content-encoding",
					    "content-length",
					    "content-type",
					    "expect",
					    "idempotency-key",
					    "x-openclaw-idempotency-key",
					    "x-openclaw-token",
					    "origin",
					    "sec-fetch-site",
					    "transfer-encoding" };
	size_t begin = in->at, count;
	struct text line;

	do
		if (!take_line(in, &line))
			return false;
	while (line.len == 0);
	if (!read_request_line(m, line))
		return false;
	while (take_line(in, &line) && line.len > 0)
		if (m->header_count == LINES_MAX ||
		    !read_header(line, &m->headers[m->header_count++]))
			return false;
	if (line.len > 0 || in->at - begin > REFERENCE_HEAD_BYTES)
		return false;
	for (size_t i = 0; i < sizeof(once) / sizeof(once[0]); i++) {
		find(m, once[i], &count);
		if (count > 1)
			return false;
	}
	return true;
}

/* The rules on headers that make a message wrong. */
static bool
is_right(const struct message *m)
{
	const struct header *host = first(m, "host"), *expect = first(m, "expect");

	if (host == NULL && !m->http_1_0)
		return false;
	if (host != NULL && host->value.len == 0)
		return false;
	for (size_t i = 0; host != NULL && i < host->value.len; i++)
		if (!(is_token(host->value.s[i]) && !contains("!#$%&'*+^`|~", host->value.s[i])) &&
		    !contains(":[]", host->value.s[i]))
			return false;
	if (expect != NULL && !is_in_any_case(expect->value, "100-continue"))
		return false;
	return first(m, "content-encoding") == NULL;
}

/* --- the body --- */

static bool
read_length(struct message *m, struct text digits, struct reader *in)
{
	uint64_t length = 0;

	if (digits.len == 0)
		return false;
	for (size_t i = 0; i < digits.len; i++) {
		if (!is_digit(digits.s[i]))
			return false;
		length = length * 10 + (uint64_t)(digits.s[i] - '0');
		if (length > REFERENCE_BODY_BYTES)
			return false;
	}
	if (length > in->len - in->at)
		return false;
	memcpy(m->body, in->s + in->at, length);
	m->body_len = length;
	m->has_body = length > 0;
	in->at += length;
	return true;
}

static bool
take_quoted(struct reader *in)
{
	while (in->at < in->len && in->s[in->at] != '"') {
		if (in->s[in->at] == '\\')
			in->at++;
		if (in->at == in->len || !is_text(in->s[in->at]))
			return false;
		in->at++;
	}
	return take(in, '"');
}

/* All that stands between a chunk's size and the end of its line. */
static bool
read_extensions(struct reader *line)
{
	while (line->at < line->len) {
		take_blanks(line);
		if (!take(line, ';'))
			return false;
		take_blanks(line);
		if (!take_token(line))
			return false;
		struct reader behind = *line;
		take_blanks(&behind);
		if (!take(&behind, '='))
			continue;
		take_blanks(&behind);
		*line = behind;
		if (take(line, '"') ? !take_quoted(line) : !take_token(line))
			return false;
	}
	return true;
}

static bool
read_size(struct text text, size_t *size)
{
	struct reader line = { text.s, text.len, 0 };

	*size = 0;
	while (line.at < line.len && contains("0123456789abcdefABCDEF", line.s[line.at])) {
		char c = line.s[line.at++];

		*size = *size * 16 + (size_t)(is_digit(c) ? c - '0' : (c | 0x20) - 'a' + 10);
		if (*size > REFERENCE_BODY_BYTES)
			return false;
	}
	return line.at > 0 && read_extensions(&line);
}

/* Whether so much framing may stand beside so much of a body. */
static bool
is_bounded(const struct message *m, size_t framing)
{
	return framing <= REFERENCE_HEAD_BYTES + FRAMING_PER_BODY_BYTE * m->body_len;
}

static bool
read_trailers(struct message *m, struct reader *in, size_t framing)
{
	const size_t begin = in->at;
	struct header trailer;
	struct text line;

	do {
		if (!take_line(in, &line))
			return false;
		if (line.len > 0 && (!read_header(line, &trailer) ||
				     is_in_any_case(trailer.name, "content-length") ||
				     is_in_any_case(trailer.name, "transfer-encoding")))
			return false;
	} while (line.len > 0);
	return is_bounded(m, framing + in->at - begin);
}

static bool
read_chunks(struct message *m, struct reader *in)
{
	size_t framing = 0, size, begin;
	struct text line;

	m->has_body = true;
	for (;;) {
		begin = in->at;
		if (!take_line(in, &line) || !read_size(line, &size))
			return false;
		framing += in->at - begin;
		if (!is_bounded(m, framing))
			return false;
		if (size == 0)
			return read_trailers(m, in, framing);
		if (size > REFERENCE_BODY_BYTES - m->body_len || in->len - in->at < size)
			return false;
		memcpy(m->body + m->body_len, in->s + in->at, size);
		m->body_len += size;
		in->at += size;
		framing += 2;
		if (!take(in, '\r') || !take(in, '\n') || !is_bounded(m, framing))
			return false;
	}
}

static bool
read_body(struct message *m, struct reader *in)
{
	const struct header *length = first(m, "content-length"),
			    *coding = first(m, "transfer-encoding");

	if (coding != NULL) {
		size_t end = coding->raw.len;

		while (end > 0 && coding->raw.s[end - 1] == ' ')
			end--;
		/* a tab behind it is refused, because llhttp does not see such a coding */
		if (length != NULL || m->http_1_0 || !is_in_any_case(coding->value, "chunked") ||
		    coding->raw.s[end - 1] == '\t' || is(m->method, "GET") || is(m->method, "HEAD"))
			return false;
		return read_chunks(m, in);
	}
	if (length != NULL)
		return read_length(m, length->value, in) &&
		       !(m->has_body && (is(m->method, "GET") || is(m->method, "HEAD")));
	return !(m->http_1_0 && is(m->method, "POST"));
}

/* --- the outcome --- */

static void
add(struct outcome *ret, struct text text)
{
	memcpy(ret->echo + ret->echo_len, text.s, text.len);
	ret->echo_len += text.len;
}

static void
judge(const struct message *m, struct outcome *ret)
{
	const struct header *host = first(m, "host");
	struct text named = m->authority.s != NULL ? m->authority
			    : host != NULL         ? host->value
						   : (struct text){ NULL, 0 };
	bool looks = is(m->method, "GET") || is(m->method, "HEAD");

	ret->is_head = is(m->method, "HEAD");
	ret->closes = lists(m, "connection", "close") ||
		      (m->http_1_0 && !lists(m, "connection", "keep-alive"));
	if ((named.s != NULL && !is_ours(named)) || (!looks && m->query.len > 0))
		ret->expected = EXPECTED_REFUSAL;
	else if (!looks && (first(m, "origin") != NULL || first(m, "sec-fetch-site") != NULL))
		ret->expected = EXPECTED_EITHER; /* the guard has tests of its own */
	if (ret->expected != EXPECTED_ECHO && first(m, "expect") != NULL && m->has_body &&
	    !m->http_1_0)
		ret->closes = true; /* the body that was asked about need not come */
	add(ret, m->method);
	add(ret, (struct text){ " ", 1 });
	add(ret, m->path);
	add(ret, (struct text){ "?", 1 });
	if (m->query.s != NULL)
		add(ret, m->query);
	add(ret, (struct text){ "\n", 1 });
	add(ret, (struct text){ m->body, m->body_len });
}

bool
reference_next(const char *input, size_t len, size_t *at, struct outcome *ret)
{
	struct reader in = { input, len, *at };
	static struct message m;

	if (*at == len)
		return false;
	m.method = m.authority = m.path = m.query = (struct text){ NULL, 0 };
	m.header_count = m.body_len = 0;
	m.has_body = false;
	memset(ret, 0, offsetof(struct outcome, echo));
	ret->echo_len = 0;
	if (read_head(&m, &in) && is_right(&m) && read_body(&m, &in))
		judge(&m, ret);
	else {
		ret->expected = EXPECTED_REFUSAL;
		ret->closes = true;
	}
	*at = in.at;
	return true;
}
