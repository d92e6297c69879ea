/*
 * values.h - values of a config, as JavaScript sees them.
 *
 * Here: the few ways in which ROUTING's rules read a JSON value. Every function takes a value of
 * any type, and NULL for an absent one, since a config can hold anything anywhere. Not here: which
 * member means what (policy and its parts).
 */
#ifndef QUEUE_POLICY_VALUES_H
#define QUEUE_POLICY_VALUES_H

#include <cJSON.h>

#include "schema/mem.h"

/*
 * object.name; NULL if it is absent or object is not an object (an array has no members here,
 * unlike in JavaScript).
 */
const cJSON *value_member(const cJSON *object, const char *name);

/* A string's own text, borrowed from the value; NULL for anything else. */
struct str value_text(const cJSON *value);

/* Is it exactly that string? */
bool value_is(const cJSON *value, const char *text);

bool value_nullish(const cJSON *value); /* absent or null: what ?? passes over */
bool value_falsy(const cJSON *value);   /* absent, null, false, 0 or "" */

/*
 * String(value), as ROUTING section 1 ("stringify") reads allowlist entries of any type.
 */
struct str value_stringify(struct arena *arena, const cJSON *value);

/* An id: a string trimmed, a number as text; empty for anything else. */
struct str value_id(struct arena *arena, const cJSON *value);

#endif
