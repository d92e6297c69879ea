/*
 * binding.h - direct chats that a binding gives a session of their own (ROUTING section 6).
 *
 * Here: bindings[] and session.identityLinks compiled, and the one question that routing asks of
 * them.
 * Not here: the rest of OpenClaw's route resolver: groups, guilds, teams and roles cannot matter to
 * a direct key.
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
	DM_OTHER, /* any other value: for a key like main, but direct keys are not moved under it */
};
enum dm_scope dm_scope_parse(const cJSON *value);

/* Lives in the arena that it was compiled into. */
struct bindings {
	struct binding *items; /* those that can match a direct chat, in order */
	size_t count;
	struct identity *identities; /* in order */
	size_t identity_count;
	bool broken; /* OpenClaw's resolver throws on them, whatever it is asked */
};

/* session: the config's, for its identityLinks and dmScope. */
void bindings_compile(const cJSON *bindings, const cJSON *session, const struct agents *agents,
		      struct arena *arena, struct bindings *ret);

/*
 * Would a binding produce the key that names this target as a session of its own? key is the agent
 * key, trimmed; main_key the policy's. Asked only where the config's dmScope is main, so that no
 * binding means no.
 */
bool bindings_preserve(const struct bindings *bindings, struct str key,
		       const struct direct_target *target, struct str main_key,
		       struct arena *arena);

#endif
