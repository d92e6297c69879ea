/*
 * agents.h - the agents of a config, and which of them owns keys that name no agent.
 *
 * Here: the roster, the configured owner (ROUTING section 3), the default agent, the agent of a
 * binding (6.4) and of a webhook, and the agents' heartbeats. Not here: the owner of a particular
 * key (route).
 */
#ifndef QUEUE_POLICY_AGENTS_H
#define QUEUE_POLICY_AGENTS_H

#include "queue/policy/heartbeat.h"

/* Compiled from `agents`; ids are normalised. Lives in the arena that was given. */
struct agents {
	struct str *roster;
	size_t count;
	struct str owner; /* of a bare key; NULL: unresolved */
	struct str
	    default_agent; /* of a binding without agentId; NULL: OpenClaw's resolver throws */
	struct str webhook_agent; /* of a webhook that names none; NULL: it must name one */
	struct heartbeats heartbeats;
};

void agents_compile(const cJSON *agents, struct arena *arena, struct agents *ret);

/* Is there such an agent, for those who may only name one that there is? A normalised id. */
bool agents_know(const struct agents *agents, struct str id);

/* Section 6.4: the agent that a binding's agentId means; NULL where OpenClaw's resolver throws. */
struct str agents_resolve(const struct agents *agents, struct str agent_id, struct arena *arena);

#endif
