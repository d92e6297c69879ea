/*
 * json_repair.c - the text, piece by piece: each is copied or replaced.
 *
 * Strings need not be told from what is around them: outside them a backslash and a character
 * beyond ASCII are wrong before and after.
 */
#include "schema/json_repair.h"

#include "schema/json_text.h"
#include "schema/text.h"

#define REPLACEMENT STR("\ufffd")

/*
 * The length of ill-formed UTF-8 that one U+FFFD stands for: the longest beginning of a character
 * (Unicode, table 3-7), or one byte.
 */
static size_t
ill_formed(const unsigned char *p, const unsigned char *end)
{
	const unsigned char lead = *p;
	/* what the second byte must be at least and at most */
	unsigned char least = lead == 0xe0 ? 0xa0 : lead == 0xf0 ? 0x90 : 0x80;
	unsigned char most = lead == 0xed ? 0x9f : lead == 0xf4 ? 0x8f : 0xbf;
	size_t wanted = lead >= 0xf0 ? 4 : lead >= 0xe0 ? 3 : 2, len = 1;

	if (lead < 0xc2 || lead > 0xf4)
		return 1;
	for (; len < wanted && p + len < end && p[len] >= least && p[len] <= most; len++) {
		least = 0x80;
		most = 0xbf;
	}
	return len;
}

/* An escape at p, and what stands for it. Returns its length; a wrong one is left as it is. */
static size_t
read_escape(const char *p, const char *end, struct str *ret)
{
	const char *at = p + 2, *behind = p + 2;
	uint32_t code_point;

	if (end - p < 2 || p[1] != 'u')
		at = end - p < 2 || (unsigned char)p[1] >= 0x80 ? p + 1 : p + 2;
	else if (json_hex(&behind, end, 4, &code_point) &&
		 json_unescape_u(&at, end, &code_point) != NULL) {
		*ret = STR("\\ufffd");
		return (size_t)(behind - p);
	}
	*ret = (struct str){ p, (size_t)(at - p) };
	return ret->len;
}

/* Reads one piece at p: returns its length, and its replacement in *ret. */
static size_t
read_piece(const char *p, const char *end, struct str *ret)
{
	uint32_t code_point;
	size_t len;

	if (*p == '\\')
		return read_escape(p, end, ret);
	len = json_decode(p, end, &code_point);
	if (len == 0) {
		*ret = REPLACEMENT;
		return ill_formed((const unsigned char *)p, (const unsigned char *)end);
	}
	*ret = (struct str){ p, len };
	return len;
}

/* Copies from what is not yet copied, and appends what stands for the rest. */
static struct str
replace(struct arena *arena, struct str text)
{
	const char *p = text.s, *end = text.s + text.len, *copied = text.s;
	struct buf out = { 0 };
	struct str piece, whole = text;
	size_t len;

	for (; p < end; p += len) {
		len = read_piece(p, end, &piece);
		if (piece.s == p)
			continue;
		buf_add(&out, copied, (size_t)(p - copied));
		buf_add(&out, piece.s, piece.len);
		copied = p + len;
	}
	if (copied != text.s) {
		buf_add(&out, copied, (size_t)(end - copied));
		whole = arena_dup(arena, (struct str){ out.data, out.len });
	}
	buf_clear(&out);
	return whole;
}

struct str
json_repair(struct arena *arena, struct str text)
{
	return text_trim(replace(arena, text));
}
