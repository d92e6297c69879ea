/*
 * policy.c - compiles an OpenClaw config to a policy: JSON5 to JSON, JSON to cJSON, then each part
 * by its own file.
 */
#include "queue/policy/policy.h"

#include <stdlib.h>

#include "queue/policy/private.h"
#include "schema/json.h"
#include "schema/session_key.h"

/* The main key as the rest of a queue key. One that no key can have stays as it is. */
static struct str
normal_rest(struct arena *arena, struct str main_key)
{
	struct str key = session_key_build(arena, STR("main"), main_key);
	struct session_key parsed;

	return session_key_parse(arena, key, &parsed) == KEY_AGENT ? parsed.rest : main_key;
}

static int
compile(const cJSON *config, const struct given_owners *owners, struct policy *policy,
	struct error *err)
{
	const cJSON *session = value_member(config, "session"),
		    *agents = value_member(config, "agents");
	struct arena *arena = &policy->arena;
	struct str main_key = text_fold(arena, value_text(value_member(session, "mainKey")));

	policy->main_key = main_key.len > 0 ? arena_dup(arena, main_key) : STR("main");
	policy->main_rest = normal_rest(arena, policy->main_key);
	policy->global = value_is(value_member(session, "scope"), "global");
	policy->dm_scope = dm_scope_parse(value_member(session, "dmScope"));
	agents_compile(agents, arena, &policy->agents);
	allowlists_compile(value_member(config, "channels"), owners, arena, &policy->allowlists);
	bindings_compile(value_member(config, "bindings"), session, &policy->agents, arena,
			 &policy->bindings);
	summary_compile(config, &policy->agents, &policy->allowlists, arena, &policy->summary);
	policy->summary.main_key = policy->main_key;
	return hook_gates_compile(value_member(config, "hooks"), &policy->agents, arena,
				  &policy->hook_gates, err);
}

/* Parses the text, which must be an object or blank; *ret is NULL if it is blank. */
static int
read_config(const char *text, size_t len, cJSON **ret, struct error *err)
{
	struct error failure;
	struct buf json = { 0 };
	cJSON *config;

	*ret = NULL;
	if (text_is_utf8(text, len) && text_trim((struct str){ text, len }).len == 0)
		return 0;
	if (json_relax(text, len, &json, &failure) < 0) {
		buf_clear(&json);
		error_set(err, ERROR_CONFIG, "%s", failure.detail);
		if (err != NULL) {
			err->line = failure.line;
			err->column = failure.column;
		}
		return -1;
	}
	config = cJSON_ParseWithLength(json.data, json.len);
	buf_clear(&json);
	if (config == NULL)
		return error_set(err, ERROR_CONFIG, "a number has too many characters");
	if (!cJSON_IsObject(config)) {
		cJSON_Delete(config);
		return error_set(
		    err, ERROR_CONFIG,
		    "a policy is an object, with members such as session and channels");
	}
	*ret = config;
	return 0;
}

int
policy_parse(const char *text, size_t len, const struct given_owners *owners, struct policy **ret,
	     struct error *err)
{
	static const struct given_owners none;
	struct policy *policy;
	cJSON *config;
	int failed;

	if (read_config(text, len, &config, err) < 0)
		return -1;
	policy = mem_alloc(sizeof(*policy));
	failed = compile(config, owners != NULL ? owners : &none, policy, err);
	cJSON_Delete(config);
	if (failed)
		policy_free(policy);
	else
		*ret = policy;
	return failed;
}

void
policy_free(struct policy *policy)
{
	if (policy == NULL)
		return;
	arena_clear(&policy->arena);
	free(policy);
}

struct str
policy_timezone(const struct policy *policy)
{
	return policy->summary.timezone;
}

const struct policy_summary *
policy_summary(const struct policy *policy)
{
	return &policy->summary;
}

const struct hook_gates *
policy_hook_gates(const struct policy *policy)
{
	return &policy->hook_gates;
}
