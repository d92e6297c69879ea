/*
 * json.c - the strict scanner, the readers of its tokens, and quoting.
 *
 * One pass of recursive descent fills the token array; depth_max bounds the recursion. Nothing is
 * copied: json_string decodes a string when it is asked for. Duplicate names are looked for when an
 * object closes, when the number of its members is known: a few are compared pairwise; many, and
 * those with escapes, are looked up by their hashes.
 */
#include "schema/json.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "schema/json_text.h"
#include "schema/keyed_hash.h"
#include "schema/number.h"

/*
 * A document with more tokens than this frees them at the next text that is too short to need as
 * many.
 */
#define TOKENS_KEPT 65536

/* The most members whose names are compared pairwise. */
#define FEW_MEMBERS 16

enum {
	PLAIN = 1, /* needs no look inside a string: ASCII, neither quote, backslash nor control */
	SPACE = 2,
	DIGIT = 4,
};

/* clang-format off */
#define P PLAIN
#define W SPACE
#define S (PLAIN | SPACE)
#define D (PLAIN | DIGIT)
static const uint8_t classes[256] = {
	0, 0, 0, 0, 0, 0, 0, 0, 0, W, W, 0, 0, W, 0, 0,
	0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
	S, P, 0, P, P, P, P, P, P, P, P, P, P, P, P, P, /* 0: the quote */
	D, D, D, D, D, D, D, D, D, D, P, P, P, P, P, P,
	P, P, P, P, P, P, P, P, P, P, P, P, P, P, P, P,
	P, P, P, P, P, P, P, P, P, P, P, P, 0, P, P, P, /* 0: the backslash */
	P, P, P, P, P, P, P, P, P, P, P, P, P, P, P, P,
	P, P, P, P, P, P, P, P, P, P, P, P, P, P, P, P,
};
#undef P
#undef W
#undef S
#undef D
/* clang-format on */

/* The byte eight times. */
#define EIGHT(byte) (UINT64_C(0x0101010101010101) * (byte))

/*
 * Skips plain bytes of a string eight at a time, and stops at eight that contain a control
 * character, a quote, a backslash or a byte with one of the bits of stop. (b - n) & ~b has its
 * highest bit set where byte b is below n. A borrow can set that bit wrongly, but only in the byte
 * above one where it is right, so whether any byte is special is always right.
 */
static const char *
skip_eights(const char *at, const char *end, uint64_t stop)
{
	for (; end - at >= 8; at += 8) {
		uint64_t bytes, quote, backslash, special;

		memcpy(&bytes, at, sizeof(bytes));
		quote = bytes ^ EIGHT('"');
		backslash = bytes ^ EIGHT('\\');
		special = ((bytes - EIGHT(0x20)) & ~bytes) | ((quote - EIGHT(1)) & ~quote) |
			  ((backslash - EIGHT(1)) & ~backslash);
		if (((special & EIGHT(0x80)) | (bytes & stop)) != 0)
			break;
	}
	return at;
}

struct scanner {
	struct json *doc;
	const char *at, *end;
	int depth_max;
	struct error *err;
};

static int value(struct scanner *s, int depth);

static bool
is(const struct scanner *s, int class)
{
	return s->at < s->end && (classes[(unsigned char)*s->at] & class) != 0;
}

static bool
at(const struct scanner *s, char c)
{
	return s->at < s->end && *s->at == c;
}

static void
skip(struct scanner *s, int class)
{
	while (is(s, class))
		s->at++;
}

static int
fail(const struct scanner *s, const char *why)
{
	return json_fail(s->err, s->doc->text, s->at, why);
}

static int
unexpected(const struct scanner *s, const char *expected)
{
	return json_unexpected(s->err, s->doc->text, s->at, s->end, expected);
}

/* Opens a token at the scanner's position; close_token ends it at the position then reached. */
static size_t
open_token(struct scanner *s, enum json_type type)
{
	struct json *doc = s->doc;

	if (doc->count == doc->cap)
		doc->tokens =
		    mem_grow(doc->tokens, &doc->cap, doc->count + 1, sizeof(*doc->tokens));
	doc->tokens[doc->count] = (struct json_token){
		.start = (uint32_t)(s->at - doc->text),
		.type = (uint8_t)type,
	};
	return doc->count++;
}

