/*
 * environment.c - a table over the process's environment, filled from .env files and an env block.
 *
 * The table is searched from its end, so a later value hides an earlier one. It is as long as the
 * files that fill it say; a config names few variables, so it is not sorted.
 */
#include "server/config/environment.h"

#include <stdlib.h>

#include <unistd.h>

#include "server/config/dotenv.h"

static struct str
find(const struct config_environment *environment, struct str name)
{
	for (size_t i = environment->count; i > 0; i--)
		if (str_eq(environment->items[i - 1].name, name))
			return environment->items[i - 1].value;
	return STR_NULL;
}

static struct str
process_variable(struct str name)
{
	for (char **e = environ; *e != NULL; e++)
		if (strncmp(*e, name.s, name.len) == 0 && (*e)[name.len] == '=')
			return str_of(*e + name.len + 1);
	return STR_NULL;
}

struct str
config_environment_get(const struct config_environment *environment, struct str name)
{
	struct str value = find(environment, name);

	return value.s != NULL ? value : process_variable(name);
}

void
config_environment_set(struct config_environment *environment, struct str name, struct str value)
{
	if (environment->count == CONFIG_VARIABLES_MAX)
		return;
	environment->items = mem_grow(environment->items, &environment->cap, environment->count + 1,
				      sizeof(*environment->items));
	environment->items[environment->count++] = (struct config_variable){ name, value };
}

void
config_environment_read(struct config_environment *environment, struct config_files *files,
			const char *path)
{
	const size_t before = environment->count; /* what other files gave stays as it is */
	struct config_file *file;
	struct dotenv dotenv;
	struct str name, value;

	if (config_files_read(files, path, CONFIG_DOTENV, &file, NULL) != 0 ||
	    (file->text.len > 0 && memchr(file->text.data, '\0', file->text.len) != NULL))
		return; /* what has a NUL is no text */
	dotenv = (struct dotenv){ .at = file->text.data, .end = file->text.data + file->text.len };
	while (dotenv_next(&dotenv, &files->arena, &name, &value)) {
		struct config_environment others = { environment->items, before, 0, 0 };

		if (config_environment_get(&others, name).s == NULL)
			config_environment_set(environment, name, value);
	}
}

void
config_environment_clear(struct config_environment *environment)
{
	free(environment->items);
	*environment = (struct config_environment){ 0 };
}
