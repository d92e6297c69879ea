/*
 * target.c - request targets, read without leniency: what a proxy in front may read in another way
 * is refused.
 */
#include "server/http/target.h"

#include <strings.h>

#include "schema/text.h"

#define SCHEME_BYTES 7 /* "http://" */

static int
hex(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c = (char)(c | 0x20);
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/*
 * Printable ASCII less what RFC 3986 wants escaped; [ ] { } | are taken, as browsers send them in
 * queries.
 */
static bool
allowed(char c)
{
	return c > 0x20 && c < 0x7f && c != '"' && c != '#' && c != '<' && c != '>' && c != '\\' &&
	       c != '^' && c != '`';
}

static int
check_characters(struct str target, struct error *err)
{
	for (size_t i = 0; i < target.len; i++) {
		if (!allowed(target.s[i]))
			return error_set(err, ERROR_BAD_REQUEST,
					 "the request target has a character that must be escaped");
		if (target.s[i] == '%' &&
		    str_starts((struct str){ target.s + i, target.len - i }, STR("%00")))
			return error_set(err, ERROR_BAD_REQUEST, "the request target has %%00");
	}
	return 0;
}

/* The length of "http://authority"; 0 without it. */
static size_t
authority_end(struct str target)
{
	size_t end = SCHEME_BYTES;

	if (target.len < SCHEME_BYTES || strncasecmp(target.s, "http://", SCHEME_BYTES) != 0)
		return 0;
	while (end < target.len && target.s[end] != '/' && target.s[end] != '?')
		end++;
	return end;
}

struct str
target_behind_authority(struct str target)
{
	size_t len = authority_end(target);

	return (struct str){ target.s + len, target.len - len };
}

int
target_split(struct str target, struct str *authority, struct str *path, struct str *query,
	     struct error *err)
{
	const size_t end = authority_end(target);
	struct str rest = { target.s + end, target.len - end };
	const char *question;

	*authority =
	    end > 0 ? (struct str){ target.s + SCHEME_BYTES, end - SCHEME_BYTES } : STR_NULL;
	if ((end == 0 && (rest.len == 0 || rest.s[0] != '/')) || end == SCHEME_BYTES ||
	    str_starts(rest, STR("//")))
		return error_set(err, ERROR_BAD_REQUEST,
				 "the request target must be a path that begins with one slash, or "
				 "a URL with http");
	if (check_characters(target, err) != 0)
		return -1;
	question = memchr(rest.s, '?', rest.len);
	*path = (struct str){ rest.s, question != NULL ? (size_t)(question - rest.s) : rest.len };
	*query =
	    question != NULL ? (struct str){ question + 1, rest.len - path->len - 1 } : STR_NULL;
	if (path->len == 0)
		*path = STR("/");
	return 0;
}

/* The byte that an escape stands for; -1 for one that is broken. */
static int
unescape(struct str rest)
{
	int high = rest.len >= 3 ? hex(rest.s[1]) : -1, low = high >= 0 ? hex(rest.s[2]) : -1;

	return low >= 0 ? high << 4 | low : -1;
}

int
target_decode(struct arena *arena, struct str text, bool in_query, struct str *ret,
	      struct error *err)
{
	char *decoded, *end;

	*ret = text;
	if (memchr(text.s, '%', text.len) == NULL &&
	    (!in_query || memchr(text.s, '+', text.len) == NULL))
		return 0;
	decoded = end = arena_bytes(arena, text.len);
	for (size_t i = 0; i < text.len; i++) {
		if (text.s[i] == '%') {
			int byte = unescape((struct str){ text.s + i, text.len - i });

			if (byte < 0)
				return error_set(err, ERROR_BAD_REQUEST,
						 "the request target has a broken %% escape");
			*end++ = (char)byte;
			i += 2;
		} else
			*end++ = in_query && text.s[i] == '+' ? ' ' : text.s[i];
	}
	*ret = (struct str){ decoded, (size_t)(end - decoded) };
	return text_is_utf8(ret->s, ret->len)
		   ? 0
		   : error_set(err, ERROR_BAD_REQUEST, "the request target is not UTF-8");
}

bool
query_next(struct str *query, struct str *name, struct str *value)
{
	const char *end, *equals;

	while (query->len > 0 && query->s[0] == '&') {
		query->s++;
		query->len--;
	}
	if (query->len == 0)
		return false;
	end = memchr(query->s, '&', query->len);
	*name = (struct str){ query->s, end != NULL ? (size_t)(end - query->s) : query->len };
	query->s += name->len;
	query->len -= name->len;
	equals = memchr(name->s, '=', name->len);
	*value = equals != NULL
		     ? (struct str){ equals + 1, (size_t)(name->s + name->len - equals - 1) }
		     : STR("");
	name->len = equals != NULL ? (size_t)(equals - name->s) : name->len;
	return true;
}
