/*
 * agents.h - the agents that a config names, and which of them owns what names none.
 *
 * Here: the roster, the configured owner (ROUTING section 3), the default agent and the agent of a binding (6.4).
 * Not here: the owner of a particular key (route).
 */
#ifndef SEVQ_QUEUE_POLICY_AGENTS_H
#define SEVQ_QUEUE_POLICY_AGENTS_H

#include "queue/policy/values.h"

/* Ids are normalised. Lives in the arena that it was compiled into. */
struct sevq_agents {
	struct sevq_str *roster;
	size_t count;
	struct sevq_str owner;         /* of a bare key; NULL: unresolved */
	struct sevq_str default_agent; /* where a binding names none; NULL: OpenClaw's resolver throws */
};

void sevq_agents_compile(const cJSON *agents, struct sevq_arena *arena, struct sevq_agents *ret);

/* The agent that a binding's agentId means; NULL where OpenClaw's resolver throws. */
struct sevq_str sevq_agents_resolve(const struct sevq_agents *agents, struct sevq_str agent_id, struct sevq_arena *arena);

#endif
