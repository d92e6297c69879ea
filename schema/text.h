/*
 * text.h - text as (pointer, length), and the two normalisations every rule is built on (ROUTING section 1).
 *
 * Here: spans, trim, lower, fold, UTF-8 validity. Unicode data comes from libunistring.
 * Not here: session keys and ids (session_key.h).
 */
#ifndef SEVQ_SCHEMA_TEXT_H
#define SEVQ_SCHEMA_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct sevq_arena;

/* Borrowed UTF-8 text. s == NULL means absent, which differs from empty where a rule says so. */
struct sevq_str {
	const char *s;
	size_t len;
};

#define SEVQ_STR(literal) ((struct sevq_str){ (literal), sizeof(literal) - 1 })
/* The same for static initialisers. */
/* clang-format off */
#define SEVQ_STR_INIT(literal) { (literal), sizeof(literal) - 1 }
/* clang-format on */
#define SEVQ_STR_NULL ((struct sevq_str){ NULL, 0 })

static inline struct sevq_str
sevq_str(const char *s)
{
	return (struct sevq_str){ s, s != NULL ? strlen(s) : 0 };
}

static inline bool
sevq_str_eq(struct sevq_str a, struct sevq_str b)
{
	return a.len == b.len && (a.len == 0 || memcmp(a.s, b.s, a.len) == 0);
}

static inline bool
sevq_str_starts(struct sevq_str s, struct sevq_str prefix)
{
	return s.len >= prefix.len && (prefix.len == 0 || memcmp(s.s, prefix.s, prefix.len) == 0);
}

int sevq_str_cmp(struct sevq_str a, struct sevq_str b); /* byte order; for qsort-like use */

/* ECMAScript white space off both ends; a sub-span of s. */
struct sevq_str sevq_trim(struct sevq_str s);

/*
 * Full Unicode lower-casing without a locale; s must be valid UTF-8. Returns s itself when nothing changes (plain
 * ASCII without capitals is the fast path), else text in the arena.
 */
struct sevq_str sevq_lower(struct sevq_arena *arena, struct sevq_str s);

/* lower(trim(s)); NULL folds to empty. */
struct sevq_str sevq_fold(struct sevq_arena *arena, struct sevq_str s);

bool sevq_utf8_valid(const char *s, size_t len); /* well-formed, no surrogates; NUL bytes are refused */

/* 64 bits of SHA-256(s): tells texts apart in the catalog; two unequal texts share it once in 2^64 pairs. */
uint64_t sevq_text_hash(struct sevq_str s);

#endif
