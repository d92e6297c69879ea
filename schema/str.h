/*
 * str.h - borrowed text as (pointer, length).
 *
 * Here: struct str, and what needs no memory and no Unicode. Everything in schema/ may include it.
 * Not here: normalisation (text.h), memory for text (mem.h).
 */
#ifndef SCHEMA_STR_H
#define SCHEMA_STR_H

#include <stdbool.h>
#include <stddef.h>
#include <string.h>

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

/* Compares by bytes, as qsort wants it. */
static inline int
str_cmp(struct str a, struct str b)
{
	size_t shorter = a.len < b.len ? a.len : b.len;
	int order = shorter > 0 ? memcmp(a.s, b.s, shorter) : 0;

	return order != 0 ? order : (a.len > b.len) - (a.len < b.len);
}

#endif
