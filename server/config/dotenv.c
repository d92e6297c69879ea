/*
 * dotenv.c - one line of a .env file after the other. Only a value in quotes goes over several.
 */
#include "server/config/dotenv.h"

#include "schema/text.h"

static bool
is_word(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
	       c == '_';
}

static void
skip_blanks(struct dotenv *d)
{
	while (d->at < d->end && (*d->at == ' ' || *d->at == '\t'))
		d->at++;
}

static const char *
line_end(const struct dotenv *d, const char *from)
{
	while (from < d->end && *from != '\n' && *from != '\r')
		from++;
	return from;
}

/* NAME and what stands between it and the value. */
static bool
read_name(struct dotenv *d, struct str *ret)
{
	const char *begin;

	if (d->end - d->at > 7 && memcmp(d->at, "export", 6) == 0 &&
	    (d->at[6] == ' ' || d->at[6] == '\t'))
		d->at += 6;
	skip_blanks(d);
	begin = d->at;
	while (d->at < d->end && (is_word(*d->at) || *d->at == '.' || *d->at == '-'))
		d->at++;
	*ret = (struct str){ begin, (size_t)(d->at - begin) };
	if (ret->len == 0 || d->at == d->end)
		return false;
	if (*d->at == ':') /* only a blank makes a separator of a colon */
		return ++d->at < d->end && (*d->at == ' ' || *d->at == '\t');
	skip_blanks(d);
	return d->at < d->end && *d->at++ == '=';
}

/*
 * A value in quotes, behind which only a comment may stand. False: it is not one, and its quotes
 * are characters like others.
 */
static bool
read_quoted(struct dotenv *d, struct str *ret)
{
	const char quote = d->at < d->end ? *d->at : '\0', *p = d->at + 1;
	struct dotenv rest = { NULL, d->end };

	if (quote != '"' && quote != '\'' && quote != '`')
		return false;
	while (p < d->end && *p != quote)
		p += *p == '\\' && p + 1 < d->end && p[1] == quote ? 2 : 1;
	if (p >= d->end)
		return false;
	rest.at = p + 1;
	skip_blanks(&rest);
	if (rest.at < d->end && *rest.at != '#' && *rest.at != '\n' && *rest.at != '\r')
		return false;
	*ret = (struct str){ d->at + 1, (size_t)(p - d->at) - 1 };
	d->at = rest.at;
	return true;
}

/* A value without quotes, or with some that do not enclose it. */
static struct str
read_bare(struct dotenv *d)
{
	const char *begin = d->at, *end = line_end(d, begin), *comment;
	struct str value;

	comment = memchr(begin, '#', (size_t)(end - begin));
	value = (struct str){ begin, (size_t)((comment != NULL ? comment : end) - begin) };
	d->at = end;
	if (text_is_utf8(value.s, value.len))
		value = text_trim(value);
	return value;
}

/* In double quotes a backslash and n or r stand for the line's end. */
static struct str
unescape(struct str value, struct arena *arena)
{
	char *out = arena_bytes(arena, value.len + 1);
	size_t n = 0;

	for (size_t i = 0; i < value.len; i++) {
		char next = i + 1 < value.len ? value.s[i + 1] : '\0';

		if (value.s[i] == '\\' && (next == 'n' || next == 'r')) {
			out[n++] = next == 'n' ? '\n' : '\r';
			i++;
		} else
			out[n++] = value.s[i];
	}
	return (struct str){ out, n };
}

static bool
read_line(struct dotenv *d, struct arena *arena, struct str *name, struct str *value)
{
	bool doubly;

	if (!read_name(d, name))
		return false;
	skip_blanks(d);
	doubly = d->at < d->end && *d->at == '"';
	if (!read_quoted(d, value))
		*value = read_bare(d);
	if (doubly)
		*value = unescape(*value, arena);
	for (size_t i = 0; i < name->len; i++)
		if (!is_word(name->s[i]) || (i == 0 && name->s[i] >= '0' && name->s[i] <= '9'))
			return false;
	return text_is_utf8(value->s, value->len);
}

bool
dotenv_next(struct dotenv *dotenv, struct arena *arena, struct str *name, struct str *value)
{
	while (dotenv->at < dotenv->end) {
		bool found;

		while (dotenv->at < dotenv->end && (*dotenv->at == '\n' || *dotenv->at == '\r' ||
						    *dotenv->at == ' ' || *dotenv->at == '\t'))
			dotenv->at++;
		found = read_line(dotenv, arena, name, value);
		dotenv->at = line_end(dotenv, dotenv->at);
		if (found)
			return true;
	}
	return false;
}
