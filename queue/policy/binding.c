/*
 * binding.c - which binding a direct chat falls to, and the key that it would make.
 */
#include "queue/policy/binding.h"

/* What a binding matches on, the strongest first: the first binding of the first tier that has one decides. */
enum tier {
	TIER_PEER,     /* this very peer */
	TIER_ANY_PEER, /* any direct peer */
	TIER_ACCOUNT,
	TIER_CHANNEL,
	TIER_COUNT
};

struct sevq_binding {
	struct sevq_str channel; /* folded */
	struct sevq_str account; /* normalised; NULL: any */
	struct sevq_str peer;    /* as written, trimmed; only for TIER_PEER */
	enum tier tier;
	struct sevq_str agent; /* NULL: the resolver throws */
	enum sevq_dm_scope scope;
};

/* One id of an identity link. */
struct sevq_identity {
	struct sevq_str id;   /* folded: "peer" or "channel:peer" */
	struct sevq_str name; /* folded: what stands for the peer */
};

enum sevq_dm_scope
sevq_dm_scope(const cJSON *value)
{
	static const char *const names[] = {
		[SEVQ_DM_MAIN] = "main",
		[SEVQ_DM_PER_PEER] = "per-peer",
		[SEVQ_DM_PER_CHANNEL_PEER] = "per-channel-peer",
		[SEVQ_DM_PER_ACCOUNT_CHANNEL_PEER] = "per-account-channel-peer",
	};

	if (sevq_value_nullish(value))
		return SEVQ_DM_MAIN;
	for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
		if (sevq_value_is(value, names[i]))
			return (enum sevq_dm_scope)i;
	return SEVQ_DM_OTHER;
}

/* ---- compiling ---- */

/* Section 6.1: the tier that a match's peer puts it in; TIER_COUNT when no direct peer can match it. */
static enum tier
peer_tier(const cJSON *match, struct sevq_str account, struct sevq_arena *arena, struct sevq_str *peer)
{
	const cJSON *wanted = sevq_value_member(match, "peer");
	struct sevq_str kind, id;

	if (sevq_value_falsy(wanted))
		return account.s != NULL ? TIER_ACCOUNT : TIER_CHANNEL;
	kind = sevq_fold(arena, sevq_value_text(sevq_value_member(wanted, "kind")));
	id = sevq_value_id(arena, sevq_value_member(wanted, "id"));
	if (id.len == 0 || !(sevq_str_eq(kind, SEVQ_STR("direct")) || sevq_str_eq(kind, SEVQ_STR("dm"))))
		return TIER_COUNT;
	*peer = id;
	return sevq_str_eq(id, SEVQ_STR("*")) ? TIER_ANY_PEER : TIER_PEER;
}

/* A guild, a team or roles: never true of a direct chat. */
static bool
names_a_group(const cJSON *match, struct sevq_arena *arena)
{
	const cJSON *roles = sevq_value_member(match, "roles");

	return sevq_value_id(arena, sevq_value_member(match, "guildId")).len > 0 ||
	       sevq_value_id(arena, sevq_value_member(match, "teamId")).len > 0 ||
	       (cJSON_IsArray(roles) && cJSON_GetArraySize(roles) > 0);
}

/* Section 6.2: NULL for any account. */
static struct sevq_str
account_pattern(const cJSON *account, struct sevq_arena *arena)
{
	struct sevq_str text = sevq_trim(sevq_value_text(account));

	if (sevq_str_eq(text, SEVQ_STR("*")))
		return SEVQ_STR_NULL;
	return sevq_arena_dup(arena, sevq_account_id(arena, text));
}

/* False when the binding can match no direct chat. *broken is set when the resolver throws on it. */
static bool
compile_binding(const cJSON *binding, const cJSON *session, const struct sevq_agents *agents, struct sevq_arena *arena,
		struct sevq_binding *ret, bool *broken)
{
	const cJSON *match = sevq_value_member(binding, "match"), *account = sevq_value_member(match, "accountId");
	const cJSON *scope = sevq_value_member(sevq_value_member(binding, "session"), "dmScope");
	struct sevq_str channel = sevq_fold(arena, sevq_value_text(sevq_value_member(match, "channel")));

	*ret = (struct sevq_binding){ 0 };
	if (cJSON_IsNull(binding)) {
		*broken = true;
		return false;
	}
	if (sevq_value_is(sevq_value_member(binding, "type"), "acp") || channel.len == 0)
		return false;
	if (!sevq_value_nullish(account) && !cJSON_IsString(account)) {
		*broken = true;
		return false;
	}
	ret->channel = sevq_arena_dup(arena, channel);
	ret->account = account_pattern(account, arena);
	ret->tier = peer_tier(match, ret->account, arena, &ret->peer);
	ret->agent = sevq_agents_resolve(agents, sevq_value_text(sevq_value_member(binding, "agentId")), arena);
	ret->scope = sevq_dm_scope(sevq_value_nullish(scope) ? sevq_value_member(session, "dmScope") : scope);
	return ret->tier < TIER_COUNT && !names_a_group(match, arena);
}

