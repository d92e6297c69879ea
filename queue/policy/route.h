/*
 * route.h - routing: the queue that an address means (ROUTING sections 3 to 6).
 *
 * Here: one pure function. Every call routes its key by it, so producers and consumers agree. A
 * queue key is a fixed point: routing it again under the same policy changes nothing. Not here:
 * remembering decisions (route_cache), moving events when the policy changes (queue/).
 */
#ifndef QUEUE_POLICY_ROUTE_H
#define QUEUE_POLICY_ROUTE_H

#include "queue/policy/policy.h"
#include "schema/event.h"

#define ROUTE_STEPS_MAX 8

/* A step of ROUTING section 5, and for people the reason why it did or did not apply. */
struct route_step {
	enum rule rule;
	bool applied;
	struct str why;
};

struct decision {
	struct str queue_key;
	enum rule rule;    /* the first step that changed the key */
	bool rekeyed;      /* the queue key differs from the trimmed key as sent */
	struct str owner;  /* agent id */
	size_t step_count; /* 0 unless the steps were asked for */
	struct route_step steps[ROUTE_STEPS_MAX];
};

/*
 * Routes an address. One with an agent id and no session key means that agent's main session (the
 * key "main"). explain also fills in the steps. Text of the decision is borrowed from the address
 * and the policy or lives in the arena. Failures: ERROR_BLANK_KEY, ERROR_MALFORMED_KEY,
 * ERROR_OWNER_UNRESOLVED, ERROR_OWNER_MISMATCH.
 */
int route_decide(const struct policy *policy, const struct address *address, bool explain,
		 struct arena *arena, struct decision *ret, struct error *err);

#endif
