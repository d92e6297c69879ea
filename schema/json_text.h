/*
 * json_text.h - what the strict scanner (json.c), the relaxed dialect (json_relax.c) and the repair
 * (json_repair.c) share. Of others, only who refuses a value in its source uses it, to say where.
 *
 * Here: code points in and out of UTF-8, \u escapes, and failing at a place in a text.
 * Not here: either grammar.
 */
#ifndef SCHEMA_JSON_TEXT_H
#define SCHEMA_JSON_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "schema/error.h"

/* Positions fit an int, and a token's offsets fit 32 bits. */
#define JSON_BYTES_MAX INT32_MAX

/*
 * The code point at *at (before end): its length in bytes, or 0 where the bytes are not well-formed
 * UTF-8.
 */
size_t json_decode(const char *at, const char *end, uint32_t *ret);
size_t json_encode(uint32_t code_point, char to[4]); /* bytes written */

/*
 * The hexadecimal digits behind a backslash and u, together with the second half of a surrogate
 * pair where the first asks for one. Moves *at behind them and returns NULL, or returns what is
 * wrong: the digits, half a pair, NUL.
 */
const char *json_unescape_u(const char **at, const char *end, uint32_t *ret);

/* Exactly that many hexadecimal digits, at most eight: moves *at behind them, or returns false. */
bool json_hex(const char **at, const char *end, int digits, uint32_t *ret);

/* Line and column, both from 1 and the column in bytes, of a place in a text. */
void json_locate(const char *text, size_t offset, int *line, int *column);

/* Fails with ERROR_INVALID_JSON and the line and column of at. */
int json_fail(struct error *err, const char *text, const char *at, const char *why);
/* The same for "unexpected <what stands there>; expected <this>". */
int json_unexpected(struct error *err, const char *text, const char *at, const char *end,
		    const char *expected);

#endif
