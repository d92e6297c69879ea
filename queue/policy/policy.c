/*
 * policy.c - an OpenClaw config becomes a policy: JSON5 to JSON, JSON to cJSON, and each part compiled by its own file.
 */
#include "queue/policy/policy.h"

#include <stdlib.h>

#include "queue/policy/private.h"
#include "schema/json.h"

static void
compile(const cJSON *config, struct sevq_policy *policy)
{
	const cJSON *session = sevq_value_member(config, "session"), *agents = sevq_value_member(config, "agents");
	const cJSON *timezone = sevq_value_member(sevq_value_member(agents, "defaults"), "userTimezone");
	struct sevq_arena *arena = &policy->arena;
	struct sevq_str main_key = sevq_fold(arena, sevq_value_text(sevq_value_member(session, "mainKey")));

	policy->main_key = main_key.len > 0 ? sevq_arena_dup(arena, main_key) : SEVQ_STR("main");
	policy->global = sevq_value_is(sevq_value_member(session, "scope"), "global");
	policy->dm_scope = sevq_dm_scope(sevq_value_member(session, "dmScope"));
	policy->timezone = sevq_arena_dup(arena, sevq_value_text(timezone));
	sevq_agents_compile(agents, arena, &policy->agents);
	sevq_allowlists_compile(sevq_value_member(config, "channels"), arena, &policy->allowlists);
	sevq_bindings_compile(sevq_value_member(config, "bindings"), session, &policy->agents, arena, &policy->bindings);
}

/* Reads the text as an object; *ret is NULL for a blank text. */
static int
read_config(const char *text, size_t len, cJSON **ret, struct sevq_error *err)
{
	struct sevq_error failure;
	struct sevq_buf json = { 0 };
	cJSON *config;

	*ret = NULL;
	if (sevq_utf8_valid(text, len) && sevq_trim((struct sevq_str){ text, len }).len == 0)
		return 0;
	if (sevq_json_relax(text, len, &json, &failure) < 0) {
		sevq_buf_clear(&json);
		sevq_fail(err, SEVQ_CONFIG, "%s", failure.detail);
		if (err != NULL) {
			err->line = failure.line;
			err->column = failure.column;
		}
		return -1;
	}
	config = cJSON_ParseWithLength(json.data, json.len);
	sevq_buf_clear(&json);
	if (config == NULL)
		return sevq_fail(err, SEVQ_CONFIG, "a number has too many characters");
	if (!cJSON_IsObject(config)) {
		cJSON_Delete(config);
		return sevq_fail(err, SEVQ_CONFIG, "a policy is an object, with members such as session and channels");
	}
	*ret = config;
	return 0;
}

int
sevq_policy_parse(const char *text, size_t len, struct sevq_policy **ret, struct sevq_error *err)
{
	struct sevq_policy *policy;
	cJSON *config;

	if (read_config(text, len, &config, err) < 0)
		return -1;
	policy = sevq_alloc(sizeof *policy);
	compile(config, policy);
	cJSON_Delete(config);
	*ret = policy;
	return 0;
}

void
sevq_policy_free(struct sevq_policy *policy)
{
	if (policy == NULL)
		return;
	sevq_arena_clear(&policy->arena);
	free(policy);
}

struct sevq_str
sevq_policy_timezone(const struct sevq_policy *policy)
{
	return policy->timezone;
}
