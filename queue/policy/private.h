/*
 * private.h - what a compiled policy contains, for the two files that know: policy.c fills it in,
 * route.c reads it.
 *
 * A policy is immutable; everything it points to lives in its arena.
 */
#ifndef QUEUE_POLICY_PRIVATE_H
#define QUEUE_POLICY_PRIVATE_H

#include "queue/policy/agents.h"
#include "queue/policy/allowlist.h"
#include "queue/policy/binding.h"
#include "queue/policy/hook_gates.h"
#include "queue/policy/summary.h"

struct policy {
	struct arena arena;
	struct str main_key;  /* folded; "main" by default */
	struct str main_rest; /* as it stands in queue keys: "signal:group: x" is trimmed there */
	bool global;          /* session.scope is "global": main sessions are agent:<id>:global */
	enum dm_scope dm_scope;
	struct agents agents;
	struct allowlists allowlists;
	struct bindings bindings;
	struct hook_gates hook_gates;
	struct policy_summary summary;
};

#endif