static void
close_token(struct scanner *s, size_t token)
{
	s->doc->tokens[token].end = (uint32_t)(s->at - s->doc->text);
	s->doc->tokens[token].next = (uint32_t)s->doc->count;
}

/*
 * Reads the escape behind a backslash: moves *p behind it and returns NULL, or returns what is
 * wrong with it.
 */
static const char *
unescape(const char **p, const char *end, uint32_t *ret)
{
	static const char names[] = "\"\\/bfnrt", meanings[] = "\"\\/\b\f\n\r\t";
	const char *name;

	if (*p == end)
		return "a string ends inside an escape";
	if (**p == 'u') {
		(*p)++;
		return json_unescape_u(p, end, ret);
	}
	name = memchr(names, **p, sizeof(names) - 1);
	if (name == NULL)
		return "unknown escape in a string";
	(*p)++;
	*ret = (uint32_t)meanings[name - names];
	return NULL;
}

/* Reads one character of a string that is not plain: an escape or UTF-8, or an error. */
static int
special(struct scanner *s, struct json_token *token)
{
	const char *p = s->at, *wrong;
	uint32_t code_point;
	size_t len;

	if (p == s->end)
		return unexpected(s, "'\"' to end the string");
	if (*p == '\\') {
		p++;
		wrong = unescape(&p, s->end, &code_point);
		if (wrong != NULL)
			return fail(s, wrong);
		token->escaped = true;
		s->at = p;
		return 0;
	}
	if ((unsigned char)*p < 0x20)
		return fail(s, "a control character in a string must be escaped");
	len = json_decode(p, s->end, &code_point);
	if (len == 0)
		return fail(s, "invalid UTF-8");
	s->at += len;
	return 0;
}

static int
string(struct scanner *s)
{
	size_t token;

	s->at++;
	token = open_token(s, JSON_STRING);
	for (;;) {
		s->at = skip_eights(s->at, s->end, EIGHT(0x80)); /* UTF-8 is checked by special */
		skip(s, PLAIN);
		if (at(s, '"'))
			break;
		if (special(s, &s->doc->tokens[token]) < 0)
			return -1;
	}
	close_token(s, token);
	s->at++;
	return 0;
}

static int
digits(struct scanner *s)
{
	if (!is(s, DIGIT))
		return unexpected(s, "a digit");
	skip(s, DIGIT);
	return 0;
}

static int
number(struct scanner *s)
{
	const size_t token = open_token(s, JSON_NUMBER);

	if (at(s, '-'))
		s->at++;
	if (at(s, '0')) {
		s->at++;
		if (is(s, DIGIT))
			return fail(s, "a number has no leading zeros");
	} else if (digits(s) < 0)
		return -1;
	if (at(s, '.')) {
		s->at++;
		if (digits(s) < 0)
			return -1;
	}
	if (at(s, 'e') || at(s, 'E')) {
		s->at++;
		if (at(s, '+') || at(s, '-'))
			s->at++;
		if (digits(s) < 0)
			return -1;
	}
	close_token(s, token);
	return 0;
}

static int
word(struct scanner *s, const char *spelling, enum json_type type)
{
	const size_t len = strlen(spelling), token = open_token(s, type);

	if ((size_t)(s->end - s->at) < len || memcmp(s->at, spelling, len) != 0)
		return unexpected(s, "a value");
	s->at += len;
	close_token(s, token);
	return 0;
}

static int
array(struct scanner *s, int depth)
{
	const size_t token = open_token(s, JSON_ARRAY);
	size_t elements = 0;

	if (depth == s->depth_max)
		return fail(s, "nested too deeply");
	s->at++;
	skip(s, SPACE);
	while (elements > 0 || !at(s, ']')) {
		if (value(s, depth + 1) < 0)
			return -1;
		elements++;
		skip(s, SPACE);
		if (at(s, ']'))
			break;
		if (!at(s, ','))
			return unexpected(s, "',' or ']'");
		s->at++;
		skip(s, SPACE);
	}
	s->at++;
	close_token(s, token);
	return 0;
}

