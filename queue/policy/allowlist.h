/*
 * allowlist.h - who may write to an agent directly, and whether that is one person.
 *
 * Here: the allowlists of channels and accounts, reduced to their pinned owner (ROUTING section 5.4 d and its
 * "Allowlist"), and the look-up of the one that counts.
 * Not here: comparing the owner with a key's peer (route).
 */
#ifndef SEVQ_QUEUE_POLICY_ALLOWLIST_H
#define SEVQ_QUEUE_POLICY_ALLOWLIST_H

#include "queue/policy/values.h"

/* What an allowlist comes down to. */
enum sevq_pin_kind {
	SEVQ_PIN_NO_CHANNEL, /* the config has no such channel */
	SEVQ_PIN_NO_LIST,    /* neither account nor channel has one */
	SEVQ_PIN_NOBODY,     /* it is empty, or all its entries are blank */
	SEVQ_PIN_ANYBODY,    /* it has a "*" */
	SEVQ_PIN_SEVERAL,    /* two owners or more */
	SEVQ_PIN_OWNER,      /* exactly one */
};

struct sevq_pin {
	enum sevq_pin_kind kind;
	struct sevq_str owner; /* folded; empty unless there is exactly one */
};

/* All allowlists. Lives in the arena that it was compiled into. */
struct sevq_allowlists {
	struct sevq_allowlist_channel *channels; /* by name */
	size_t count;
};

void sevq_allowlists_compile(const cJSON *channels, struct sevq_arena *arena, struct sevq_allowlists *ret);

/* The pin for a folded channel and account (empty: none): the account's where it has a list, else the channel's. */
struct sevq_pin sevq_allowlists_find(const struct sevq_allowlists *lists, struct sevq_str channel, struct sevq_str account);

#endif
