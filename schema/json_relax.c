/*
 * json_relax.c - JSON5 rewritten as strict JSON.
 *
 * A recursive descent over the source that writes strict JSON while it reads. The strict scanner
 * then reads the result, to find repeated member names. Every value and name of the source becomes
 * exactly one token, in the same order, so one mark for each token leads from the scanner's
 * position back to the source. All other errors have been found in the source by then; that the
 * scanner finds no error between marks is asserted. JSON5 white space and identifiers are those of
 * ECMAScript, but any code point above ASCII that is not white space may stand in an identifier: a
 * name in a config is not worth a Unicode table.
 */
#include <assert.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "schema/json.h"
#include "schema/json_text.h"

/* Some versions of cJSON read no longer number, so a longer one is rewritten from its double. */
#define NUMBER_BYTES_MAX 63

/* Where a token begins: in the output, and in the source. */
struct mark {
	size_t written, source;
};

struct relaxer {
	const char *text, *at, *end; /* valid UTF-8 without NUL */
	struct buf *out;
	size_t begin; /* where in out this text's output begins */
	struct mark *marks;
	size_t count, cap;
	struct buf word; /* the string, name or number being read */
	struct error *err;
};

static int value(struct relaxer *r, int depth);

static int
fail(const struct relaxer *r, const char *why)
{
	return json_fail(r->err, r->text, r->at, why);
}

static int
unexpected(const struct relaxer *r, const char *expected)
{
	return json_unexpected(r->err, r->text, r->at, r->end, expected);
}

/* The byte here, or NUL at the end: the source has none. */
static char
here(const struct relaxer *r)
{
	return r->at < r->end ? *r->at : '\0';
}

static bool
starts(const struct relaxer *r, const char *prefix)
{
	const size_t len = strlen(prefix);

	return (size_t)(r->end - r->at) >= len && memcmp(r->at, prefix, len) == 0;
}

static bool
take(struct relaxer *r, const char *prefix)
{
	if (!starts(r, prefix))
		return false;
	r->at += strlen(prefix);
	return true;
}

/* The code point here and its length; 0 at the end. */
static size_t
look(const struct relaxer *r, uint32_t *ret)
{
	return r->at < r->end ? json_decode(r->at, r->end, ret) : 0;
}

static bool
is_line_end(uint32_t c)
{
	return c == '\n' || c == '\r' || c == 0x2028 || c == 0x2029;
}

static bool
is_space(uint32_t c)
{
	static const uint32_t spaces[] = { '\t',   '\v',   '\f',   ' ',    0xa0,
					   0x1680, 0x202f, 0x205f, 0x3000, 0xfeff };
	size_t i;

	for (i = 0; i < sizeof(spaces) / sizeof(spaces[0]); i++)
		if (c == spaces[i])
			return true;
	return is_line_end(c) || (c >= 0x2000 && c <= 0x200a);
}

static bool
is_digit(uint32_t c)
{
	return c >= '0' && c <= '9';
}

static bool
starts_identifier(uint32_t c)
{
	return c == '$' || c == '_' || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') ||
	       (c >= 0x80 && !is_space(c));
}

static void
skip_line(struct relaxer *r)
{
	uint32_t c;
	size_t len;

	while ((len = look(r, &c)) > 0 && !is_line_end(c))
		r->at += len;
}

static int
skip_comment(struct relaxer *r)
{
	const char *stop;

	if (take(r, "//")) {
		skip_line(r);
		return 0;
	}
	stop = memmem(r->at + 2, (size_t)(r->end - r->at - 2), "*/", 2);
	if (stop == NULL)
		return fail(r, "a comment does not end");
	r->at = stop + 2;
	return 0;
}

/* Skips white space and comments. */
static int
skip(struct relaxer *r)
{
	uint32_t c;
	size_t len;

	for (;;) {
		while ((len = look(r, &c)) > 0 && is_space(c))
			r->at += len;
		if (!starts(r, "//") && !starts(r, "/*"))
			return 0;
		if (skip_comment(r) < 0)
			return -1;
	}
}

/* Marks where the next token begins, in the output and in the source. */
static void
mark(struct relaxer *r)
{
	r->marks = mem_grow(r->marks, &r->cap, r->count + 1, sizeof(*r->marks));
	r->marks[r->count++] = (struct mark){ r->out->len - r->begin, (size_t)(r->at - r->text) };
}

