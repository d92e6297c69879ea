/*
 * policy.h - the routing part of an OpenClaw config, compiled.
 *
 * Here: reading the config (JSON5) into an immutable policy. Everything outside `session`,
 * `agents`, `channels`, `bindings` and `hooks` is ignored, and so are values of a wrong type that
 * OpenClaw ignores (ROUTING). Not here: files (the caller reads them), deciding (route.h).
 */
#ifndef QUEUE_POLICY_POLICY_H
#define QUEUE_POLICY_POLICY_H

#include "queue/policy/given_owner.h"
#include "schema/error.h"
#include "schema/text.h"

struct policy;
struct hook_gates;
struct policy_summary;

/*
 * Compiles JSON5 text, which is not kept; blank text gives the empty policy. owners (NULL: none)
 * are those that the operator names beside the config's allowlists. Failure: ERROR_CONFIG, with
 * line and column where the text is wrong, or with the name of the member that is.
 */
int policy_parse(const char *text, size_t len, const struct given_owners *owners,
		 struct policy **ret, struct error *err);
void policy_free(struct policy *policy);

/* agents.defaults.userTimezone as written, NULL when absent or not a string (ROUTING section 8). */
struct str policy_timezone(const struct policy *policy);

/* What the policy says, for people (summary.h); lives as long as the policy. */
const struct policy_summary *policy_summary(const struct policy *policy);

/* The limits that `hooks` sets to webhooks. */
const struct hook_gates *policy_hook_gates(const struct policy *policy);

#endif
