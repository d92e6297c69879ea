/*
 * text.h - the two normalisations of text that every rule is built on (ROUTING section 1).
 *
 * Here: trim, lower, fold, UTF-8 validity, hashes. Unicode data comes from libunistring.
 * Not here: struct str itself (str.h), session keys and ids (session_key.h).
 */
#ifndef SCHEMA_TEXT_H
#define SCHEMA_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "schema/str.h"

struct arena;

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
