/*
 * summary.h - what a policy says, for people who check it.
 *
 * Here: the parts of a config that decide about queues, in the config's own words, and what is in
 * it and means nothing. Not here: deciding (route), JSON and tables for people (server/).
 */
#ifndef QUEUE_POLICY_SUMMARY_H
#define QUEUE_POLICY_SUMMARY_H

#include "queue/policy/agents.h"
#include "queue/policy/allowlist.h"

#define SUMMARY_WARNINGS_MAX 100

struct policy_summary {
	struct str dm_scope, scope; /* as written; "main" and "per-sender" where absent */
	struct str main_key;        /* folded */
	const struct str *agents;   /* normalised ids of the roster */
	size_t agent_count;
	struct str owner;     /* the agent of keys that name none; NULL: they are refused */
	struct str ownership; /* as written; NULL: absent */
	const struct allowlist_row *lists; /* by channel and account */
	size_t list_count;
	size_t bindings;     /* in the config, whether a direct chat can match them or not */
	struct str timezone; /* as written; NULL: absent */
	/* What is in the config and means nothing, one sentence each without its full stop. */
	const struct str *warnings;
	size_t warning_count;
};

/*
 * Summarises the config, whose agents and allowlists are compiled already. Everything lives in the
 * arena, or as long as agents.
 */
void summary_compile(const cJSON *config, const struct agents *agents,
		     const struct allowlists *lists, struct arena *arena,
		     struct policy_summary *ret);

#endif
