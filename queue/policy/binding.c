/*
 * binding.c - the binding that a direct chat matches, and the key that it produces.
 */
#include "queue/policy/binding.h"

/*
 * Section 6.3: what a binding matches on, the strongest first. The first match in the first tier
 * that has one decides.
 */
enum tier {
	TIER_PEER,     /* this very peer */
	TIER_ANY_PEER, /* any direct peer */
	TIER_ACCOUNT,
	TIER_CHANNEL,
	TIER_COUNT
};

struct binding {
	struct str channel; /* folded */
	struct str account; /* normalised; NULL: any */
	struct str peer;    /* TIER_PEER only: as written, trimmed; case-sensitive */
	enum tier tier;
	struct str agent; /* NULL: the resolver throws */
	enum dm_scope scope;
};

/* One id of an entry of session.identityLinks. */
struct identity {
	struct str id;   /* folded: "peer" or "channel:peer" */
	struct str name; /* folded: replaces the peer in the key */
};

enum dm_scope
dm_scope_parse(const cJSON *value)
{
	static const char *const names[] = {
		[DM_MAIN] = "main",
		[DM_PER_PEER] = "per-peer",
		[DM_PER_CHANNEL_PEER] = "per-channel-peer",
		[DM_PER_ACCOUNT_CHANNEL_PEER] = "per-account-channel-peer",
	};

	if (value_nullish(value))
		return DM_MAIN;
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (value_is(value, names[i]))
			return (enum dm_scope)i;
	return DM_OTHER;
}

/* --- compiling --- */

/*
 * Section 6.1 and 6.3: the tier of a match, by its peer and account; TIER_COUNT if no direct chat
 * can match it.
 */
static enum tier
peer_tier(const cJSON *match, struct str account, struct arena *arena, struct str *peer)
{
	const cJSON *wanted = value_member(match, "peer");
	struct str kind, id;

	if (value_falsy(wanted))
		return account.s != NULL ? TIER_ACCOUNT : TIER_CHANNEL;
	kind = text_fold(arena, value_text(value_member(wanted, "kind")));
	id = value_id(arena, value_member(wanted, "id"));
	if (id.len == 0 || !(str_eq(kind, STR("direct")) || str_eq(kind, STR("dm"))))
		return TIER_COUNT;
	*peer = id;
	return str_eq(id, STR("*")) ? TIER_ANY_PEER : TIER_PEER;
}

/* Does the match name a guild, a team or roles? A direct chat has none of them. */
static bool
names_a_group(const cJSON *match, struct arena *arena)
{
	const cJSON *roles = value_member(match, "roles");

	return value_id(arena, value_member(match, "guildId")).len > 0 ||
	       value_id(arena, value_member(match, "teamId")).len > 0 ||
	       (cJSON_IsArray(roles) && cJSON_GetArraySize(roles) > 0);
}

/* Section 6.2: the account that a binding matches; NULL for any. */
static struct str
account_pattern(const cJSON *account, struct arena *arena)
{
	struct str text = text_trim(value_text(account));

	if (str_eq(text, STR("*")))
		return STR_NULL;
	return arena_dup(arena, account_id_normalize(arena, text));
}

/*
 * Returns false if the binding can match no direct chat. Sets *broken if OpenClaw's resolver throws
 * on it.
 */
static bool
compile_binding(const cJSON *binding, const cJSON *session, const struct agents *agents,
		struct arena *arena, struct binding *ret, bool *broken)
{
	const cJSON *match = value_member(binding, "match"),
		    *account = value_member(match, "accountId");
	const cJSON *scope = value_member(value_member(binding, "session"), "dmScope");
	struct str channel = text_fold(arena, value_text(value_member(match, "channel")));

	*ret = (struct binding){ 0 };
	if (cJSON_IsNull(binding)) {
		*broken = true;
		return false;
	}
	if (value_is(value_member(binding, "type"), "acp") || channel.len == 0)
		return false;
	if (!value_nullish(account) && !cJSON_IsString(account)) {
		*broken = true;
		return false;
	}
	ret->channel = arena_dup(arena, channel);
	ret->account = account_pattern(account, arena);
	ret->tier = peer_tier(match, ret->account, arena, &ret->peer);
	ret->agent = agents_resolve(agents, value_text(value_member(binding, "agentId")), arena);
	ret->scope =
	    dm_scope_parse(value_nullish(scope) ? value_member(session, "dmScope") : scope);
	return ret->tier < TIER_COUNT && !names_a_group(match, arena);
}