/* Yields the bytes of a string's unescaped form, one by one. */
struct reader {
	const char *at, *end;
	char bytes[4]; /* of the escape last read */
	size_t used, count;
};

static int
read_byte(struct reader *r)
{
	uint32_t code_point = 0;

	if (r->used == r->count) {
		if (r->at == r->end)
			return -1;
		if (*r->at != '\\')
			return (unsigned char)*r->at++;
		r->at++;
		unescape(&r->at, r->end, &code_point);
		r->count = json_encode(code_point, r->bytes);
		r->used = 0;
	}
	return (unsigned char)r->bytes[r->used++];
}

static bool
same_unescaped(struct str a, struct str b)
{
	struct reader ra = { .at = a.s, .end = a.s + a.len },
		      rb = { .at = b.s, .end = b.s + b.len };
	int ca, cb;

	do {
		ca = read_byte(&ra);
		cb = read_byte(&rb);
	} while (ca == cb && ca >= 0);
	return ca == cb;
}

static bool
same_name(const struct json *doc, size_t a, size_t b)
{
	if (doc->tokens[a].escaped || doc->tokens[b].escaped)
		return same_unescaped(json_raw(doc, a), json_raw(doc, b));
	return str_eq(json_raw(doc, a), json_raw(doc, b));
}

/* Names that are the same have the same hash. */
static struct keyed_hash
hash_of_name(const struct json *doc, size_t t, struct buf *unescaped)
{
	struct str raw = json_raw(doc, t);
	struct reader r = { .at = raw.s, .end = raw.s + raw.len };
	size_t len = 0;

	if (!doc->tokens[t].escaped)
		return keyed_hash_text(raw);
	buf_reserve(unescaped, raw.len); /* no escape is shorter than what it stands for */
	for (int c; (c = read_byte(&r)) >= 0;)
		unescaped->data[len++] = (char)c;
	return keyed_hash_text((struct str){ unescaped->data, len });
}

/*
 * The first name that repeats an earlier one; 0 if there is none. Takes a few steps a member: a
 * body of a megabyte may have an object of 100,000.
 */
static size_t
repeated_of_many(struct json *doc, size_t object, size_t members)
{
	struct buf unescaped = { 0 };
	/* a hash table with linear probing */
	struct name {
		uint32_t token; /* 0: free */
		uint32_t tag;   /* the upper half of the hash; the lower leads to the slot */
	} * names;
	size_t slots = 2 * FEW_MEMBERS, t, i;

	while (slots < 2 * members)
		slots *= 2;
	doc->scratch.len = 0;
	buf_reserve(&doc->scratch, slots * sizeof(*names));
	names = memset(doc->scratch.data, 0, slots * sizeof(*names));
	for (t = json_first(doc, object); t != 0; t = json_next(doc, object, t)) {
		uint64_t hash = hash_of_name(doc, t, &unescaped).bits;
		struct name name = { (uint32_t)t, (uint32_t)(hash >> 32) };

		i = hash & (slots - 1);
		while (names[i].token != 0 &&
		       (names[i].tag != name.tag || !same_name(doc, names[i].token, t)))
			i = (i + 1) & (slots - 1);
		if (names[i].token != 0)
			break;
		names[i] = name;
	}
	buf_clear(&unescaped);
	return t;
}

/* The same for few members: comparing costs less than hashing, unless names have escapes. */
static size_t
repeated_of_few(struct json *doc, size_t object, size_t members)
{
	size_t names[FEW_MEMBERS], count = 0, t, i;

	for (t = json_first(doc, object); t != 0; t = json_next(doc, object, t)) {
		if (doc->tokens[t].escaped)
			return repeated_of_many(doc, object, members);
		for (i = 0; i < count; i++)
			if (str_eq(json_raw(doc, names[i]), json_raw(doc, t)))
				return t;
		names[count++] = t;
	}
	return 0;
}

