/*
 * agents.c - the roster: agents.entries, an object by id, or if that is absent agents.list, an
 * array of objects with an id.
 */
#include "queue/policy/agents.h"

#include "schema/session_key.h"

static bool
in_roster(const struct agents *agents, struct str id)
{
	for (size_t i = 0; i < agents->count; i++)
		if (str_eq(agents->roster[i], id))
			return true;
	return false;
}

/*
 * Reads the roster and returns the agent that it implies as the owner of bare keys: the only one
 * with `default: true`, otherwise the sole entry, or main if there is no roster. NULL if none of
 * these holds, as for a roster that is empty.
 */
static struct str
read_roster(const cJSON *from, struct arena *arena, struct agents *ret)
{
	struct str marked = STR_NULL;
	int marks = 0;
	const cJSON *agent;

	ret->roster = arena_alloc(arena, (size_t)cJSON_GetArraySize(from) * sizeof(*ret->roster));
	cJSON_ArrayForEach(agent, from)
	{
		struct str id = cJSON_IsObject(from) ? str_of(agent->string)
						     : value_text(value_member(agent, "id"));

		if (cJSON_IsArray(from) && !cJSON_IsObject(agent))
			continue;
		id = arena_dup(arena, agent_id_normalize(arena, id));
		ret->roster[ret->count++] = id;
		if (cJSON_IsTrue(value_member(agent, "default"))) {
			marked = id;
			marks++;
		}
	}
	if (marks == 1)
		return marked;
	if (from == NULL)
		return STR("main");
	return ret->count == 1 ? ret->roster[0] : STR_NULL;
}

/* agents.defaults.systemAgent.agentId; NULL when blank or absent. */
static struct str
system_agent(const cJSON *agents, struct arena *arena)
{
	const cJSON *system = value_member(value_member(agents, "defaults"), "systemAgent");
	struct str id = text_trim(value_text(value_member(system, "agentId")));

	return id.len > 0 ? arena_dup(arena, agent_id_normalize(arena, id)) : STR_NULL;
}

void
agents_compile(const cJSON *agents, struct arena *arena, struct agents *ret)
{
	const cJSON *entries = value_member(agents, "entries"),
		    *list = value_member(agents, "list"), *roster;
	bool explicit = value_is(value_member(agents, "ownership"), "explicit");
	struct str system = system_agent(agents, arena), implied;

	*ret = (struct agents){ 0 };
	roster = cJSON_IsObject(entries) ? entries : cJSON_IsArray(list) ? list : NULL;
	implied = read_roster(roster, arena, ret);
	heartbeats_compile(agents, roster, arena, &ret->heartbeats);
	if (explicit) {
		ret->owner = system;
		ret->default_agent = in_roster(ret, system) ? system : STR_NULL;
	} else {
		ret->owner = system.s != NULL ? system : implied;
		ret->default_agent = implied;
	}
	ret->webhook_agent = ret->default_agent;
	if (roster == NULL)
		ret->webhook_agent = STR("main");
	else if (ret->webhook_agent.s == NULL && ret->count == 1)
		ret->webhook_agent = ret->roster[0];
}

bool
agents_know(const struct agents *agents, struct str id)
{
	return in_roster(agents, id) || str_eq(id, agents->webhook_agent);
}

struct str
agents_resolve(const struct agents *agents, struct str agent_id, struct arena *arena)
{
	struct str id = text_trim(agent_id);

	if (id.len == 0)
		return agents->default_agent;
	id = arena_dup(arena, agent_id_normalize(arena, id));
	if (agents->count == 0 || str_eq(id, STR("main")) || in_roster(agents, id))
		return id;
	return STR_NULL;
}
