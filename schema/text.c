/*
 * text.c - trim, lower, fold, validity and the text hash. The only file that knows libunistring.
 */
#include "schema/text.h"

#include <assert.h>
#include <stdlib.h>

#include <openssl/evp.h>
#include <unicase.h>
#include <unistr.h>

#include "schema/mem.h"

int
sevq_str_cmp(struct sevq_str a, struct sevq_str b)
{
	size_t shorter = a.len < b.len ? a.len : b.len;
	int order = shorter > 0 ? memcmp(a.s, b.s, shorter) : 0;

	return order != 0 ? order : (a.len > b.len) - (a.len < b.len);
}

/* ECMAScript WhiteSpace and LineTerminator: narrower and wider than Unicode's White_Space (no U+0085, but U+FEFF). */
static bool
is_space(ucs4_t c)
{
	return (c >= 0x09 && c <= 0x0d) || c == 0x20 || c == 0xa0 || c == 0x1680 || (c >= 0x2000 && c <= 0x200a) || c == 0x2028 ||
	       c == 0x2029 || c == 0x202f || c == 0x205f || c == 0x3000 || c == 0xfeff;
}

static size_t
space_at_start(struct sevq_str s)
{
	ucs4_t c;
	int len;

	if (s.len == 0)
		return 0;
	if ((unsigned char)s.s[0] < 0x80)
		return is_space((unsigned char)s.s[0]) ? 1 : 0;
	len = u8_mbtouc(&c, (const uint8_t *)s.s, s.len);
	return is_space(c) ? (size_t)len : 0;
}

static size_t
space_at_end(struct sevq_str s)
{
	size_t start = s.len;

	if (s.len == 0)
		return 0;
	do
		start--;
	while (start > 0 && ((unsigned char)s.s[start] & 0xc0) == 0x80);
	return space_at_start((struct sevq_str){ s.s + start, s.len - start });
}

struct sevq_str
sevq_trim(struct sevq_str s)
{
	size_t n;

	while ((n = space_at_start(s)) > 0) {
		s.s += n;
		s.len -= n;
	}
	while ((n = space_at_end(s)) > 0)
		s.len -= n;
	return s;
}

/* Full lower-casing, context included: the final sigma looks at its neighbours. */
static struct sevq_str
lower_unicode(struct sevq_arena *arena, struct sevq_str s)
{
	size_t room = s.len + s.len / 2 + 16, len = room;
	char *buf = sevq_arena_bytes(arena, room);
	uint8_t *lowered = u8_tolower((const uint8_t *)s.s, s.len, NULL, NULL, (uint8_t *)buf, &len);

	assert(lowered != NULL); /* no memory, or not UTF-8 */
	if (lowered != (uint8_t *)buf) {
		buf = memcpy(sevq_arena_bytes(arena, len), lowered, len);
		free(lowered);
	}
	return (struct sevq_str){ buf, len };
}

static struct sevq_str
lower_ascii(struct sevq_arena *arena, struct sevq_str s)
{
	char *buf = sevq_arena_bytes(arena, s.len);

	for (size_t i = 0; i < s.len; i++)
		buf[i] = (char)(s.s[i] >= 'A' && s.s[i] <= 'Z' ? s.s[i] | 0x20 : s.s[i]);
	return (struct sevq_str){ buf, s.len };
}

struct sevq_str
sevq_lower(struct sevq_arena *arena, struct sevq_str s)
{
	bool capital = false;

	for (size_t i = 0; i < s.len; i++) {
		if ((unsigned char)s.s[i] >= 0x80)
			return lower_unicode(arena, s);
		capital |= s.s[i] >= 'A' && s.s[i] <= 'Z';
	}
	return capital ? lower_ascii(arena, s) : s;
}

struct sevq_str
sevq_fold(struct sevq_arena *arena, struct sevq_str s)
{
	return s.s == NULL ? SEVQ_STR("") : sevq_lower(arena, sevq_trim(s));
}

bool
sevq_utf8_valid(const char *s, size_t len)
{
	uint64_t word;

	if (len > 0 && memchr(s, '\0', len) != NULL)
		return false;
	for (; len >= sizeof word; s += sizeof word, len -= sizeof word) {
		memcpy(&word, s, sizeof word);
		if ((word & UINT64_C(0x8080808080808080)) != 0)
			break;
	}
	return u8_check((const uint8_t *)s, len) == NULL;
}

uint64_t
sevq_text_hash(struct sevq_str s)
{
	unsigned char digest[EVP_MAX_MD_SIZE];
	uint64_t hash;
	int done = EVP_Digest(s.s, s.len, digest, NULL, EVP_sha256(), NULL);

	assert(done == 1);
	memcpy(&hash, digest, sizeof hash);
	return hash;
}