static void
compile_identities(const cJSON *links, struct arena *arena, struct bindings *ret)
{
	const cJSON *link, *id;
	size_t ids = 0;

	if (!cJSON_IsObject(links))
		return;
	cJSON_ArrayForEach(link, links) ids +=
	    cJSON_IsArray(link) ? (size_t)cJSON_GetArraySize(link) : 0;
	ret->identities = arena_alloc(arena, ids * sizeof(*ret->identities));
	cJSON_ArrayForEach(link, links)
	{
		struct str name = arena_dup(arena, text_fold(arena, str_of(link->string)));

		if (!cJSON_IsArray(link) || name.len == 0)
			continue;
		cJSON_ArrayForEach(id, link) ret->identities[ret->identity_count++] =
		    (struct identity){ arena_dup(arena, text_fold(arena, value_text(id))), name };
	}
}

void
bindings_compile(const cJSON *bindings, const cJSON *session, const struct agents *agents,
		 struct arena *arena, struct bindings *ret)
{
	const cJSON *binding;

	*ret = (struct bindings){ 0 };
	compile_identities(value_member(session, "identityLinks"), arena, ret);
	if (!cJSON_IsArray(bindings))
		return;
	ret->items = arena_alloc(arena, (size_t)cJSON_GetArraySize(bindings) * sizeof(*ret->items));
	cJSON_ArrayForEach(binding, bindings) if (compile_binding(binding, session, agents, arena,
								  &ret->items[ret->count],
								  &ret->broken)) ret->count++;
}

/* --- matching --- */

static const struct binding *
first_match(const struct bindings *bindings, const struct direct_target *target, struct str account)
{
	const struct binding *best = NULL;

	for (size_t i = 0; i < bindings->count; i++) {
		const struct binding *b = &bindings->items[i];

		if (str_eq(b->channel, target->channel) &&
		    (b->account.s == NULL || str_eq(b->account, account)) &&
		    (b->tier != TIER_PEER || str_eq(b->peer, target->peer)) &&
		    (best == NULL || b->tier < best->tier))
			best = b;
	}
	return best;
}

/*
 * The peer as the key names it: the name of the first identity link that has the peer, with or
 * without its channel; otherwise the peer itself.
 */
static struct str
linked_peer(const struct bindings *bindings, const struct direct_target *target)
{
	for (size_t i = 0; i < bindings->identity_count; i++) {
		struct str id = bindings->identities[i].id, channel = target->channel;
		bool scoped = id.len == channel.len + 1 + target->peer.len &&
			      str_starts(id, channel) && id.s[channel.len] == ':' &&
			      memcmp(id.s + channel.len + 1, target->peer.s, target->peer.len) == 0;

		if (scoped || str_eq(id, target->peer))
			return bindings->identities[i].name;
	}
	return target->peer;
}

/* Section 6.5: the key for a scope that gives the chat a session of its own. */
static struct str
produce(const struct binding *binding, const struct direct_target *target, struct str account,
	struct str peer, struct arena *arena)
{
	struct buf rest = { 0 };
	struct str key;

	if (binding->scope != DM_PER_PEER) {
		buf_add(&rest, target->channel.s, target->channel.len);
		buf_adds(&rest, ":");
	}
	if (binding->scope == DM_PER_ACCOUNT_CHANNEL_PEER) {
		buf_add(&rest, account.s, account.len);
		buf_adds(&rest, ":");
	}
	buf_adds(&rest, "direct:");
	buf_add(&rest, peer.s, peer.len);
	key = session_key_build(arena, binding->agent, (struct str){ rest.data, rest.len });
	buf_clear(&rest);
	return key;
}

bool
bindings_preserve(const struct bindings *bindings, struct str key,
		  const struct direct_target *target, struct str main_key, struct arena *arena)
{
	const struct binding *binding;
	struct str account, produced;

	if (bindings->broken)
		return false;
	account = account_id_normalize(arena, target->account);
	binding = first_match(bindings, target, account);
	if (binding == NULL || binding->agent.s == NULL || binding->scope == DM_MAIN ||
	    binding->scope == DM_OTHER)
		return false;
	produced = produce(binding, target, account, linked_peer(bindings, target), arena);
	return !session_key_is(produced, binding->agent, main_key) &&
	       (str_eq(produced, text_fold(arena, key)) ||
		str_eq(produced, text_fold(arena, session_key_base(key))));
}
