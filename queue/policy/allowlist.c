/*
 * allowlist.c - allowlists reduced to pins when the policy is compiled, found by two binary
 * searches later.
 */
#include "queue/policy/allowlist.h"

#include <stdlib.h>

#include "schema/session_key.h"

/* Both kinds of entry start with the name, so one comparison serves them. */
struct account {
	struct str name;
	struct pin pin;
};

struct allowlist_channel {
	struct str name;
	struct pin pin;
	struct account *accounts; /* those with a list of their own, by name */
	size_t account_count;
};

static int
by_name(const void *a, const void *b)
{
	return str_cmp(*(const struct str *)a, *(const struct str *)b);
}

static struct pin
reduce(const cJSON *list, struct arena *arena)
{
	struct pin pin = { PIN_NOBODY, STR("") };
	const cJSON *entry;

	cJSON_ArrayForEach(entry, list)
	{
		struct str text = text_trim(value_stringify(arena, entry));

		if (str_eq(text, STR("*")))
			return (struct pin){ PIN_ANYBODY, STR("") };
		text = text_lower(arena, text);
		if (text.len == 0 || str_eq(text, pin.owner))
			continue;
		if (pin.kind == PIN_NOBODY)
			pin = (struct pin){ PIN_OWNER, text };
		else
			pin.kind = PIN_SEVERAL; /* a "*" may still follow */
	}
	if (pin.kind == PIN_SEVERAL)
		pin.owner = STR("");
	return pin;
}

/* The first that is an array. An empty array is one. */
static struct pin
first_list(const cJSON *const *lists, size_t count, struct arena *arena)
{
	for (size_t i = 0; i < count; i++)
		if (cJSON_IsArray(lists[i]))
			return reduce(lists[i], arena);
	return (struct pin){ PIN_NO_LIST, STR("") };
}

static const cJSON *
direct_list(const cJSON *of)
{
	return value_member(value_member(of, "dm"), "allowFrom");
}

static struct pin
account_pin(const cJSON *account, struct arena *arena)
{
	const cJSON *config = value_member(account, "config");
	const cJSON *const lists[] = {
		direct_list(account),
		direct_list(config),
		value_member(account, "allowFrom"),
		value_member(config, "allowFrom"),
	};

	return first_list(lists, sizeof(lists) / sizeof(lists[0]), arena);
}

static struct pin
channel_pin(const cJSON *channel, struct arena *arena)
{
	const cJSON *const lists[] = { direct_list(channel), value_member(channel, "allowFrom") };

	return first_list(lists, sizeof(lists) / sizeof(lists[0]), arena);
}

static void
compile_channel(const cJSON *channel, struct arena *arena, struct allowlist_channel *ret)
{
	const cJSON *accounts = value_member(channel, "accounts"), *account;

	ret->name = arena_dup(arena, str_of(channel->string));
	ret->pin = channel_pin(channel, arena);
	if (!cJSON_IsObject(accounts))
		return;
	ret->accounts =
	    arena_alloc(arena, (size_t)cJSON_GetArraySize(accounts) * sizeof(*ret->accounts));
	cJSON_ArrayForEach(account, accounts)
	{
		struct str name = str_of(account->string);
		struct pin pin = account_pin(account, arena);

		if (pin.kind != PIN_NO_LIST && !account_id_is_reserved(name))
			ret->accounts[ret->account_count++] =
			    (struct account){ arena_dup(arena, name), pin };
	}
	qsort(ret->accounts, ret->account_count, sizeof(*ret->accounts), by_name);
}

void
allowlists_compile(const cJSON *channels, struct arena *arena, struct allowlists *ret)
{
	const cJSON *channel;

	*ret = (struct allowlists){ 0 };
	if (!cJSON_IsObject(channels))
		return;
	ret->channels =
	    arena_alloc(arena, (size_t)cJSON_GetArraySize(channels) * sizeof(*ret->channels));
	cJSON_ArrayForEach(channel, channels) if (cJSON_IsObject(channel))
	    compile_channel(channel, arena, &ret->channels[ret->count++]);
	qsort(ret->channels, ret->count, sizeof(*ret->channels), by_name);
}

static const void *
find(struct str name, const void *entries, size_t count, size_t entry_bytes)
{
	return count > 0 ? bsearch(&name, entries, count, entry_bytes, by_name) : NULL;
}

struct pin
allowlists_find(const struct allowlists *lists, struct str channel, struct str account)
{
	const struct allowlist_channel *found =
	    find(channel, lists->channels, lists->count, sizeof(*found));
	const struct account *own;

	if (found == NULL)
		return (struct pin){ PIN_NO_CHANNEL, STR("") };
	own = account.len > 0 ? find(account, found->accounts, found->account_count, sizeof(*own))
			      : NULL;
	return own != NULL ? own->pin : found->pin;
}
