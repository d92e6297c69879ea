/*
 * policy.h - POST /v1/policy/reload, whose answer waits until all queues are judged.
 *
 * Here: the one reload or dry run that a request has asked for. The loop's owner carries it out
 * between two turns of the engine. Not here: reading and adopting a policy (policy_in_force),
 * judging queues (queue/strand).
 */
#ifndef SERVER_CALLS_POLICY_H
#define SERVER_CALLS_POLICY_H

#include "server/calls/calls.h"

struct policy_reload *policy_reload_new(void);
void policy_reload_free(struct policy_reload *reload); /* no request may be pending. Takes NULL. */

/* Whether a request has asked for a reload that has not begun. */
bool policy_reload_is_due(const struct calls *calls);
/* Reads the files, and adopts or tries the policy. */
void policy_reload_begin(struct calls *calls);
/* After each turn: answers the request if all queues are judged, or its client is gone. */
void policy_reload_end(struct calls *calls);

#endif
