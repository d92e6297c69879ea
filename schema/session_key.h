/*
 * session_key.h - the grammar of session keys, agent ids and account ids (ROUTING sections 1 and 2).
 *
 * Here: normalise, classify, parse, build. Pure functions; results are borrowed from the input or live in the arena.
 * Not here: policy, owners, rules (queue/route).
 */
#ifndef SEVQ_SCHEMA_SESSION_KEY_H
#define SEVQ_SCHEMA_SESSION_KEY_H

#include "schema/mem.h"
#include "schema/text.h"

/* The rest of this header belongs to the routing work: fill it in. */

#endif
