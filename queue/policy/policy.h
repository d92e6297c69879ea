/*
 * policy.h - the routing part of an OpenClaw config, compiled.
 *
 * Here: reading the config (JSON5), and an immutable policy. Everything outside `session`, `agents`, `channels` and
 * `bindings` is ignored, and so is what has the wrong type where OpenClaw ignores it (ROUTING).
 * Not here: files (the caller reads them), deciding (route.h).
 */
#ifndef SEVQ_QUEUE_POLICY_POLICY_H
#define SEVQ_QUEUE_POLICY_POLICY_H

#include "schema/error.h"
#include "schema/text.h"

struct sevq_policy;

/* Compiles JSON5 text; empty text is the empty policy. The text is not kept. Errors: SEVQ_CONFIG with line and column. */
int sevq_policy_parse(const char *text, size_t len, struct sevq_policy **ret, struct sevq_error *err);
void sevq_policy_free(struct sevq_policy *policy);

/* agents.defaults.userTimezone as written, NULL when absent or not a string (ROUTING section 8). */
struct sevq_str sevq_policy_timezone(const struct sevq_policy *policy);

#endif
