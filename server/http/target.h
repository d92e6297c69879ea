/*
 * target.h - the request target: path and query, strictly read.
 *
 * Here: what a target may look like, percent-decoding, walking through query parameters. Pure
 * functions.
 * Not here: which paths and parameters there are (routes, field).
 */
#ifndef SERVER_HTTP_TARGET_H
#define SERVER_HTTP_TARGET_H

#include "schema/error.h"
#include "schema/mem.h"

/*
 * Splits a target in origin form (/path?query) or absolute form (http://authority/path?query, RFC
 * 9112 section 3.2.2). Failure: ERROR_BAD_REQUEST for anything else: another scheme, a user, "//"
 * in front of the path, characters that must be escaped, an escaped NUL, a fragment. authority is
 * NULL in origin form, query where there is no "?".
 */
int target_split(struct str target, struct str *authority, struct str *path, struct str *query,
		 struct error *err);

/* Skips "http://authority" if the target begins so; the target may be malformed. */
struct str target_behind_authority(struct str target);

/*
 * Decodes escapes, and in queries "+" as a space. ERROR_BAD_REQUEST for a broken escape, and unless
 * the result is UTF-8.
 */
int target_decode(struct arena *arena, struct str text, bool in_query, struct str *ret,
		  struct error *err);

/*
 * Takes the next name=value off *query, neither decoded; empty ones are passed over. False at the
 * end.
 */
bool query_next(struct str *query, struct str *name, struct str *value);

#endif
