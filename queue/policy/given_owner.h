/*
 * given_owner.h - owners of channels that the operator names with --owner, beside the config.
 *
 * Here: a channel with its owner, and a list of them. Not here: their effect (allowlist).
 */
#ifndef QUEUE_POLICY_GIVEN_OWNER_H
#define QUEUE_POLICY_GIVEN_OWNER_H

#include "schema/text.h"

/* Both as the operator wrote them; the id "*" means anybody. */
struct given_owner {
	struct str channel, id;
};

struct given_owners {
	const struct given_owner *items;
	size_t count;
};

#endif