static void
add_code_point(struct relaxer *r, uint32_t c)
{
	char bytes[4];

	buf_add(&r->word, bytes, json_encode(c, bytes));
}

/* Writes the string or name in word, quoted. */
static void
write_word(struct relaxer *r)
{
	json_quote(r->out, (struct str){ r->word.data, r->word.len });
}

/* An escape of one character behind the backslash; false if it is a longer one. */
static bool
short_escape(uint32_t c, uint32_t *ret)
{
	static const char names[] = "bfnrtv", meanings[] = "\b\f\n\r\t\v";
	const char *name = c < 0x80 ? memchr(names, (int)c, sizeof(names) - 1) : NULL;

	if (name == NULL && (is_digit(c) || c == 'x' || c == 'u'))
		return false;
	*ret = name == NULL ? c : (uint32_t)meanings[name - names];
	return true;
}

/* Reads \x and \u with their digits; NULL, or why the escape is refused. */
static const char *
long_escape(struct relaxer *r, uint32_t *ret)
{
	if (take(r, "u"))
		return json_unescape_u(&r->at, r->end, ret);
	if (take(r, "x")) {
		if (!json_hex(&r->at, r->end, 2, ret))
			return "\\x needs two hexadecimal digits";
		return *ret == 0 ? "\\x00 is not allowed" : NULL;
	}
	return here(r) == '0' ? "\\0 is not allowed" : "a digit cannot be escaped";
}

static int
escape(struct relaxer *r)
{
	const char *backslash = r->at++, *wrong = NULL;
	uint32_t c, meaning;
	size_t len = look(r, &c);

	if (len == 0)
		return unexpected(r, "the rest of an escape");
	if (is_line_end(c)) { /* a line continuation */
		if (!take(r, "\r\n"))
			r->at += len;
		return 0;
	}
	if (short_escape(c, &meaning))
		r->at += len;
	else
		wrong = long_escape(r, &meaning);
	if (wrong != NULL) {
		r->at = backslash;
		return fail(r, wrong);
	}
	add_code_point(r, meaning);
	return 0;
}

/* Reads a string, in single or double quotes, into word. */
static int
read_string(struct relaxer *r)
{
	const char quote = *r->at++;
	uint32_t c;
	size_t len;

	r->word.len = 0;
	for (;;) {
		len = look(r, &c);
		if (len == 0)
			return unexpected(r, quote == '"' ? "'\"' to end the string"
							  : "\"'\" to end the string");
		if (c == '\n' || c == '\r')
			return fail(
			    r, "a string ends at the end of its line, or the line in a backslash");
		if (c == '\\') {
			if (escape(r) < 0)
				return -1;
			continue;
		}
		if (*r->at == quote) {
			r->at++;
			return 0;
		}
		buf_add(&r->word, r->at, len);
		r->at += len;
	}
}

static int
string(struct relaxer *r)
{
	mark(r);
	if (read_string(r) < 0)
		return -1;
	write_word(r);
	return 0;
}

/* Reads one character of an identifier into word; *ret is false at its end. */
static int
identifier_part(struct relaxer *r, bool first, bool *ret)
{
	const char *begin = r->at, *wrong;
	uint32_t c;
	size_t len = look(r, &c);

	*ret = false;
	if (len > 0 && take(r, "\\u")) {
		wrong = json_unescape_u(&r->at, r->end, &c);
		if (wrong == NULL && !starts_identifier(c) && (first || !is_digit(c)))
			wrong = "this character cannot stand in a name without quotes";
		if (wrong != NULL) {
			r->at = begin;
			return fail(r, wrong);
		}
	} else {
		if (len == 0 || (!starts_identifier(c) && (first || !is_digit(c))))
			return 0;
		r->at += len;
	}
	add_code_point(r, c);
	*ret = true;
	return 0;
}

static int
identifier(struct relaxer *r)
{
	bool more = false;

	mark(r);
	r->word.len = 0;
	if (identifier_part(r, true, &more) < 0)
		return -1;
	if (!more)
		return unexpected(r, "a member name");
	while (more)
		if (identifier_part(r, false, &more) < 0)
			return -1;
	write_word(r);
	return 0;
}

