/*
 * heartbeat.h - sessions that exist for a heartbeat only.
 *
 * With isolatedSession an agent's heartbeat does not run in the session BASE but in
 * "BASE:heartbeat", while it looks for events in BASE. Here: which agents do so, and the base of a
 * key. Not here: where the base then leads (route).
 */
#ifndef QUEUE_POLICY_HEARTBEAT_H
#define QUEUE_POLICY_HEARTBEAT_H

#include "queue/policy/values.h"
#include "schema/session_key.h"

/* agents.defaults.heartbeat, under an agent's own. */
struct heartbeat {
	struct str agent_id; /* normalised */
	bool isolated;
	struct str session; /* the configured one, trimmed; empty: the main session */
};

/* Lives in the arena that it was compiled into. */
struct heartbeats {
	struct heartbeat *own; /* of the roster, in its order */
	size_t count;
	struct heartbeat defaults;
};

/* agents: the config's; roster: its agents.entries or agents.list, NULL for none. */
void heartbeats_compile(const cJSON *agents, const cJSON *roster, struct arena *arena,
			struct heartbeats *ret);

/* What a key that ends in ":heartbeat" is to its agent. */
enum heartbeat_key {
	HEARTBEAT_NONE,     /* it does not end so, or nothing stands before */
	HEARTBEAT_SHARED,   /* the agent's heartbeats have no sessions of their own */
	HEARTBEAT_ITS_BASE, /* its main session, or the one configured for heartbeats, is called so
			     */
	HEARTBEAT_ISOLATED, /* the session of a heartbeat */
};

/*
 * Looks at an agent key in its normal form. *ret is how many suffixes stand behind its base;
 * written only for HEARTBEAT_ISOLATED.
 */
enum heartbeat_key heartbeats_look(const struct heartbeats *heartbeats,
				   const struct session_key *key, struct str owner,
				   struct str main_key, struct arena *arena, size_t *ret);

/*
 * The key as it was sent without that many suffixes. It is cut before it is brought into normal
 * form, as the base alone would be: a capital sigma lower-cases otherwise at the end of a text.
 */
struct str heartbeat_base(struct str key, size_t suffixes);

#endif
