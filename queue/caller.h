/*
 * caller.h - on whose behalf an op is carried out.
 *
 * Here: what the token of a call says, as far as the queue is concerned: a name for the history,
 * and the agents whose queues it may touch.
 * Not here: tokens and scopes (server/http/auth.h).
 */
#ifndef QUEUE_CALLER_H
#define QUEUE_CALLER_H

#include <stdbool.h>

#include "schema/error.h"
#include "schema/str.h"

struct caller {
	struct str name;   /* NULL: the token has none */
	struct str agents; /* normalised agent ids, ",a,b,"; NULL: all agents */
};

/* Whether the caller may touch the queue; a caller of NULL, which is the server itself, may. */
bool caller_may_touch(const struct caller *caller, struct str queue_key);

/* Refuses with ERROR_FORBIDDEN what caller_may_touch denies. */
int caller_check(const struct caller *caller, struct str queue_key, struct error *err);

#endif