static int
check_names(struct scanner *s, size_t object, size_t members)
{
	if (members < 2)
		return 0;
	const size_t repeated =
	    (members <= FEW_MEMBERS ? repeated_of_few : repeated_of_many)(s->doc, object, members);

	if (repeated == 0)
		return 0;
	s->at = s->doc->text + s->doc->tokens[repeated].start - 1; /* its quote */
	return fail(s, "a member name is repeated");
}

static int
member(struct scanner *s, int depth)
{
	if (!at(s, '"'))
		return unexpected(s, "a member name");
	if (string(s) < 0)
		return -1;
	skip(s, SPACE);
	if (!at(s, ':'))
		return unexpected(s, "':'");
	s->at++;
	skip(s, SPACE);
	return value(s, depth);
}

static int
object(struct scanner *s, int depth)
{
	const size_t token = open_token(s, JSON_OBJECT);
	size_t members = 0;

	if (depth == s->depth_max)
		return fail(s, "nested too deeply");
	s->at++;
	skip(s, SPACE);
	while (members > 0 || !at(s, '}')) {
		if (member(s, depth + 1) < 0)
			return -1;
		members++;
		skip(s, SPACE);
		if (at(s, '}'))
			break;
		if (!at(s, ','))
			return unexpected(s, "',' or '}'");
		s->at++;
		skip(s, SPACE);
	}
	s->at++;
	close_token(s, token);
	return check_names(s, token, members);
}

static int
value(struct scanner *s, int depth)
{
	if (s->at == s->end)
		return unexpected(s, "a value");
	switch (*s->at) {
	case '"':
		return string(s);
	case '{':
		return object(s, depth);
	case '[':
		return array(s, depth);
	case 't':
		return word(s, "true", JSON_TRUE);
	case 'f':
		return word(s, "false", JSON_FALSE);
	case 'n':
		return word(s, "null", JSON_NULL);
	default:
		return is(s, DIGIT) || *s->at == '-' ? number(s) : unexpected(s, "a value");
	}
}

static int
document(struct scanner *s)
{
	skip(s, SPACE);
	if (value(s, 0) < 0)
		return -1;
	skip(s, SPACE);
	return s->at == s->end ? 0 : unexpected(s, "nothing more");
}

static int
scan(struct json *doc, const char *text, size_t len, int depth_max, struct error *err)
{
	struct scanner s = {
		.doc = doc, .at = text, .end = text + len, .depth_max = depth_max, .err = err
	};

	/* A text has fewer tokens than bytes. */
	if (doc->cap > TOKENS_KEPT && len <= TOKENS_KEPT)
		json_clear(doc);
	doc->text = text;
	doc->count = 0;
	if (len > JSON_BYTES_MAX)
		return error_set(err, ERROR_INVALID_JSON, "the text is over %d bytes",
				 JSON_BYTES_MAX);
	if (document(&s) == 0)
		return 0;
	doc->count = 0;
	return -1;
}

int
json_scan(struct json *doc, const char *text, size_t len, struct error *err)
{
	return scan(doc, text, len, JSON_DEPTH, err);
}

int
json_scan_deep(struct json *doc, const char *text, size_t len, struct error *err)
{
	return scan(doc, text, len, JSON_DEPTH_DEEP, err);
}

void
json_clear(struct json *doc)
{
	free(doc->tokens);
	buf_clear(&doc->scratch);
	*doc = (struct json){ 0 };
}

size_t
json_first(const struct json *doc, size_t container)
{
	assert(container < doc->count && doc->tokens[container].type >= JSON_ARRAY);
	return container + 1 < doc->tokens[container].next ? container + 1 : 0;
}

size_t
json_next(const struct json *doc, size_t container, size_t item)
{
	const size_t last = doc->tokens[container].type == JSON_OBJECT ? item + 1 : item;
	const size_t next = doc->tokens[last].next;

	return next < doc->tokens[container].next ? next : 0;
}

struct str
json_raw(const struct json *doc, size_t token)
{
	const struct json_token *t = &doc->tokens[token];

	return (struct str){ doc->text + t->start, t->end - t->start };
}

