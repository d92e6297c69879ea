/*
 * json.h - the strict JSON scanner, the relaxed dialect of config files, and quoting.
 *
 * Here: RFC 8259's grammar, checked over the whole text before anything is read from it: valid
 * UTF-8, depth at most JSON_DEPTH, no duplicate member names (compared after unescaping), no
 * \u0000, no lone surrogate escapes, no byte order mark, nothing behind the value. cJSON reads
 * every text that passes, and loses only digits that a double cannot hold; some versions of cJSON
 * refuse numbers of more than 63 bytes, which the relaxed dialect never writes. Not here: field
 * names, limits on values, files.
 *
 * The scanner turns the text into a flat array of tokens in document order; a token knows where its
 * subtree ends, so readers walk members without recursion:
 *
 *     for (t = json_first(&doc, object); t != 0; t = json_next(&doc, object, t))
 *         name = token t, value = token t + 1
 */
#ifndef SCHEMA_JSON_H
#define SCHEMA_JSON_H

#include <stdbool.h>
#include <stdint.h>

#include "schema/error.h"
#include "schema/mem.h"
#include "schema/text.h"

#define JSON_DEPTH 32
#define JSON_DEPTH_DEEP 1000

enum json_type {
	JSON_NULL,
	JSON_FALSE,
	JSON_TRUE,
	JSON_NUMBER,
	JSON_STRING,
	JSON_ARRAY,
	JSON_OBJECT,
};

struct json_token {
	uint32_t start, end; /* byte span in the text; a string's span is between its quotes */
	uint32_t next;       /* index of the first token behind this one's subtree */
	uint8_t type;        /* enum json_type */
	bool escaped;        /* a string with backslashes */
};

/*
 * A scanned document. All zero is an empty one. The token array is kept between scans, so one
 * document can be used for many texts.
 */
struct json {
	const char *text; /* borrowed from the caller of scan */
	struct json_token *tokens;
	size_t count, cap;
	struct buf scratch; /* the scanner's own */
};

/*
 * Scans the whole text. Failure: ERROR_INVALID_JSON with line and column (in bytes), and an empty
 * document.
 */
int json_scan(struct json *doc, const char *text, size_t len, struct error *err);
/* The same to JSON_DEPTH_DEEP, for senders whose other members are passed over. */
int json_scan_deep(struct json *doc, const char *text, size_t len, struct error *err);
void json_clear(struct json *doc);

/*
 * First element (or member name) of an array (or object) token, and the one after; 0 at the end.
 * Token 0 is the root.
 */
size_t json_first(const struct json *doc, size_t container);
/* in an object, item is a member name */
size_t json_next(const struct json *doc, size_t container, size_t item);

/* A string token's text: the span itself, or decoded into the arena where it has escapes. */
struct str json_string(const struct json *doc, size_t token, struct arena *arena);
/* Any token's bytes as written; a string's without its quotes. */
struct str json_raw(const struct json *doc, size_t token);
/* False: not a number written as an integer ("1.0" and "1e3" are not), or out of range. */
bool json_int64(const struct json *doc, size_t token, int64_t *ret);

/*
 * JSON5 as OpenClaw's config files use it (comments, trailing commas, unquoted names, single
 * quotes, hexadecimal and other number forms, line continuations), rewritten as strict JSON and
 * appended to out. Refuses what the strict scanner refuses (duplicate names, depth, UTF-8, NUL),
 * and numbers that JSON has no form for (Infinity, NaN, anything beyond a double). Failure:
 * ERROR_INVALID_JSON with line and column in the source; out is as before.
 */
int json_relax(const char *text, size_t len, struct buf *out, struct error *err);

/*
 * Where each token stands in the source of a relaxed text: item i belongs to token i of a scan of
 * what was written. All zero is empty.
 */
struct json_places {
	uint32_t *offsets; /* bytes from the start of the source */
	size_t count;
};

/* The same as json_relax, which also says where the tokens stood. *ret is only written on success.
 */
int json_relax_places(const char *text, size_t len, struct buf *out, struct json_places *ret,
		      struct error *err);
void json_places_clear(struct json_places *places);

/*
 * Appends s, which is valid UTF-8, as a JSON string with its quotes. Escapes only what JSON
 * requires to be escaped.
 */
void json_quote(struct buf *out, struct str s);
/* The same without the quotes: a part of a string. */
void json_escape(struct buf *out, struct str s);

#endif
