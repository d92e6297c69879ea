/*
 * agents.c - the roster: agents.entries, an object by id, or else agents.list, an array of objects with an id.
 */
#include "queue/policy/agents.h"

#include "schema/session_key.h"

static bool
in_roster(const struct sevq_agents *agents, struct sevq_str id)
{
	for (size_t i = 0; i < agents->count; i++)
		if (sevq_str_eq(agents->roster[i], id))
			return true;
	return false;
}

/*
 * Reads the roster, and who owns what names nobody when ownership is not explicit: NULL if that is not one agent. Without
 * any roster it is main; a roster that is there but empty names nobody.
 */
static struct sevq_str
read_roster(const cJSON *from, struct sevq_arena *arena, struct sevq_agents *ret)
{
	struct sevq_str marked = SEVQ_STR_NULL;
	int marks = 0;
	const cJSON *agent;

	ret->roster = sevq_arena_alloc(arena, (size_t)cJSON_GetArraySize(from) * sizeof *ret->roster);
	cJSON_ArrayForEach(agent, from)
	{
		struct sevq_str id =
		    cJSON_IsObject(from) ? sevq_str(agent->string) : sevq_value_text(sevq_value_member(agent, "id"));

		if (cJSON_IsArray(from) && !cJSON_IsObject(agent))
			continue;
		id = sevq_arena_dup(arena, sevq_agent_id(arena, id));
		ret->roster[ret->count++] = id;
		if (cJSON_IsTrue(sevq_value_member(agent, "default"))) {
			marked = id;
			marks++;
		}
	}
	if (marks == 1)
		return marked;
	if (from == NULL)
		return SEVQ_STR("main");
	return ret->count == 1 ? ret->roster[0] : SEVQ_STR_NULL;
}

/* agents.defaults.systemAgent.agentId; NULL when blank or absent. */
static struct sevq_str
system_agent(const cJSON *agents, struct sevq_arena *arena)
{
	const cJSON *system = sevq_value_member(sevq_value_member(agents, "defaults"), "systemAgent");
	struct sevq_str id = sevq_trim(sevq_value_text(sevq_value_member(system, "agentId")));

	return id.len > 0 ? sevq_arena_dup(arena, sevq_agent_id(arena, id)) : SEVQ_STR_NULL;
}

void
sevq_agents_compile(const cJSON *agents, struct sevq_arena *arena, struct sevq_agents *ret)
{
	const cJSON *entries = sevq_value_member(agents, "entries"), *list = sevq_value_member(agents, "list");
	bool explicit = sevq_value_is(sevq_value_member(agents, "ownership"), "explicit");
	struct sevq_str system = system_agent(agents, arena), implied;

	*ret = (struct sevq_agents){ 0 };
	implied = read_roster(cJSON_IsObject(entries) ? entries : cJSON_IsArray(list) ? list : NULL, arena, ret);
	if (explicit) {
		ret->owner = system;
		ret->default_agent = in_roster(ret, system) ? system : SEVQ_STR_NULL;
	} else {
		ret->owner = system.s != NULL ? system : implied;
		ret->default_agent = implied;
	}
}

struct sevq_str
sevq_agents_resolve(const struct sevq_agents *agents, struct sevq_str agent_id, struct sevq_arena *arena)
{
	struct sevq_str id = sevq_trim(agent_id);

	if (id.len == 0)
		return agents->default_agent;
	id = sevq_arena_dup(arena, sevq_agent_id(arena, id));
	if (agents->count == 0 || sevq_str_eq(id, SEVQ_STR("main")) || in_roster(agents, id))
		return id;
	return SEVQ_STR_NULL;
}
