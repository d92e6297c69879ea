/*
 * heartbeat.c - the heartbeats of a config, and the base of a heartbeat's key.
 */
#include "queue/policy/heartbeat.h"

#define SUFFIX STR(":heartbeat")

/* --- compiling --- */

/* Compiles one heartbeat object over the defaults. */
static struct heartbeat
compile_one(const cJSON *config, const struct heartbeat *defaults, struct arena *arena)
{
	const cJSON *isolated = value_member(config, "isolatedSession"),
		    *session = value_member(config, "session");
	struct heartbeat heartbeat = { .isolated = defaults->isolated,
				       .session = defaults->session };

	if (isolated != NULL)
		heartbeat.isolated = cJSON_IsTrue(isolated);
	if (session != NULL)
		heartbeat.session = arena_dup(arena, text_trim(value_text(session)));
	return heartbeat;
}

void
heartbeats_compile(const cJSON *agents, const cJSON *roster, struct arena *arena,
		   struct heartbeats *ret)
{
	const struct heartbeat none = { .session = STR_NULL };
	const cJSON *defaults = value_member(value_member(agents, "defaults"), "heartbeat"), *agent;

	*ret = (struct heartbeats){ .defaults = compile_one(defaults, &none, arena) };
	ret->own = arena_alloc(arena, (size_t)cJSON_GetArraySize(roster) * sizeof(*ret->own));
	cJSON_ArrayForEach(agent, roster)
	{
		struct str id = cJSON_IsObject(roster) ? str_of(agent->string)
						       : value_text(value_member(agent, "id"));
		struct heartbeat *own = &ret->own[ret->count];

		if (!cJSON_IsObject(agent))
			continue;
		*own = compile_one(value_member(agent, "heartbeat"), &ret->defaults, arena);
		own->agent_id = arena_dup(arena, agent_id_normalize(arena, id));
		ret->count++;
	}
}

/* --- keys --- */

/* The owner's heartbeat, or the defaults. Of several agents with the same id the first counts. */
static const struct heartbeat *
find(const struct heartbeats *heartbeats, struct str owner)
{
	for (size_t i = 0; i < heartbeats->count; i++)
		if (str_eq(heartbeats->own[i].agent_id, owner))
			return &heartbeats->own[i];
	return &heartbeats->defaults;
}

static bool
has_suffix(struct str text)
{
	return text.len > SUFFIX.len &&
	       str_eq((struct str){ text.s + text.len - SUFFIX.len, SUFFIX.len }, SUFFIX);
}

/* The key of the configured session if it ends in the suffix; otherwise empty. */
static struct str
configured_key(const struct heartbeat *heartbeat, struct str owner, struct arena *arena)
{
	struct session_key key;
	enum key_shape shape;

	if (heartbeat->session.len < SUFFIX.len)
		return STR("");
	shape = session_key_parse(arena, heartbeat->session, &key);
	if (shape == KEY_BARE)
		shape = session_key_parse(arena, session_key_build(arena, owner, key.key), &key);
	return shape == KEY_AGENT && has_suffix(key.key) ? key.key : STR("");
}

static struct str
without_suffix(struct str key)
{
	return text_trim((struct str){ key.s, key.len - SUFFIX.len });
}

struct str
heartbeat_base(struct str key, size_t suffixes)
{
	for (; suffixes > 0; suffixes--)
		key = without_suffix(key);
	return key;
}

/* Does the key end in the suffix, with something between its prefix and that? */
static bool
has_base(struct str key, size_t prefix_len)
{
	return has_suffix(key) && without_suffix(key).len > prefix_len;
}

enum heartbeat_key
heartbeats_look(const struct heartbeats *heartbeats, const struct session_key *key,
		struct str owner, struct str main_key, struct arena *arena, size_t *ret)
{
	const size_t prefix_len = key->key.len - key->rest.len;
	const struct heartbeat *heartbeat;
	struct str base = key->key, configured;
	size_t suffixes = 0;

	if (!has_base(base, prefix_len))
		return HEARTBEAT_NONE;
	heartbeat = find(heartbeats, owner);
	if (!heartbeat->isolated)
		return HEARTBEAT_SHARED;
	configured = configured_key(heartbeat, owner, arena);
	while (has_base(base, prefix_len) && !session_key_is(base, owner, main_key) &&
	       !str_eq(base, configured)) {
		base = without_suffix(base);
		suffixes++;
	}
	if (suffixes == 0)
		return HEARTBEAT_ITS_BASE;
	*ret = suffixes;
	return HEARTBEAT_ISOLATED;
}
