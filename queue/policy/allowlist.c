/*
 * allowlist.c - allowlists: reduced to pins when the policy is compiled, found by binary search
 * when a key is routed.
 */
#include "queue/policy/allowlist.h"

#include <stdlib.h>

#include "schema/session_key.h"

/* Accounts, channels and owners all begin with their name, so that by_name can sort each of them.
 */
struct account {
	struct str name;
	struct pin pin;
};

struct allowlist_channel {
	struct str name;
	struct pin pin;
	struct account *accounts; /* only those with an allowlist of their own, sorted by name */
	size_t account_count;
};

struct channel_owner {
	struct str name; /* of the channel, folded */
	struct pin pin;
};

static int
by_name(const void *a, const void *b)
{
	return str_cmp(*(const struct str *)a, *(const struct str *)b);
}

/* Adds an entry of an allowlist to its pin. */
static void
add_entry(struct pin *pin, struct str text, struct arena *arena)
{
	text = text_lower(arena, text_trim(text));
	if (text.len == 0)
		return;
	pin->entries++;
	if (pin->kind == PIN_OWNER && str_eq(text, pin->owner))
		return;
	if (str_eq(text, STR("*")))
		pin->kind = PIN_ANYBODY;
	else if (pin->kind != PIN_ANYBODY)
		pin->kind = pin->kind == PIN_NOBODY ? PIN_OWNER : PIN_SEVERAL;
	pin->owner = text;
}

/* The finished pin: only PIN_OWNER has an owner. */
static struct pin
finished(struct pin pin)
{
	if (pin.kind != PIN_OWNER)
		pin.owner = STR("");
	return pin;
}

static struct pin
reduce(const cJSON *list, struct arena *arena)
{
	struct pin pin = { .kind = PIN_NOBODY, .owner = STR("") };
	const cJSON *entry;

	cJSON_ArrayForEach(entry, list) add_entry(&pin, value_stringify(arena, entry), arena);
	return finished(pin);
}

/* A place where an allowlist may stand, and what stands there. */
struct place {
	const char *name;
	const cJSON *list;
};

/* The pin of the first value that is an array; an empty array counts too (section 5). */
static struct pin
first_list(const struct place *places, size_t count, struct arena *arena)
{
	for (size_t i = 0; i < count; i++) {
		if (!cJSON_IsArray(places[i].list))
			continue;
		struct pin pin = reduce(places[i].list, arena);
		pin.where = places[i].name;
		return pin;
	}
	return (struct pin){ .kind = PIN_NO_LIST, .owner = STR("") };
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
	const struct place places[] = {
		{ "dm.allowFrom", direct_list(account) },
		{ "config.dm.allowFrom", direct_list(config) },
		{ "allowFrom", value_member(account, "allowFrom") },
		{ "config.allowFrom", value_member(config, "allowFrom") },
	};

	return first_list(places, sizeof(places) / sizeof(places[0]), arena);
}

static struct pin
channel_pin(const cJSON *channel, struct arena *arena)
{
	const struct place places[] = { { "dm.allowFrom", direct_list(channel) },
					{ "allowFrom", value_member(channel, "allowFrom") } };

	return first_list(places, sizeof(places) / sizeof(places[0]), arena);
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

/* Reduces the owners that the operator names to one pin for each channel. */
static void
compile_owners(const struct given_owners *owners, struct arena *arena, struct allowlists *ret)
{
	ret->owners = arena_alloc(arena, owners->count * sizeof(*ret->owners));
	for (size_t i = 0; i < owners->count; i++) {
		struct str name = text_fold(arena, owners->items[i].channel);
		size_t at = 0;

		while (at < ret->owner_count && !str_eq(ret->owners[at].name, name))
			at++;
		if (at == ret->owner_count)
			ret->owners[ret->owner_count++] = (struct channel_owner){
				arena_dup(arena, name),
				{ .kind = PIN_NOBODY, .owner = STR(""), .given = true }
			};
		add_entry(&ret->owners[at].pin, arena_dup(arena, owners->items[i].id), arena);
	}
	for (size_t i = 0; i < ret->owner_count; i++)
		ret->owners[i].pin = finished(ret->owners[i].pin);
	qsort(ret->owners, ret->owner_count, sizeof(*ret->owners), by_name);
}

void
allowlists_compile(const cJSON *channels, const struct given_owners *owners, struct arena *arena,
		   struct allowlists *ret)
{
	const cJSON *channel;

	*ret = (struct allowlists){ 0 };
	compile_owners(owners, arena, ret);
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

/* The pin of the config's list for the channel and account, without the operator's owners. */
static struct pin
find_list(const struct allowlists *lists, struct str channel, struct str account)
{
	const struct allowlist_channel *found =
	    find(channel, lists->channels, lists->count, sizeof(*found));
	const struct account *own;

	if (found == NULL)
		return (struct pin){ .kind = PIN_NO_CHANNEL, .owner = STR("") };
	own = account.len > 0 ? find(account, found->accounts, found->account_count, sizeof(*own))
			      : NULL;
	return own != NULL ? own->pin : found->pin;
}

/* The pin of a list with the entries of both: the config's and the operator's. */
static struct pin
join(struct pin list, struct pin given)
{
	if (list.kind < PIN_ANYBODY)
		return given;
	if (list.kind == PIN_ANYBODY || given.kind == PIN_ANYBODY)
		return (struct pin){ .kind = PIN_ANYBODY, .owner = STR("") };
	if (list.kind == PIN_OWNER &&
	    (given.kind == PIN_NOBODY ||
	     (given.kind == PIN_OWNER && str_eq(list.owner, given.owner))))
		return list;
	return (struct pin){ .kind = PIN_SEVERAL, .owner = STR("") };
}

struct pin
allowlists_find(const struct allowlists *lists, struct str channel, struct str account)
{
	const struct channel_owner *given =
	    find(channel, lists->owners, lists->owner_count, sizeof(*given));
	struct pin list = find_list(lists, channel, account), both;

	if (given == NULL)
		return list;
	both = join(list, given->pin);
	both.entries = list.entries + given->pin.entries;
	both.where = list.where;
	return both;
}

/* --- for people --- */

static void
add_row(const struct allowlists *lists, struct str channel, struct str account,
	struct allowlist_row *rows, size_t *count)
{
	struct pin pin = allowlists_find(lists, channel, account);

	if (pin.kind > PIN_NO_LIST)
		rows[(*count)++] = (struct allowlist_row){ channel, account, pin };
}

struct allowlist_row *
allowlists_list(const struct allowlists *lists, struct arena *arena, size_t *count)
{
	size_t most = lists->count + lists->owner_count;
	struct allowlist_row *rows;

	for (size_t i = 0; i < lists->count; i++)
		most += lists->channels[i].account_count;
	rows = arena_alloc(arena, most * sizeof(*rows));
	*count = 0;
	for (size_t i = 0; i < lists->count; i++) {
		const struct allowlist_channel *channel = &lists->channels[i];

		add_row(lists, channel->name, STR_NULL, rows, count);
		for (size_t j = 0; j < channel->account_count; j++)
			add_row(lists, channel->name, channel->accounts[j].name, rows, count);
	}
	for (size_t i = 0; i < lists->owner_count; i++)
		if (find(lists->owners[i].name, lists->channels, lists->count,
			 sizeof(*lists->channels)) == NULL)
			add_row(lists, lists->owners[i].name, STR_NULL, rows, count);
	return rows;
}
