/*
 * token.c - one line of the token file.
 */
#include "server/http/token.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/rand.h>

#include "queue/clock.h"
#include "schema/session_key.h"

#define DIGEST "sha256:"

/* --- when they end --- */

static int64_t
least(int64_t a, int64_t b)
{
	return a < b ? a : b;
}

int64_t
expiry_in_ms(struct expiry expiry)
{
	if (expiry.wall_ms == INT64_MAX && expiry.boot_ms == INT64_MAX)
		return INT64_MAX;
	const struct clock now = clock_now();
	int64_t wall_ms = expiry.wall_ms < INT64_MAX ? expiry.wall_ms - now.wall_ms : INT64_MAX,
		boot_ms = expiry.boot_ms < INT64_MAX ? expiry.boot_ms - now.boot_ms : INT64_MAX;

	return least(wall_ms, boot_ms);
}

struct expiry
expiry_first(struct expiry a, struct expiry b)
{
	return (struct expiry){ least(a.wall_ms, b.wall_ms), least(a.boot_ms, b.boot_ms) };
}

bool
token_digest(struct str text, unsigned char ret[TOKEN_DIGEST_BYTES])
{
	return EVP_Digest(text.s, text.len, ret, NULL, EVP_sha256(), NULL) == 1;
}

bool
token_digest_eq(const unsigned char a[TOKEN_DIGEST_BYTES],
		const unsigned char b[TOKEN_DIGEST_BYTES])
{
	return CRYPTO_memcmp(a, b, TOKEN_DIGEST_BYTES) == 0;
}

int
token_generate(size_t bytes, char *ret, struct error *err)
{
	unsigned char random[TOKEN_NEW_BYTES];

	assert(bytes <= sizeof(random));
	if (RAND_bytes(random, (int)bytes) != 1)
		return error_set(err, ERROR_CONFIG, "no random bytes for a token");
	for (size_t i = 0; i < bytes; i++)
		snprintf(ret + 2 * i, 3, "%02x", random[i]);
	return 0;
}

static bool
is_word(struct str word, const char *marks)
{
	for (size_t i = 0; i < word.len; i++) {
		unsigned char c = (unsigned char)word.s[i];

		if (!((c | 0x20) >= 'a' && (c | 0x20) <= 'z') && !(c >= '0' && c <= '9') &&
		    memchr(marks, c, strlen(marks)) == NULL)
			return false;
	}
	return true;
}

/* RFC 6750 section 2.1: letters, digits, -._~+/ and = at the end. */
static bool
token_valid(struct str token)
{
	if (token.len < TOKEN_BYTES_MIN || token.len > TOKEN_BYTES_MAX)
		return false;
	while (token.len > 0 && token.s[token.len - 1] == '=')
		token.len--;
	return is_word(token, "-._~+/");
}

static struct str
cut(struct str *rest, const char *separators)
{
	const size_t count = strlen(separators);
	struct str word = { rest->s, 0 };

	while (word.len < rest->len && memchr(separators, word.s[word.len], count) == NULL)
		word.len++;
	rest->s += word.len + (word.len < rest->len);
	rest->len -= word.len + (word.len < rest->len);
	return word;
}

/* The value of a hexadecimal digit; -1: it is none. */
static int
digit(char c)
{
	static const char digits[] = "0123456789abcdef";
	const char *at = memchr(digits, c | 0x20, 16);

	return at != NULL && c >= '0' ? (int)(at - digits) : -1;
}

static int
read_digest(struct str hex, struct token *ret, struct error *err)
{
	bool valid = hex.len == 2 * TOKEN_DIGEST_BYTES;

	for (size_t i = 0; valid && i < TOKEN_DIGEST_BYTES; i++) {
		int high = digit(hex.s[2 * i]), low = digit(hex.s[2 * i + 1]);

		valid = high >= 0 && low >= 0;
		ret->digest[i] = (unsigned char)(valid ? high << 4 | low : 0);
	}
	return valid ? 0
		     : error_set(err, ERROR_CONFIG, DIGEST " is followed by 64 hexadecimal digits");
}

static int
read_token(struct str token, struct token *ret, struct error *err)
{
	const struct str prefix = STR(DIGEST);

	if (str_starts(token, prefix))
		return read_digest((struct str){ token.s + prefix.len, token.len - prefix.len },
				   ret, err);
	if (!token_valid(token))
		return error_set(err, ERROR_CONFIG,
				 "no token of %d to %d letters, digits and -._~+/", TOKEN_BYTES_MIN,
				 TOKEN_BYTES_MAX);
	return token_digest(token, ret->digest)
		   ? 0
		   : error_set(err, ERROR_CONFIG, "SHA-256 is not available");
}

static const struct {
	const char *name;
	enum scope scope;
} named[SCOPES] = { { "produce", SCOPE_PRODUCE },
		    { "consume", SCOPE_CONSUME },
		    { "read", SCOPE_READ },
		    { "admin", SCOPE_ADMIN } };

static enum scope
scope_named(struct str name)
{
	for (size_t i = 0; i < SCOPES; i++)
		if (str_eq(name, str_of(named[i].name)))
			return named[i].scope;
	return SCOPE_NONE;
}

void
scopes_names(unsigned set, const char *ret[SCOPES], size_t *ret_count)
{
	*ret_count = 0;
	for (size_t i = 0; i < SCOPES; i++)
		if ((set & named[i].scope) != 0)
			ret[(*ret_count)++] = named[i].name;
}

