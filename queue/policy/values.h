/*
 * values.h - values of a config, as JavaScript sees them.
 *
 * Here: the few readings of a JSON value that ROUTING's rules are made of. Any value may be asked
 * for, of any type or absent (NULL): a config can hold anything anywhere.
 * Not here: which member means what (policy and its parts).
 */
#ifndef QUEUE_POLICY_VALUES_H
#define QUEUE_POLICY_VALUES_H

#include <cJSON.h>

#include "schema/mem.h"

/*
 * object.name, and NULL for anything that is no object: an array has no members, whatever
 * JavaScript says.
 */
const cJSON *value_member(const cJSON *object, const char *name);

/* A string's own text, borrowed from the value; NULL for anything else. */
struct str value_text(const cJSON *value);

/* Is it that very string? */
bool value_is(const cJSON *value, const char *text);

bool value_nullish(const cJSON *value); /* absent or null: what ?? passes over */
bool value_falsy(const cJSON *value);   /* absent, null, false, 0 or "" */

/*
 * String(value): what an allowlist entry of any type stands for (ROUTING section 1, "stringify").
 */
struct str value_stringify(struct arena *arena, const cJSON *value);

/* An id: a string trimmed, a number as text; empty for anything else. */
struct str value_id(struct arena *arena, const cJSON *value);

#endif
