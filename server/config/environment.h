/*
 * environment.h - the variables that a config may name.
 *
 * Here: the process's environment, with what .env files and the config's own env block add to it.
 * Nothing is written into the process's environment.
 * Not here: which files (paths), what an env block is and what ${VAR} means (variables).
 */
#ifndef SERVER_CONFIG_ENVIRONMENT_H
#define SERVER_CONFIG_ENVIRONMENT_H

#include "server/config/files.h"

#define CONFIG_VARIABLES_MAX 4096 /* beside the process's; further ones are as if not set */

struct config_variable {
	struct str name, value;
};

/* All zero has the process's environment alone. Texts are borrowed. */
struct config_environment {
	struct config_variable *items;
	size_t count, cap;
	size_t given_bytes; /* of values that a config was given */
};

/* NULL where the variable is not set. */
struct str config_environment_get(const struct config_environment *environment, struct str name);

/* Sets a variable, over the process's. */
void config_environment_set(struct config_environment *environment, struct str name,
			    struct str value);

/*
 * Reads a .env file where there is one, and takes the variables that are not set yet. A file that
 * cannot be read adds nothing, as with OpenClaw.
 */
void config_environment_read(struct config_environment *environment, struct config_files *files,
			     const char *path);

void config_environment_clear(struct config_environment *environment);

#endif
