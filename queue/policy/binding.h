/*
 * binding.h - bindings, which can give a direct chat a session of its own (ROUTING section 6).
 *
 * Here: bindings[] and session.identityLinks compiled, and whether they preserve a key.
 * Not here: the rest of OpenClaw's route resolver, since groups, guilds, teams and roles do not
 * matter to a direct key.
 */
#ifndef QUEUE_POLICY_BINDING_H
#define QUEUE_POLICY_BINDING_H

#include "queue/policy/agents.h"
#include "schema/session_key.h"

/* session.dmScope, of the config or of a binding. */
enum dm_scope {
	DM_MAIN, /* absent, null or "main" */
	DM_PER_PEER,
	DM_PER_CHANNEL_PEER,
	DM_PER_ACCOUNT_CHANNEL_PEER,
	DM_OTHER, /* any other value: produces main keys, but moves no direct key (section 5.4 c) */
};
enum dm_scope dm_scope_parse(const cJSON *value);

/* Lives in the arena that was given. */
struct bindings {
	struct binding *items; /* only those that can match a direct chat, in order */
	size_t count;
	struct identity *identities; /* in order */
	size_t identity_count;
	bool broken; /* one makes OpenClaw's resolver throw, so none preserves a key (6.1) */
};

/* session is the config's: its identityLinks, and the dmScope of bindings without one. */
void bindings_compile(const cJSON *bindings, const cJSON *session, const struct agents *agents,
		      struct arena *arena, struct bindings *ret);

/*
 * Does a binding produce this key as a session of its own? key is the trimmed agent key and target
 * what it names; main_key is the policy's. To be asked only where the config's dmScope is main:
 * then a chat without a binding is not preserved.
 */
bool bindings_preserve(const struct bindings *bindings, struct str key,
		       const struct direct_target *target, struct str main_key,
		       struct arena *arena);

#endif
