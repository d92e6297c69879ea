/*
 * hook_gates.c - `hooks`, compiled, and the two checks of a sender's address.
 */
#include "queue/policy/hook_gates.h"

#include "schema/session_key.h"

/* --- compiling --- */

static int
wrong(struct error *err, const char *member, const char *what)
{
	return error_set(err, ERROR_CONFIG, "hooks.%s must be %s", member, what);
}

static int
read_bool(const cJSON *hooks, const char *member, bool *ret, struct error *err)
{
	const cJSON *value = value_member(hooks, member);

	if (value != NULL && !cJSON_IsBool(value))
		return wrong(err, member, "true or false");
	*ret = cJSON_IsTrue(value);
	return 0;
}

/* The strings of an array, folded, without blank ones. */
static int
read_texts(const cJSON *hooks, const char *member, struct arena *arena, struct hook_texts *ret,
	   struct error *err)
{
	const cJSON *array = value_member(hooks, member), *element;
	struct str text;

	if (array == NULL)
		return 0;
	if (!cJSON_IsArray(array))
		return wrong(err, member, "an array of strings");
	ret->items = arena_alloc(arena, (size_t)cJSON_GetArraySize(array) * sizeof(*ret->items));
	cJSON_ArrayForEach(element, array)
	{
		if (!cJSON_IsString(element))
			return wrong(err, member, "an array of strings");
		text = text_fold(arena, value_text(element));
		if (text.len > 0)
			ret->items[ret->count++] = arena_dup(arena, text);
	}
	return 0;
}

/* Without a list, and with "*" in it, any agent is allowed; an empty list allows none. */
static int
read_allowed(const cJSON *hooks, struct arena *arena, struct hook_gates *gates, struct error *err)
{
	struct hook_texts *allowed = &gates->allowed;

	gates->any_agent = value_member(hooks, "allowedAgentIds") == NULL;
	if (read_texts(hooks, "allowedAgentIds", arena, allowed, err) != 0)
		return -1;
	for (size_t i = 0; i < allowed->count; i++) {
		gates->any_agent = gates->any_agent || str_eq(allowed->items[i], STR("*"));
		allowed->items[i] = agent_id_normalize(arena, allowed->items[i]);
	}
	return 0;
}

static int
read_body_bytes(const cJSON *hooks, size_t *ret, struct error *err)
{
	const cJSON *value = value_member(hooks, "maxBodyBytes");

	*ret = HOOK_BODY_BYTES_DEFAULT;
	if (value == NULL)
		return 0;
	if (!cJSON_IsNumber(value))
		return wrong(err, "maxBodyBytes", "a number");
	if (value->valuedouble >= 1)
		*ret = value->valuedouble < INT32_MAX ? (size_t)value->valuedouble : INT32_MAX;
	return 0;
}

static bool
has_prefix(const struct hook_gates *gates, struct str folded)
{
	for (size_t i = 0; i < gates->prefixes.count; i++)
		if (str_starts(folded, gates->prefixes.items[i]))
			return true;
	return gates->prefixes.count == 0;
}

/* The default key serves only OpenClaw's agent runs, but the prefixes must allow it. */
static int
check_default_key(const cJSON *hooks, struct arena *arena, const struct hook_gates *gates,
		  struct error *err)
{
	const cJSON *value = value_member(hooks, "defaultSessionKey");
	struct str key;

	if (value != NULL && !cJSON_IsString(value))
		return wrong(err, "defaultSessionKey", "a string");
	key = text_fold(arena, value_text(value));
	if (key.len > 0 && cJSON_IsTrue(value_member(hooks, "enabled")) && !has_prefix(gates, key))
		return wrong(err, "defaultSessionKey",
			     "a key with one of hooks.allowedSessionKeyPrefixes");
	return 0;
}

int
hook_gates_compile(const cJSON *hooks, const struct agents *agents, struct arena *arena,
		   struct hook_gates *ret, struct error *err)
{
	*ret = (struct hook_gates){ .agents = agents };
	if (hooks != NULL && !cJSON_IsObject(hooks))
		return error_set(err, ERROR_CONFIG, "hooks must be an object");
	if (read_bool(hooks, "allowRequestSessionKey", &ret->session_keys, err) != 0 ||
	    read_texts(hooks, "allowedSessionKeyPrefixes", arena, &ret->prefixes, err) != 0 ||
	    read_allowed(hooks, arena, ret, err) != 0 ||
	    read_body_bytes(hooks, &ret->body_bytes_max, err) != 0 ||
	    check_default_key(hooks, arena, ret, err) != 0)
		return -1;
	ret->session_keys = ret->session_keys || hooks == NULL;
	return 0;
}

/* --- checking --- */

static int
refuse_unknown(struct str agent, struct error *err)
{
	return error_set_field(err, "/agentId", "unknown agentId \"%.*s\"", (int)agent.len,
			       agent.s);
}

/* A named agent exists; a text that is no id of any agent does not mean "main" here. */
static int
admit_named(const struct hook_gates *gates, struct str named, struct arena *arena,
	    struct error *err)
{
	struct str id = agent_id_normalize_strict(arena, named);

	if (id.s == NULL || !agents_know(gates->agents, id))
		return refuse_unknown(text_trim(named), err);
	return 0;
}

static int
admit_key(const struct hook_gates *gates, struct str key, struct arena *arena, struct error *err)
{
	if (!gates->session_keys)
		return error_set_field(err, "/sessionKey",
				       "hooks.allowRequestSessionKey of the config does not let a "
				       "sender name a session");
	if (!has_prefix(gates, text_fold(arena, key)))
		return error_set_field(err, "/sessionKey",
				       "sessionKey has none of hooks.allowedSessionKeyPrefixes of "
				       "the config");
	return 0;
}

int
hook_gates_admit(const struct hook_gates *gates, struct address *address, struct arena *arena,
		 struct error *err)
{
	struct session_key parsed;

	if (address->agent_id.s != NULL && admit_named(gates, address->agent_id, arena, err) != 0)
		return -1;
	if (address->session_key.s == NULL)
		address->session_key = STR("main");
	else if (admit_key(gates, address->session_key, arena, err) != 0)
		return -1;
	if (address->agent_id.s != NULL ||
	    session_key_parse(arena, address->session_key, &parsed) != KEY_BARE)
		return 0;
	address->agent_id = gates->agents->webhook_agent;
	return address->agent_id.s != NULL
		   ? 0
		   : error_set_field(err, "/agentId", "agentId required: there are several agents");
}

int
hook_gates_admit_agent(const struct hook_gates *gates, struct str agent, struct error *err)
{
	if (!agents_know(gates->agents, agent))
		return refuse_unknown(agent, err);
	for (size_t i = 0; i < gates->allowed.count && !gates->any_agent; i++)
		if (str_eq(gates->allowed.items[i], agent))
			return 0;
	return gates->any_agent ? 0
				: error_set_field(err, "/agentId",
						  "hooks.allowedAgentIds of the config does not "
						  "allow agent \"%.*s\"",
						  (int)agent.len, agent.s);
}