/* Reads digits into word and returns how many. */
static size_t
digits(struct relaxer *r)
{
	const char *begin = r->at;

	while (is_digit((unsigned char)here(r)))
		r->at++;
	buf_add(&r->word, begin, (size_t)(r->at - begin));
	return (size_t)(r->at - begin);
}

/*
 * Reads a decimal number behind its sign into word, in JSON's form: ".5" becomes "0.5" and "5."
 * becomes "5".
 */
static int
decimal(struct relaxer *r)
{
	const bool zero = here(r) == '0';
	const size_t whole = digits(r);
	size_t fraction = 0;

	if (zero && whole > 1)
		return fail(r, "a number has no leading zeros");
	if (whole == 0)
		buf_adds(&r->word, "0");
	if (take(r, ".")) {
		buf_adds(&r->word, ".");
		fraction = digits(r);
		if (fraction == 0)
			r->word.len--;
	}
	if (whole + fraction == 0)
		return unexpected(r, "a digit");
	if (here(r) != 'e' && here(r) != 'E')
		return 0;
	buf_add(&r->word, r->at++, 1);
	if (here(r) == '-' || here(r) == '+')
		buf_add(&r->word, r->at++, 1);
	return digits(r) > 0 ? 0 : unexpected(r, "a digit");
}

static int
hexadecimal(struct relaxer *r)
{
	const char *begin;
	uint32_t ignored;

	r->at += 2;
	begin = r->at;
	while (json_hex(&r->at, r->end, 1, &ignored))
		;
	if (r->at == begin)
		return unexpected(r, "a hexadecimal digit");
	buf_adds(&r->word, "0x");
	buf_add(&r->word, begin, (size_t)(r->at - begin));
	return 0;
}

/*
 * Writes a number with its own digits where JSON has that form and cJSON its length, otherwise from
 * its double.
 */
static int
number(struct relaxer *r)
{
	const char *begin = r->at;
	bool hex;
	double d;

	mark(r);
	r->word.len = 0;
	if (take(r, "-"))
		buf_adds(&r->word, "-");
	else
		take(r, "+");
	if (starts(r, "Infinity") || starts(r, "NaN"))
		return fail(r, "JSON has no such number");
	hex = starts(r, "0x") || starts(r, "0X");
	if ((hex ? hexadecimal(r) : decimal(r)) < 0)
		return -1;
	buf_add(&r->word, "", 1);
	d = strtod(r->word.data, NULL);
	if (!isfinite(d)) {
		r->at = begin;
		return fail(r, "a number is beyond the range of a double");
	}
	if (hex || r->word.len - 1 > NUMBER_BYTES_MAX)
		buf_addf(r->out, "%.17g", d);
	else
		buf_add(r->out, r->word.data, r->word.len - 1);
	return 0;
}

static int
word(struct relaxer *r)
{
	static const char *const words[] = { "true", "false", "null" };
	size_t i;

	if (starts(r, "Infinity") || starts(r, "NaN"))
		return number(r);
	for (i = 0; i < 3; i++) {
		if (!starts(r, words[i]))
			continue;
		mark(r);
		buf_adds(r->out, words[i]);
		r->at += strlen(words[i]);
		return 0;
	}
	return unexpected(r, "a value");
}

/*
 * Reads the comma or the closing bracket behind an element, or both. *ret: another element follows.
 */
static int
separator(struct relaxer *r, const char *closing, const char *expected, bool *ret)
{
	bool comma;

	if (skip(r) < 0)
		return -1;
	comma = take(r, ",");
	if (comma && skip(r) < 0)
		return -1;
	*ret = !take(r, closing);
	if (!*ret)
		return 0;
	if (!comma)
		return unexpected(r, expected);
	buf_adds(r->out, ",");
	return 0;
}

/* Opens an array or object; *ret: it is not empty. */
static int
open_list(struct relaxer *r, int depth, const char *closing, bool *ret)
{
	if (depth == JSON_DEPTH)
		return fail(r, "nested too deeply");
	mark(r);
	buf_add(r->out, r->at++, 1);
	if (skip(r) < 0)
		return -1;
	*ret = !take(r, closing);
	return 0;
}

