/*
 * allowlist.h - who may write to an agent directly, and whether that is one person.
 *
 * Here: the allowlists of channels and accounts, reduced to their pinned owner (ROUTING section 5.4
 * d and its "Allowlist"), the owners that the operator names beside them, and the look-up of what
 * counts.
 * Not here: comparing the owner with a key's peer (route).
 */
#ifndef QUEUE_POLICY_ALLOWLIST_H
#define QUEUE_POLICY_ALLOWLIST_H

#include "queue/policy/given_owner.h"
#include "queue/policy/values.h"

/* What an allowlist comes down to. */
enum pin_kind {
	PIN_NO_CHANNEL, /* the config has no such channel */
	PIN_NO_LIST,    /* neither account nor channel has one */
	PIN_NOBODY,     /* it is empty, or all its entries are blank */
	PIN_ANYBODY,    /* it has a "*" */
	PIN_SEVERAL,    /* two owners or more */
	PIN_OWNER,      /* exactly one */
};

struct pin {
	enum pin_kind kind;
	struct str owner; /* folded; empty unless there is exactly one */
	bool given;       /* by the operator; no allowlist names it */
};

/* All allowlists. Lives in the arena that it was compiled into. */
struct allowlists {
	struct allowlist_channel *channels; /* by name */
	size_t count;
	struct channel_owner *owners; /* whom the operator names, by channel */
	size_t owner_count;
};

void allowlists_compile(const cJSON *channels, const struct given_owners *owners,
			struct arena *arena, struct allowlists *ret);

/*
 * The pin for a folded channel and account (empty: none): the account's where it has a list, else
 * the channel's. The owners whom the operator names for the channel count as if they stood in that
 * list, also where there is none.
 */
struct pin allowlists_find(const struct allowlists *lists, struct str channel, struct str account);

#endif