static void
compile_identities(const cJSON *links, struct sevq_arena *arena, struct sevq_bindings *ret)
{
	const cJSON *link, *id;
	size_t ids = 0;

	if (!cJSON_IsObject(links))
		return;
	cJSON_ArrayForEach(link, links) ids += cJSON_IsArray(link) ? (size_t)cJSON_GetArraySize(link) : 0;
	ret->identities = sevq_arena_alloc(arena, ids * sizeof *ret->identities);
	cJSON_ArrayForEach(link, links)
	{
		struct sevq_str name = sevq_arena_dup(arena, sevq_fold(arena, sevq_str(link->string)));

		if (!cJSON_IsArray(link) || name.len == 0)
			continue;
		cJSON_ArrayForEach(id, link) ret->identities[ret->identity_count++] =
		    (struct sevq_identity){ sevq_arena_dup(arena, sevq_fold(arena, sevq_value_text(id))), name };
	}
}

void
sevq_bindings_compile(const cJSON *bindings, const cJSON *session, const struct sevq_agents *agents, struct sevq_arena *arena,
		      struct sevq_bindings *ret)
{
	const cJSON *binding;

	*ret = (struct sevq_bindings){ 0 };
	compile_identities(sevq_value_member(session, "identityLinks"), arena, ret);
	if (!cJSON_IsArray(bindings))
		return;
	ret->items = sevq_arena_alloc(arena, (size_t)cJSON_GetArraySize(bindings) * sizeof *ret->items);
	cJSON_ArrayForEach(binding, bindings) if (compile_binding(binding, session, agents, arena, &ret->items[ret->count],
								  &ret->broken)) ret->count++;
}

/* ---- asking ---- */

static const struct sevq_binding *
first_match(const struct sevq_bindings *bindings, const struct sevq_direct_target *target, struct sevq_str account)
{
	const struct sevq_binding *best = NULL;

	for (size_t i = 0; i < bindings->count; i++) {
		const struct sevq_binding *b = &bindings->items[i];

		if (sevq_str_eq(b->channel, target->channel) && (b->account.s == NULL || sevq_str_eq(b->account, account)) &&
		    (b->tier != TIER_PEER || sevq_str_eq(b->peer, target->peer)) && (best == NULL || b->tier < best->tier))
			best = b;
	}
	return best;
}

/* The name that stands for the peer: that of the first link which has it, with or without its channel. */
static struct sevq_str
linked_peer(const struct sevq_bindings *bindings, const struct sevq_direct_target *target)
{
	for (size_t i = 0; i < bindings->identity_count; i++) {
		struct sevq_str id = bindings->identities[i].id, channel = target->channel;
		bool scoped = id.len == channel.len + 1 + target->peer.len && sevq_str_starts(id, channel) &&
			      id.s[channel.len] == ':' && memcmp(id.s + channel.len + 1, target->peer.s, target->peer.len) == 0;

		if (scoped || sevq_str_eq(id, target->peer))
			return bindings->identities[i].name;
	}
	return target->peer;
}

/* Section 6.5, for the scopes that give a session of its own. */
static struct sevq_str
produce(const struct sevq_binding *binding, const struct sevq_direct_target *target, struct sevq_str account, struct sevq_str peer,
	struct sevq_arena *arena)
{
	struct sevq_buf rest = { 0 };
	struct sevq_str key;

	if (binding->scope != SEVQ_DM_PER_PEER) {
		sevq_buf_add(&rest, target->channel.s, target->channel.len);
		sevq_buf_adds(&rest, ":");
	}
	if (binding->scope == SEVQ_DM_PER_ACCOUNT_CHANNEL_PEER) {
		sevq_buf_add(&rest, account.s, account.len);
		sevq_buf_adds(&rest, ":");
	}
	sevq_buf_adds(&rest, "direct:");
	sevq_buf_add(&rest, peer.s, peer.len);
	key = sevq_session_key_build(arena, binding->agent, (struct sevq_str){ rest.data, rest.len });
	sevq_buf_clear(&rest);
	return key;
}

bool
sevq_bindings_preserve(const struct sevq_bindings *bindings, struct sevq_str key, const struct sevq_direct_target *target,
		       struct sevq_str main_key, struct sevq_arena *arena)
{
	const struct sevq_binding *binding;
	struct sevq_str account, produced;

	if (bindings->broken)
		return false;
	account = sevq_account_id(arena, target->account);
	binding = first_match(bindings, target, account);
	if (binding == NULL || binding->agent.s == NULL || binding->scope == SEVQ_DM_MAIN || binding->scope == SEVQ_DM_OTHER)
		return false;
	produced = produce(binding, target, account, linked_peer(bindings, target), arena);
	return !sevq_session_key_is(produced, binding->agent, main_key) &&
	       (sevq_str_eq(produced, sevq_fold(arena, key)) ||
		sevq_str_eq(produced, sevq_fold(arena, sevq_session_key_base(key))));
}
