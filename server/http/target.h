/*
 * target.h - the request target: path and query, strictly read.
 *
 * Here: what a target may look like, percent-decoding, walking through query parameters. Pure functions.
 * Not here: which paths and parameters there are (routes, field).
 */
#ifndef SEVQ_SERVER_HTTP_TARGET_H
#define SEVQ_SERVER_HTTP_TARGET_H

#include "schema/error.h"
#include "schema/mem.h"

/*
 * Splits an origin-form target. Failure: SEVQ_BAD_REQUEST for anything else: absolute-form, "//" in front, characters that
 * must be escaped, an escaped NUL, a fragment. query is NULL where there is no "?".
 */
int sevq_target_split(struct sevq_str target, struct sevq_str *path, struct sevq_str *query, struct sevq_error *err);

/* Decodes escapes, and in queries "+" as a space. SEVQ_BAD_REQUEST for a broken escape, and unless the result is UTF-8. */
int sevq_target_decode(struct sevq_arena *arena, struct sevq_str text, bool in_query, struct sevq_str *ret, struct sevq_error *err);

/* Takes the next name=value off *query, neither decoded; empty ones are passed over. False at the end. */
bool sevq_query_next(struct sevq_str *query, struct sevq_str *name, struct sevq_str *value);

#endif
