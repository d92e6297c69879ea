/*
 * binding.h - direct chats that a binding gives a session of their own (ROUTING section 6).
 *
 * Here: bindings[] and session.identityLinks compiled, and the one question that routing asks of them.
 * Not here: the rest of OpenClaw's route resolver: groups, guilds, teams and roles cannot matter to a direct key.
 */
#ifndef SEVQ_QUEUE_POLICY_BINDING_H
#define SEVQ_QUEUE_POLICY_BINDING_H

#include "queue/policy/agents.h"
#include "schema/session_key.h"

/* session.dmScope, of the config or of a binding. */
enum sevq_dm_scope {
	SEVQ_DM_MAIN, /* absent, null or "main" */
	SEVQ_DM_PER_PEER,
	SEVQ_DM_PER_CHANNEL_PEER,
	SEVQ_DM_PER_ACCOUNT_CHANNEL_PEER,
	SEVQ_DM_OTHER, /* any other value: for a key like main, but direct keys are not moved under it */
};
enum sevq_dm_scope sevq_dm_scope(const cJSON *value);

/* Lives in the arena that it was compiled into. */
struct sevq_bindings {
	struct sevq_binding *items; /* those that can match a direct chat, in order */
	size_t count;
	struct sevq_identity *identities; /* in order */
	size_t identity_count;
	bool broken; /* OpenClaw's resolver throws on them, whatever it is asked */
};

/* session: the config's, for its identityLinks and dmScope. */
void sevq_bindings_compile(const cJSON *bindings, const cJSON *session, const struct sevq_agents *agents, struct sevq_arena *arena,
			   struct sevq_bindings *ret);

/*
 * Would a binding produce the key that names this target as a session of its own? key is the agent key, trimmed;
 * main_key the policy's. Asked only where the config's dmScope is main, so that no binding means no.
 */
bool sevq_bindings_preserve(const struct sevq_bindings *bindings, struct sevq_str key, const struct sevq_direct_target *target,
			    struct sevq_str main_key, struct sevq_arena *arena);

#endif