static int
array(struct relaxer *r, int depth)
{
	bool more = false;

	if (open_list(r, depth, "]", &more) < 0)
		return -1;
	while (more)
		if (value(r, depth + 1) < 0 || separator(r, "]", "',' or ']'", &more) < 0)
			return -1;
	buf_adds(r->out, "]");
	return 0;
}

static int
member(struct relaxer *r, int depth)
{
	if ((here(r) == '"' || here(r) == '\'' ? string(r) : identifier(r)) < 0 || skip(r) < 0)
		return -1;
	if (!take(r, ":"))
		return unexpected(r, "':'");
	buf_adds(r->out, ":");
	if (skip(r) < 0)
		return -1;
	return value(r, depth);
}

static int
object(struct relaxer *r, int depth)
{
	bool more = false;

	if (open_list(r, depth, "}", &more) < 0)
		return -1;
	while (more)
		if (member(r, depth + 1) < 0 || separator(r, "}", "',' or '}'", &more) < 0)
			return -1;
	buf_adds(r->out, "}");
	return 0;
}

static int
value(struct relaxer *r, int depth)
{
	const char c = here(r);

	if (c == '{')
		return object(r, depth);
	if (c == '[')
		return array(r, depth);
	if (c == '"' || c == '\'')
		return string(r);
	if (c == '-' || c == '+' || c == '.' || is_digit((unsigned char)c))
		return number(r);
	return word(r);
}

static int
document(struct relaxer *r)
{
	if (skip(r) < 0 || value(r, 0) < 0 || skip(r) < 0)
		return -1;
	return r->at == r->end ? 0 : unexpected(r, "nothing more");
}

/* Checks UTF-8 and NUL once, so that all other functions can decode without checking. */
static int
check_bytes(struct relaxer *r)
{
	uint32_t c = 0;
	size_t len;

	for (; r->at < r->end; r->at += len) {
		len = json_decode(r->at, r->end, &c);
		if (len == 0)
			return fail(r, "invalid UTF-8");
		if (c == 0)
			return fail(r, "a NUL byte");
	}
	r->at = r->text;
	return 0;
}

/* Runs the strict scanner over the output; an error is reported at its place in the source. */
static int
check_written(struct relaxer *r)
{
	struct json doc = { 0 };
	struct error error;
	size_t i = 0;
	const int rc = json_scan(&doc, r->out->data + r->begin, r->out->len - r->begin, &error);

	json_clear(&doc);
	if (rc == 0)
		return 0;
	/* the output is one line, so the column is the offset */
	while (i < r->count && r->marks[i].written + 1 != (size_t)error.column)
		i++;
	assert(i < r->count);
	r->at = r->text + r->marks[i].source;
	return fail(r, error.detail);
}

static uint32_t *
source_offsets(const struct relaxer *r)
{
	uint32_t *offsets = mem_alloc((r->count + 1) * sizeof(*offsets));

	for (size_t i = 0; i < r->count; i++)
		offsets[i] = (uint32_t)r->marks[i].source;
	return offsets;
}

int
json_relax_places(const char *text, size_t len, struct buf *out, struct json_places *ret,
		  struct error *err)
{
	struct relaxer r = { .text = text,
			     .at = text,
			     .end = text + len,
			     .out = out,
			     .begin = out->len,
			     .err = err };
	int rc = -1;

	if (len > JSON_BYTES_MAX / 8) /* the output may be a few times longer */
		return error_set(err, ERROR_INVALID_JSON, "the text is over %d bytes",
				 JSON_BYTES_MAX / 8);
	buf_reserve(&r.word, 64);
	if (check_bytes(&r) == 0 && document(&r) == 0)
		rc = check_written(&r);
	if (rc < 0)
		out->len = r.begin;
	else if (ret != NULL)
		*ret = (struct json_places){ source_offsets(&r), r.count };
	free(r.marks);
	buf_clear(&r.word);
	return rc;
}

int
json_relax(const char *text, size_t len, struct buf *out, struct error *err)
{
	return json_relax_places(text, len, out, NULL, err);
}

void
json_places_clear(struct json_places *places)
{
	free(places->offsets);
	*places = (struct json_places){ 0 };
}
