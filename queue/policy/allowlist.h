/*
 * allowlist.h - the allowlists of direct chats, and whether one names a single person.
 *
 * Here: the allowlists of channels and accounts, reduced to their pinned owner (ROUTING section 5,
 * step 4 d and "Allowlist"), the owners that the operator names beside them, and the look-up of the
 * pin that counts.
 * Not here: comparing the owner with a key's peer (route).
 */
#ifndef QUEUE_POLICY_ALLOWLIST_H
#define QUEUE_POLICY_ALLOWLIST_H

#include "queue/policy/given_owner.h"
#include "queue/policy/values.h"

/* What an allowlist says about its owner, in this order for join(). */
enum pin_kind {
	PIN_NO_CHANNEL, /* the config has no such channel */
	PIN_NO_LIST,    /* neither account nor channel has one */
	PIN_NOBODY,     /* the list is empty, or all its entries are blank */
	PIN_ANYBODY,    /* the list has a "*" */
	PIN_SEVERAL,    /* the list has two different entries or more */
	PIN_OWNER,      /* the list has exactly one entry: the pinned owner */
};

struct pin {
	enum pin_kind kind;
	struct str owner;  /* folded; empty unless kind is PIN_OWNER */
	bool given;        /* named by the operator and by no allowlist */
	size_t entries;    /* that are not blank */
	const char *where; /* of the list below its channel or account: "allowFrom"; NULL: none */
};

/* One allowlist, as it counts for its channel or for one account of it. */
struct allowlist_row {
	struct str channel,
	    account; /* account NULL: for all accounts without a list of their own */
	struct pin pin;
};

/* All allowlists of a config. Lives in the arena that was given. */
struct allowlists {
	struct allowlist_channel *channels; /* by name */
	size_t count;
	struct channel_owner *owners; /* named by the operator, by channel */
	size_t owner_count;
};

void allowlists_compile(const cJSON *channels, const struct given_owners *owners,
			struct arena *arena, struct allowlists *ret);

/*
 * The pin for a folded channel and account (empty: none): the account's if it has a list, otherwise
 * the channel's. The owners that the operator names for the channel count as entries of that list,
 * also where there is none.
 */
struct pin allowlists_find(const struct allowlists *lists, struct str channel, struct str account);

/*
 * Lists what allowlists_find can answer, by channel and account: every list of the config, and
 * every channel with owners that the operator names. The rows live in the arena.
 */
struct allowlist_row *allowlists_list(const struct allowlists *lists, struct arena *arena,
				      size_t *count);

#endif