/* In older files there may be spaces around the commas. */
int
scopes_read(struct str list, unsigned *set, struct error *err)
{
	while (list.len > 0) {
		struct str name = text_trim(cut(&list, ","));
		unsigned scope = scope_named(name);

		if (scope == SCOPE_NONE)
			return error_set(
			    err, ERROR_CONFIG,
			    "unknown scope; there are produce, consume, read and admin");
		*set |= scope;
	}
	return 0;
}

static int
read_name(struct arena *arena, struct str name, struct token *ret, struct error *err)
{
	if (name.len == 0 || name.len > TOKEN_NAME_BYTES_MAX || !is_word(name, "-._@"))
		return error_set(err, ERROR_CONFIG,
				 "name= is followed by 1 to %d letters, digits and -._@",
				 TOKEN_NAME_BYTES_MAX);
	ret->caller.name = arena_dup(arena, name);
	return 0;
}

static int
read_agents(struct arena *arena, struct str names, struct token *ret, struct error *err)
{
	struct buf list = { 0 };
	size_t count = 0;

	buf_adds(&list, ",");
	do {
		struct str id = agent_id_normalize_strict(arena, text_trim(cut(&names, ",")));

		if (id.s == NULL || id.len == 0 || ++count > TOKEN_AGENTS_MAX) {
			buf_clear(&list);
			return error_set(err, ERROR_CONFIG,
					 "agent= is followed by 1 to %d agent ids, with commas",
					 TOKEN_AGENTS_MAX);
		}
		buf_add(&list, id.s, id.len);
		buf_adds(&list, ",");
	} while (names.len > 0);
	ret->caller.agents = arena_dup(arena, (struct str){ list.data, list.len });
	buf_clear(&list);
	return 0;
}

#define MIDNIGHT "T00:00:00Z"

/* A time that does not come back as it was written is none: strptime forgives too much. */
static bool
read_time(const char *text, int64_t *ret_ms)
{
	static const char format[] = "%Y-%m-%dT%H:%M:%SZ";
	char again[24];
	struct tm tm = { .tm_mday = 1 };
	const char *end = strptime(text, format, &tm);
	time_t seconds = end != NULL && *end == '\0' ? timegm(&tm) : -1;

	if (seconds < 0 || strftime(again, sizeof(again), format, &tm) == 0 ||
	    strcmp(again, text) != 0)
		return false;
	*ret_ms = (int64_t)seconds * 1000;
	return true;
}

static int
read_expiry(struct arena *arena, struct str date, struct token *ret, struct error *err)
{
	char text[24] = "";

	(void)arena;
	if (date.len + sizeof(MIDNIGHT) <= sizeof(text))
		snprintf(text, sizeof(text), "%.*s" MIDNIGHT, (int)date.len, date.s);
	else if (date.len < sizeof(text))
		snprintf(text, sizeof(text), "%.*s", (int)date.len, date.s);
	if (read_time(text, &ret->expiry.wall_ms))
		return 0;
	return error_set(err, ERROR_CONFIG,
			 "expires= is followed by a date as 2027-01-31 or 2027-01-31T12:00:00Z");
}

static const struct {
	const char *name;
	int (*read)(struct arena *arena, struct str value, struct token *ret, struct error *err);
} attributes[] = {
	{ "name=", read_name },
	{ "agent=", read_agents },
	{ "expires=", read_expiry },
};

#define ATTRIBUTES (sizeof(attributes) / sizeof(attributes[0]))

/* The attribute that the word gives; ATTRIBUTES: none. */
static size_t
attribute_of(struct str word)
{
	size_t i = 0;

	while (i < ATTRIBUTES && !str_starts(word, str_of(attributes[i].name)))
		i++;
	return i;
}

static int
read_attributes(struct arena *arena, struct str rest, struct token *ret, struct error *err)
{
	unsigned seen = 0;

	while ((rest = text_trim(rest)).len > 0) {
		struct str word = cut(&rest, " \t");
		size_t i = attribute_of(word);

		if (i == ATTRIBUTES || (seen & 1u << i) != 0)
			return error_set(err, ERROR_CONFIG,
					 i == ATTRIBUTES
					     ? "scopes are followed by name=, agent= and expires="
					     : "name=, agent= and expires= may stand once each");
		seen |= 1u << i;
		ret->plain = false;
		word.s += strlen(attributes[i].name);
		word.len -= strlen(attributes[i].name);
		if (attributes[i].read(arena, word, ret, err) != 0)
			return -1;
	}
	return 0;
}

/* The part of the line before the first attribute, which is cut off. */
static struct str
cut_scopes(struct str *rest)
{
	const char *begin = rest->s, *end = rest->s + rest->len;
	struct str left = *rest;

	while (left.len > 0) {
		struct str word = cut(&left, " \t");

		if (attribute_of(word) == ATTRIBUTES)
			continue;
		*rest = (struct str){ word.s, (size_t)(end - word.s) };
		return text_trim((struct str){ begin, (size_t)(word.s - begin) });
	}
	*rest = (struct str){ end, 0 };
	return text_trim((struct str){ begin, (size_t)(end - begin) });
}

int
token_read(struct arena *arena, struct str line, struct token *ret, struct error *err)
{
	struct str token = cut(&line, " \t"), scopes = cut_scopes(&line);

	*ret = (struct token){ .scopes = scopes.len == 0 ? SCOPE_ALL : SCOPE_NONE,
			       .plain = true,
			       .expiry = EXPIRY_NEVER };
	if (read_token(token, ret, err) != 0 || scopes_read(scopes, &ret->scopes, err) != 0)
		return -1;
	return read_attributes(arena, line, ret, err);
}