struct str
json_string(const struct json *doc, size_t token, struct arena *arena)
{
	const struct str raw = json_raw(doc, token);
	struct reader r = { .at = raw.s, .end = raw.s + raw.len };
	size_t len = 0;
	char *to;
	int c;

	assert(token < doc->count && doc->tokens[token].type == JSON_STRING);
	if (!doc->tokens[token].escaped)
		return raw;
	to = arena_bytes(arena, raw.len); /* an escape is never shorter than what it means */
	while ((c = read_byte(&r)) >= 0)
		to[len++] = (char)c;
	return (struct str){ to, len };
}

bool
json_int64(const struct json *doc, size_t token, int64_t *ret)
{
	return doc->tokens[token].type == JSON_NUMBER &&
	       number_parse(json_raw(doc, token), INT64_MIN, INT64_MAX, ret) == NUMBER_PARSED;
}

/*
 * How a byte is written in a string; len 0: as it is. Eight bytes each, so that one copy of fixed
 * size writes any of them.
 */
static const struct escape {
	char text[7];
	uint8_t len;
} escapes[256] = {
#define SHORT(byte, name) [byte] = { { '\\', (name) }, 2 }
#define LONG(byte, high, low) [byte] = { { '\\', 'u', '0', '0', (high), (low) }, 6 }
	LONG(0x00, '0', '0'), LONG(0x01, '0', '1'), LONG(0x02, '0', '2'), LONG(0x03, '0', '3'),
	LONG(0x04, '0', '4'), LONG(0x05, '0', '5'), LONG(0x06, '0', '6'), LONG(0x07, '0', '7'),
	SHORT('\b', 'b'),     SHORT('\t', 't'),     SHORT('\n', 'n'),     LONG(0x0b, '0', 'b'),
	SHORT('\f', 'f'),     SHORT('\r', 'r'),     LONG(0x0e, '0', 'e'), LONG(0x0f, '0', 'f'),
	LONG(0x10, '1', '0'), LONG(0x11, '1', '1'), LONG(0x12, '1', '2'), LONG(0x13, '1', '3'),
	LONG(0x14, '1', '4'), LONG(0x15, '1', '5'), LONG(0x16, '1', '6'), LONG(0x17, '1', '7'),
	LONG(0x18, '1', '8'), LONG(0x19, '1', '9'), LONG(0x1a, '1', 'a'), LONG(0x1b, '1', 'b'),
	LONG(0x1c, '1', 'c'), LONG(0x1d, '1', 'd'), LONG(0x1e, '1', 'e'), LONG(0x1f, '1', 'f'),
	SHORT('"', '"'),      SHORT('\\', '\\'),
#undef SHORT
#undef LONG
};

/* Writes the bytes from at on that have to be escaped, up to the first that has not. */
static const char *
quote_run(struct buf *out, const char *at, const char *end)
{
	const char *behind = at + 1;

	while (behind < end && escapes[(unsigned char)*behind].len > 0)
		behind++;
	/* 6 bytes each at the most; each copy writes 8 */
	buf_reserve(out, 6 * (size_t)(behind - at) + sizeof(struct escape));
	for (; at < behind; at++) {
		const struct escape *escape = &escapes[(unsigned char)*at];

		memcpy(out->data + out->len, escape, sizeof(*escape));
		out->len += escape->len;
	}
	return at;
}

/* Appends the string, which out has room for but for its escapes. */
static inline void
escape(struct buf *out, struct str s)
{
	const char *start = s.s, *at = s.s, *end = s.s + s.len;

	for (;;) {
		at = skip_eights(at, end, 0);
		while (at < end &&
		       ((classes[(unsigned char)*at] & PLAIN) != 0 || (unsigned char)*at >= 0x80))
			at++;
		if (at == end)
			break;
		buf_add(out, start, (size_t)(at - start));
		start = at = quote_run(out, at, end);
	}
	buf_add(out, start, (size_t)(end - start));
}

void
json_quote(struct buf *out, struct str s)
{
	buf_reserve(out, s.len + 2);
	buf_add(out, "\"", 1);
	escape(out, s);
	buf_add(out, "\"", 1);
}

void
json_escape(struct buf *out, struct str s)
{
	buf_reserve(out, s.len);
	escape(out, s);
}
