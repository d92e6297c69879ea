/*
 * text.h - text as (pointer, length), and the two normalisations every rule is built on (ROUTING
 * section 1).
 *
 * Here: spans, trim, lower, fold, UTF-8 validity. Unicode data comes from libunistring.
 * Not here: session keys and ids (session_key.h).
 */
#ifndef SCHEMA_TEXT_H
#define SCHEMA_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct arena;

/* Borrowed UTF-8 text. s == NULL means absent, which differs from empty where a rule says so. */
struct str {
	const char *s;
	size_t len;
};

#define STR(literal) ((struct str){ (literal), sizeof(literal) - 1 })
/* The same for static initialisers. */
/* clang-format off */
#define STR_INIT(literal) { (literal), sizeof(literal) - 1 }
/* clang-format on */
#define STR_NULL ((struct str){ NULL, 0 })

static inline struct str
str_of(const char *s)
{
	return (struct str){ s, s != NULL ? strlen(s) : 0 };
}

static inline bool
str_eq(struct str a, struct str b)
{
	return a.len == b.len && (a.len == 0 || memcmp(a.s, b.s, a.len) == 0);
}

static inline bool
str_starts(struct str s, struct str prefix)
{
	return s.len >= prefix.len && (prefix.len == 0 || memcmp(s.s, prefix.s, prefix.len) == 0);
}

int str_cmp(struct str a, struct str b); /* byte order; for qsort-like use */

/* ECMAScript white space off both ends; a sub-span of s. */
struct str text_trim(struct str s);

/*
 * Full Unicode lower-casing without a locale; s must be valid UTF-8. Returns s itself when nothing
 * changes (plain ASCII without capitals is the fast path), else text in the arena.
 */
struct str text_lower(struct arena *arena, struct str s);

/* lower(trim(s)); NULL folds to empty. */
struct str text_fold(struct arena *arena, struct str s);

/* well-formed, no surrogates; NUL bytes are refused */
bool text_is_utf8(const char *s, size_t len);

/*
 * 64 bits of SHA-256(s): tells texts apart in the catalog; two unequal texts share it once in 2^64
 * pairs.
 */
uint64_t text_hash(struct str s);

/* SHA-256(s) as 64 hexadecimal digits, NUL-terminated. */
#define TEXT_SHA256_BYTES 65
void text_sha256(struct str s, char ret[TEXT_SHA256_BYTES]);

#endif
