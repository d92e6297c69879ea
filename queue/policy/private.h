/*
 * private.h - the compiled policy, for the two files that know what is in it: policy.c makes it, route.c reads it.
 *
 * It is immutable once made; everything it points to lives in its arena.
 */
#ifndef SEVQ_QUEUE_POLICY_PRIVATE_H
#define SEVQ_QUEUE_POLICY_PRIVATE_H

#include "queue/policy/binding.h"
#include "queue/policy/policy.h"
#include "queue/policy/agents.h"
#include "queue/policy/allowlist.h"

struct sevq_policy {
	struct sevq_arena arena;
	struct sevq_str main_key; /* folded; "main" by default */
	bool global;              /* session.scope is "global": main sessions are agent:<id>:global */
	enum sevq_dm_scope dm_scope;
	struct sevq_agents agents;
	struct sevq_allowlists allowlists;
	struct sevq_bindings bindings;
	struct sevq_str timezone;
};

#endif
