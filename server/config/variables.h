/*
 * variables.h - ${VAR} in the strings of a config, and the config's own env block.
 *
 * Here: a string's ${NAME}, NAME of capitals, digits and "_", becomes the variable's value;
 * $${NAME} becomes ${NAME}; any other "$" stands for itself. Member names and numbers have no
 * variables. Not here: where variables come from otherwise (environment).
 */
#ifndef SERVER_CONFIG_VARIABLES_H
#define SERVER_CONFIG_VARIABLES_H

#include "server/config/environment.h"
#include "server/config/value.h"

/*
 * Takes the variables of an env block, its member vars and its own strings, where the environment
 * has none or a blank one. Of both, the block's own strings go before vars. A value that names
 * variables itself is passed over. NULL is no block.
 */
void config_variables_take(struct config_environment *environment,
			   const struct config_value *block);

/*
 * Replaces the variables in every string of the tree. ERROR_CONFIG, at the string's place, for one
 * that is not set or empty; the tree is then not to be used.
 */
int config_variables_replace(struct config_environment *environment, struct config_value *value,
			     struct arena *arena, struct error *err);

#endif
