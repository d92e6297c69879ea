/*
 * config.c - one reading of a config, from its files to one text.
 */
#include "server/config/config.h"

#include "server/config/include.h"
#include "server/config/variables.h"

/* The env block is used up: its own variables are not replaced. */
static int
replace_variables(struct config_environment *environment, const struct config_value *value,
		  struct arena *arena, struct error *err)
{
	struct config_value *member;

	config_variables_take(environment, config_value_member(value, "env"));
	for (member = value->first; member != NULL; member = member->next)
		if (!str_eq(member->name, STR("env")) &&
		    config_variables_replace(environment, member, arena, err) != 0)
			return -1;
	return 0;
}

int
config_read(struct config *ret, const char *path, const char *const dotenv[2], struct error *err)
{
	struct config_environment environment = { 0 };
	struct config_value *value;
	int failed;

	for (size_t i = 0; i < 2; i++)
		if (dotenv[i] != NULL)
			config_environment_read(&environment, &ret->files, dotenv[i]);
	failed = config_include_read(&ret->files, path, &environment, &value, &ret->warning, err);
	if (!failed)
		failed = replace_variables(&environment, value, &ret->files.arena, err);
	if (!failed)
		failed = config_value_write(value, &ret->json, err);
	config_environment_clear(&environment);
	return failed;
}

void
config_clear(struct config *config)
{
	buf_clear(&config->json);
	config_files_clear(&config->files);
}
