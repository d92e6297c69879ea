/*
 * policy_in_force.h - the routing policy that the server runs by, and how it came to be.
 *
 * Here: reading the policy again, adopting it when its files have changed, what is known of the
 * last failure, and the log line of each change. Not here: reading files (policy_file), routing
 * (queue/policy), which queues a policy strands (queue/strand).
 */
#ifndef SERVER_POLICY_IN_FORCE_H
#define SERVER_POLICY_IN_FORCE_H

#include "queue/engine.h"
#include "server/policy_file.h"

struct policy_in_force {
	const struct options *options;
	struct engine *engine; /* set once it is open */
	struct policy_source source;
	int64_t loaded_ms; /* wall clock: when it was adopted */
	uint64_t reloads;  /* changes since the start */
	/* of the last reload, if that failed; ERROR_NONE: it did not */
	struct error last_error;
	int64_t last_error_ms;
	bool unlogged; /* its log line waits until it is known what it strands */
};

/* Reads the policy for the start. *ret is the caller's. ERROR_CONFIG. */
int policy_in_force_begin(struct policy_in_force *force, const struct options *options,
			  struct policy **ret, struct error *err);
void policy_in_force_clear(struct policy_in_force *force);

/*
 * Reads the policy again, and adopts it if its files have changed (*changed). ERROR_CONFIG: the old
 * one stays, and err is kept as the last error too.
 */
int policy_in_force_reload(struct policy_in_force *force, bool *changed, struct error *err);

/* After each turn: logs a policy that was adopted, once all queues are judged by it. */
void policy_in_force_log(struct policy_in_force *force);

#endif
