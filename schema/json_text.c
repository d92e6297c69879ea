/*
 * json_text.c - code points, \u escapes and error positions, for both dialects.
 */
#include "schema/json_text.h"

#include <stdio.h>
#include <string.h>

static bool
is_surrogate(uint32_t code_point, uint32_t first)
{
	return code_point >= first && code_point < first + 0x400;
}

size_t
json_decode(const char *at, const char *end, uint32_t *ret)
{
	/* by length; a smaller code point is an overlong form */
	static const uint32_t smallest[] = { 0, 0, 0x80, 0x800, 0x10000 };
	const unsigned char *p = (const unsigned char *)at;
	uint32_t code_point = p[0];
	size_t len, i;

	if (p[0] < 0x80) {
		*ret = code_point;
		return 1;
	}
	len = p[0] >= 0xf0 ? 4 : p[0] >= 0xe0 ? 3 : 2;
	if (p[0] < 0xc2 || p[0] > 0xf4 || (size_t)(end - at) < len)
		return 0;
	code_point &= 0xffu >> (len + 1);
	for (i = 1; i < len; i++) {
		if ((p[i] & 0xc0) != 0x80)
			return 0;
		code_point = code_point << 6 | (p[i] & 0x3f);
	}
	if (code_point < smallest[len] || code_point > 0x10ffff ||
	    (code_point >= 0xd800 && code_point < 0xe000))
		return 0;
	*ret = code_point;
	return len;
}

size_t
json_encode(uint32_t code_point, char to[4])
{
	const size_t len = code_point < 0x80      ? 1
			   : code_point < 0x800   ? 2
			   : code_point < 0x10000 ? 3
						  : 4;
	size_t i;

	if (len == 1) {
		to[0] = (char)code_point;
		return 1;
	}
	for (i = len - 1; i > 0; i--, code_point >>= 6)
		to[i] = (char)(0x80 | (code_point & 0x3f));
	to[0] = (char)(((0xf00u >> len) & 0xf0) | code_point);
	return len;
}

static int
hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c = (char)(c | 0x20);
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

bool
json_hex(const char **at, const char *end, int digits, uint32_t *ret)
{
	const char *p = *at;
	uint32_t n = 0;

	for (; digits > 0; digits--, p++) {
		if (p == end || hex_digit(*p) < 0)
			return false;
		n = n << 4 | (uint32_t)hex_digit(*p);
	}
	*at = p;
	*ret = n;
	return true;
}

const char *
json_unescape_u(const char **at, const char *end, uint32_t *ret)
{
	uint32_t code_point, low;

	if (!json_hex(at, end, 4, &code_point))
		return "\\u needs four hexadecimal digits";
	if (code_point == 0)
		return "\\u0000 is not allowed";
	if (is_surrogate(code_point, 0xdc00))
		return "half of a surrogate pair";
	if (is_surrogate(code_point, 0xd800)) {
		if (end - *at < 2 || memcmp(*at, "\\u", 2) != 0)
			return "half of a surrogate pair";
		*at += 2;
		if (!json_hex(at, end, 4, &low) || !is_surrogate(low, 0xdc00))
			return "half of a surrogate pair";
		code_point = 0x10000 + ((code_point - 0xd800) << 10) + (low - 0xdc00);
	}
	*ret = code_point;
	return NULL;
}

void
json_locate(const char *text, size_t offset, int *line, int *column)
{
	const char *at = text + offset, *begin = text, *p;

	*line = 1;
	while ((p = memchr(begin, '\n', (size_t)(at - begin))) != NULL) {
		begin = p + 1;
		(*line)++;
	}
	*column = (int)(at - begin) + 1;
}

int
json_fail(struct error *err, const char *text, const char *at, const char *why)
{
	error_set(err, ERROR_INVALID_JSON, "%s", why);
	if (err != NULL)
		json_locate(text, (size_t)(at - text), &err->line, &err->column);
	return -1;
}

int
json_unexpected(struct error *err, const char *text, const char *at, const char *end,
		const char *expected)
{
	char why[96];
	uint32_t code_point;

	if (at == end)
		snprintf(why, sizeof(why), "unexpected end; expected %s", expected);
	else if (json_decode(at, end, &code_point) == 0)
		snprintf(why, sizeof(why), "invalid UTF-8; expected %s", expected);
	else if (code_point > 0x20 && code_point < 0x7f)
		snprintf(why, sizeof(why), "unexpected '%c'; expected %s", (int)code_point,
			 expected);
	else
		snprintf(why, sizeof(why), "unexpected U+%04X; expected %s", (unsigned)code_point,
			 expected);
	return json_fail(err, text, at, why);
}
