/*
 * route.h - the one decision: which queue an address means (ROUTING sections 3 to 6).
 *
 * Here: one pure function. Every key that enters passes it, whatever the call, so producers and consumers agree.
 * A queue key is a fixed point: routing it again under the same policy changes nothing.
 * Not here: storing, moving.
 */
#ifndef SEVQ_QUEUE_POLICY_ROUTE_H
#define SEVQ_QUEUE_POLICY_ROUTE_H

#include "queue/policy/policy.h"
#include "schema/event.h"

#define SEVQ_ROUTE_STEPS_MAX 8

/* One step of ROUTING section 5, with the reason it did or did not apply; for people. */
struct sevq_route_step {
	enum sevq_rule rule;
	bool applied;
	struct sevq_str why;
};

struct sevq_decision {
	struct sevq_str queue_key;
	enum sevq_rule rule;   /* the first step that changed the key */
	bool rekeyed;          /* the queue key differs from the trimmed key as sent */
	struct sevq_str owner; /* agent id */
	size_t step_count;     /* 0 unless the steps were asked for */
	struct sevq_route_step steps[SEVQ_ROUTE_STEPS_MAX];
};

/*
 * Decides. An address with an agent id and no session key means that agent's main session (the key "main").
 * Text of the decision is borrowed from the address and the policy or lives in the arena. explain fills the steps.
 * Failures: SEVQ_BLANK_KEY, SEVQ_MALFORMED_KEY, SEVQ_OWNER_UNRESOLVED, SEVQ_OWNER_MISMATCH.
 */
int sevq_route(const struct sevq_policy *policy, const struct sevq_address *address, bool explain, struct sevq_arena *arena,
	       struct sevq_decision *ret, struct sevq_error *err);

#endif
