/*
 * allowlist.c - allowlists reduced to pins when the policy is compiled, found by two binary searches later.
 */
#include "queue/policy/allowlist.h"

#include <stdlib.h>

#include "schema/session_key.h"

/* Both kinds of entry start with the name, so one comparison serves them. */
struct account {
	struct sevq_str name;
	struct sevq_pin pin;
};

struct sevq_allowlist_channel {
	struct sevq_str name;
	struct sevq_pin pin;
	struct account *accounts; /* those with a list of their own, by name */
	size_t account_count;
};

static int
by_name(const void *a, const void *b)
{
	return sevq_str_cmp(*(const struct sevq_str *)a, *(const struct sevq_str *)b);
}

static struct sevq_pin
reduce(const cJSON *list, struct sevq_arena *arena)
{
	struct sevq_pin pin = { SEVQ_PIN_NOBODY, SEVQ_STR("") };
	const cJSON *entry;

	cJSON_ArrayForEach(entry, list)
	{
		struct sevq_str text = sevq_trim(sevq_value_stringify(arena, entry));

		if (sevq_str_eq(text, SEVQ_STR("*")))
			return (struct sevq_pin){ SEVQ_PIN_ANYBODY, SEVQ_STR("") };
		text = sevq_lower(arena, text);
		if (text.len == 0 || sevq_str_eq(text, pin.owner))
			continue;
		if (pin.kind == SEVQ_PIN_NOBODY)
			pin = (struct sevq_pin){ SEVQ_PIN_OWNER, text };
		else
			pin.kind = SEVQ_PIN_SEVERAL; /* a "*" may still follow */
	}
	if (pin.kind == SEVQ_PIN_SEVERAL)
		pin.owner = SEVQ_STR("");
	return pin;
}

/* The first that is an array. An empty array is one. */
static struct sevq_pin
first_list(const cJSON *const *lists, size_t count, struct sevq_arena *arena)
{
	for (size_t i = 0; i < count; i++)
		if (cJSON_IsArray(lists[i]))
			return reduce(lists[i], arena);
	return (struct sevq_pin){ SEVQ_PIN_NO_LIST, SEVQ_STR("") };
}

static const cJSON *
direct_list(const cJSON *of)
{
	return sevq_value_member(sevq_value_member(of, "dm"), "allowFrom");
}

static struct sevq_pin
account_pin(const cJSON *account, struct sevq_arena *arena)
{
	const cJSON *config = sevq_value_member(account, "config");
	const cJSON *const lists[] = {
		direct_list(account),
		direct_list(config),
		sevq_value_member(account, "allowFrom"),
		sevq_value_member(config, "allowFrom"),
	};

	return first_list(lists, sizeof lists / sizeof lists[0], arena);
}

static struct sevq_pin
channel_pin(const cJSON *channel, struct sevq_arena *arena)
{
	const cJSON *const lists[] = { direct_list(channel), sevq_value_member(channel, "allowFrom") };

	return first_list(lists, sizeof lists / sizeof lists[0], arena);
}

static void
compile_channel(const cJSON *channel, struct sevq_arena *arena, struct sevq_allowlist_channel *ret)
{
	const cJSON *accounts = sevq_value_member(channel, "accounts"), *account;

	ret->name = sevq_arena_dup(arena, sevq_str(channel->string));
	ret->pin = channel_pin(channel, arena);
	if (!cJSON_IsObject(accounts))
		return;
	ret->accounts = sevq_arena_alloc(arena, (size_t)cJSON_GetArraySize(accounts) * sizeof *ret->accounts);
	cJSON_ArrayForEach(account, accounts)
	{
		struct sevq_str name = sevq_str(account->string);
		struct sevq_pin pin = account_pin(account, arena);

		if (pin.kind != SEVQ_PIN_NO_LIST && !sevq_account_id_reserved(name))
			ret->accounts[ret->account_count++] = (struct account){ sevq_arena_dup(arena, name), pin };
	}
	qsort(ret->accounts, ret->account_count, sizeof *ret->accounts, by_name);
}

void
sevq_allowlists_compile(const cJSON *channels, struct sevq_arena *arena, struct sevq_allowlists *ret)
{
	const cJSON *channel;

	*ret = (struct sevq_allowlists){ 0 };
	if (!cJSON_IsObject(channels))
		return;
	ret->channels = sevq_arena_alloc(arena, (size_t)cJSON_GetArraySize(channels) * sizeof *ret->channels);
	cJSON_ArrayForEach(channel, channels) if (cJSON_IsObject(channel))
	    compile_channel(channel, arena, &ret->channels[ret->count++]);
	qsort(ret->channels, ret->count, sizeof *ret->channels, by_name);
}

static const void *
find(struct sevq_str name, const void *entries, size_t count, size_t entry_bytes)
{
	return count > 0 ? bsearch(&name, entries, count, entry_bytes, by_name) : NULL;
}

struct sevq_pin
sevq_allowlists_find(const struct sevq_allowlists *lists, struct sevq_str channel, struct sevq_str account)
{
	const struct sevq_allowlist_channel *found = find(channel, lists->channels, lists->count, sizeof *found);
	const struct account *own;

	if (found == NULL)
		return (struct sevq_pin){ SEVQ_PIN_NO_CHANNEL, SEVQ_STR("") };
	own = account.len > 0 ? find(account, found->accounts, found->account_count, sizeof *own) : NULL;
	return own != NULL ? own->pin : found->pin;
}
