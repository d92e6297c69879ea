/*
 * text.c - trim, lower, fold, validity and the text hash. The only file that knows libunistring.
 */
#include "schema/text.h"

#include <assert.h>
#include <stdlib.h>

#include <openssl/evp.h>
#include <unicase.h>
#include <unictype.h>
#include <unistr.h>

#include "schema/mem.h"

/*
 * ECMAScript WhiteSpace and LineTerminator: narrower and wider than Unicode's White_Space (no
 * U+0085, but U+FEFF).
 */
static bool
is_space(ucs4_t c)
{
	return (c >= 0x09 && c <= 0x0d) || c == 0x20 || c == 0xa0 || c == 0x1680 ||
	       (c >= 0x2000 && c <= 0x200a) || c == 0x2028 || c == 0x2029 || c == 0x202f ||
	       c == 0x205f || c == 0x3000 || c == 0xfeff;
}

static size_t
space_at_start(struct str s)
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
space_at_end(struct str s)
{
	size_t start = s.len;

	if (s.len == 0)
		return 0;
	do
		start--;
	while (start > 0 && ((unsigned char)s.s[start] & 0xc0) == 0x80);
	return space_at_start((struct str){ s.s + start, s.len - start });
}

struct str
text_trim(struct str s)
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

/*
 * Lower-cases text without capital sigmas. Sigma is the only letter whose lower case depends on its
 * neighbours.
 */
static struct str
lower_plain(struct arena *arena, struct str s)
{
	size_t room = s.len + s.len / 2 + 16, len = room;
	char *buf = arena_bytes(arena, room);
	uint8_t *lowered =
	    u8_tolower((const uint8_t *)s.s, s.len, NULL, NULL, (uint8_t *)buf, &len);

	assert(lowered != NULL); /* no memory, or not UTF-8 */
	if (lowered != (uint8_t *)buf) {
		buf = memcpy(arena_bytes(arena, len), lowered, len);
		free(lowered);
	}
	return (struct str){ buf, len };
}

/*
 * Is the nearest character that is not case-ignorable a letter with case? Searches backward from
 * the end, or forward from the start.
 */
static bool
cased_beside(struct str s, bool backward)
{
	const uint8_t *at = (const uint8_t *)s.s, *end = at + s.len, *from = backward ? end : at;
	ucs4_t c;

	while (from != (backward ? at : end)) {
		if (backward)
			from = u8_prev(&c, from, at);
		else
			from += u8_mbtouc(&c, from, (size_t)(end - from));
		if (!uc_is_property_case_ignorable(c))
			return uc_is_property_cased(c);
	}
	return false;
}

/*
 * Lower-cases text with capital sigmas: a sigma becomes a final one behind a cased letter, unless a
 * cased letter follows. JavaScript engines skip every case-ignorable character in between, modifier
 * letters and the apostrophe included; u8_tolower does not, so the sigmas are decided here.
 */
static struct str
lower_greek(struct arena *arena, struct str s)
{
	const struct str sigma = STR("\u03a3");
	struct buf out = { 0 };
	const char *from = s.s, *end = s.s + s.len, *at;

	while ((at = memmem(from, (size_t)(end - from), sigma.s, sigma.len)) != NULL) {
		struct str plain = lower_plain(arena, (struct str){ from, (size_t)(at - from) });

		from = at + sigma.len;
		buf_add(&out, plain.s, plain.len);
		buf_adds(&out,
			 cased_beside((struct str){ s.s, (size_t)(at - s.s) }, true) &&
				 !cased_beside((struct str){ from, (size_t)(end - from) }, false)
			     ? "\u03c2"
			     : "\u03c3");
	}
	s = lower_plain(arena, (struct str){ from, (size_t)(end - from) });
	buf_add(&out, s.s, s.len);
	s = arena_dup(arena, (struct str){ out.data, out.len });
	buf_clear(&out);
	return s;
}

static struct str
lower_unicode(struct arena *arena, struct str s)
{
	return memmem(s.s, s.len, "\u03a3", 2) != NULL ? lower_greek(arena, s)
						       : lower_plain(arena, s);
}

static struct str
lower_ascii(struct arena *arena, struct str s)
{
	char *buf = arena_bytes(arena, s.len);

	for (size_t i = 0; i < s.len; i++)
		buf[i] = (char)(s.s[i] >= 'A' && s.s[i] <= 'Z' ? s.s[i] | 0x20 : s.s[i]);
	return (struct str){ buf, s.len };
}

struct str
text_lower(struct arena *arena, struct str s)
{
	bool capital = false;

	for (size_t i = 0; i < s.len; i++) {
		if ((unsigned char)s.s[i] >= 0x80)
			return lower_unicode(arena, s);
		capital |= s.s[i] >= 'A' && s.s[i] <= 'Z';
	}
	return capital ? lower_ascii(arena, s) : s;
}

struct str
text_fold(struct arena *arena, struct str s)
{
	return s.s == NULL ? STR("") : text_lower(arena, text_trim(s));
}

bool
text_is_utf8(const char *s, size_t len)
{
	uint64_t word;

	if (len > 0 && memchr(s, '\0', len) != NULL)
		return false;
	for (; len >= sizeof(word); s += sizeof(word), len -= sizeof(word)) {
		memcpy(&word, s, sizeof(word));
		if ((word & UINT64_C(0x8080808080808080)) != 0)
			break;
	}
	return u8_check((const uint8_t *)s, len) == NULL;
}

/*
 * SHA-256, looked up once: OpenSSL 3 looks an algorithm up by name on every one-shot call, which
 * costs four times the hashing of a short text. Kept for the life of the process; there is one
 * thread.
 */
static EVP_MD_CTX *digest;

static void
free_digest(void)
{
	EVP_MD_CTX_free(digest);
}

static void
make_digest(void)
{
	EVP_MD *sha256 = EVP_MD_fetch(NULL, "SHA256", NULL);

	digest = EVP_MD_CTX_new();
	assert(sha256 != NULL && digest != NULL);
	EVP_DigestInit_ex(digest, sha256, NULL);
	EVP_MD_free(sha256); /* the context has a reference of its own */
	atexit(free_digest);
}

static void
hash_whole(struct str s, unsigned char sum[EVP_MAX_MD_SIZE])
{
	bool done;

	if (digest == NULL)
		make_digest();
	done = EVP_DigestInit_ex(digest, NULL, NULL) == 1 &&
	       EVP_DigestUpdate(digest, s.s, s.len) == 1 &&
	       EVP_DigestFinal_ex(digest, sum, NULL) == 1;
	assert(done);
}

uint64_t
text_hash(struct str s)
{
	unsigned char sum[EVP_MAX_MD_SIZE];
	uint64_t hash;

	hash_whole(s, sum);
	memcpy(&hash, sum, sizeof(hash));
	return hash;
}

void
text_sha256(struct str s, char ret[TEXT_SHA256_BYTES])
{
	static const char digits[] = "0123456789abcdef";
	unsigned char sum[EVP_MAX_MD_SIZE];

	hash_whole(s, sum);
	for (size_t i = 0; i < TEXT_SHA256_BYTES / 2; i++) {
		ret[2 * i] = digits[sum[i] >> 4];
		ret[2 * i + 1] = digits[sum[i] & 15];
	}
	ret[TEXT_SHA256_BYTES - 1] = '\0';
}
