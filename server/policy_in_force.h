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
#include "server/policy_watch.h"

struct policy_in_force {
	const struct options *options;
	struct engine *engine; /* set once it is open */
	struct policy_source source;
	int64_t loaded_ms; /* wall clock: when it was adopted */
	int64_t read_ms;   /* and when it was last read without an error */
	uint64_t reloads;  /* changes since the start */
	/* of the last reload, if that failed; ERROR_NONE: it did not */
	struct error last_error;
	int64_t last_error_ms;
	/* called when another policy has been adopted */
	void (*changed)(void *arg);
	void *changed_arg;
	struct policy_watch *watch; /* of its files; NULL: they are not watched */
	bool unlogged;              /* its log line waits until it is known what it strands */
};

/* Reads the policy for the start. *ret is the caller's. ERROR_CONFIG. */
int policy_in_force_begin(struct policy_in_force *force, const struct options *options,
			  struct policy **ret, struct error *err);
/* Watches its files from now on (policy_watch.h): see policy_watch_is_due. */
void policy_in_force_watch(struct policy_in_force *force, struct event_base *base);
void policy_in_force_clear(struct policy_in_force *force);

/*
 * Reads the policy again. Both are the caller's on success. ERROR_CONFIG, also if a default config
 * is gone: whoever wants the empty policy then restarts the server.
 */
int policy_in_force_read(const struct policy_in_force *force, struct policy **policy,
			 struct policy_source *source, struct error *err);

/*
 * Reads the policy again, and adopts it if its files have changed (*changed). ERROR_CONFIG: the old
 * one stays, and err is logged, and kept as the last error.
 */
int policy_in_force_reload(struct policy_in_force *force, bool *changed, struct error *err);

/* The SHA-256 over its files (policy_source.hash), borrowed until a reload; NULL: there are none.
 */
struct str policy_in_force_hash(const struct policy_in_force *force);

/* After each turn: logs a policy that was adopted, once all queues are judged by it. */
void policy_in_force_log(struct policy_in_force *force);

#endif
