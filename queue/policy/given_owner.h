/*
 * given_owner.h - owners of channels whom the operator names beside the config.
 *
 * Here: one pair, and a list of them. Not here: what they change (allowlist).
 */
#ifndef QUEUE_POLICY_GIVEN_OWNER_H
#define QUEUE_POLICY_GIVEN_OWNER_H

#include "schema/text.h"

/* As written; the id "*" is anybody. */
struct given_owner {
	struct str channel, id;
};

struct given_owners {
	const struct given_owner *items;
	size_t count;
};

#endif
