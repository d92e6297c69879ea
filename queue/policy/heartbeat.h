/*
 * heartbeat.h - isolated heartbeats: sessions that exist for a heartbeat only.
 *
 * With isolatedSession an agent's heartbeat runs not in the session BASE but in "BASE:heartbeat",
 * and still takes the events of BASE. Here: which agents have isolated heartbeats, and the base of
 * a key. Not here: where the base is routed (route).
 */
#ifndef QUEUE_POLICY_HEARTBEAT_H
#define QUEUE_POLICY_HEARTBEAT_H

#include "queue/policy/values.h"
#include "schema/session_key.h"

/* An agent's heartbeat; what it leaves out comes from agents.defaults.heartbeat. */
struct heartbeat {
	struct str agent_id; /* normalised */
	bool isolated;
	struct str session; /* the configured one, trimmed; empty: the main session */
};

/* Lives in the arena that was given. */
struct heartbeats {
	struct heartbeat *own; /* of the agents, in the roster's order */
	size_t count;
	struct heartbeat defaults;
};

/* agents: the config's; roster: its agents.entries or agents.list, NULL for none. */
void heartbeats_compile(const cJSON *agents, const cJSON *roster, struct arena *arena,
			struct heartbeats *ret);

/* How an agent uses a key with the suffix ":heartbeat". */
enum heartbeat_key {
	HEARTBEAT_NONE,     /* it has no such suffix, or nothing before it */
	HEARTBEAT_SHARED,   /* the agent's heartbeats have no sessions of their own */
	HEARTBEAT_ITS_BASE, /* the agent's main or configured session has this very key */
	HEARTBEAT_ISOLATED, /* the session of an isolated heartbeat */
};

/*
 * Classifies a normalised agent key. *ret is the number of suffixes behind its base, and written
 * only for HEARTBEAT_ISOLATED.
 */
enum heartbeat_key heartbeats_look(const struct heartbeats *heartbeats,
				   const struct session_key *key, struct str owner,
				   struct str main_key, struct arena *arena, size_t *ret);

/*
 * The key as it was sent, without that many suffixes. To be cut before the key is normalised, so
 * that the base is normalised as if it were sent alone: a capital sigma at the end of a text
 * lower-cases differently.
 */
struct str heartbeat_base(struct str key, size_t suffixes);

#endif
