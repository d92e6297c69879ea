/*
 * include.h - $include, resolved as OpenClaw resolves it.
 *
 * Here: an object's member $include names a file, or several in an array, whose content takes the
 * object's place; the object's other members are merged over it. A file is named relative to the
 * one that includes it, and has to be in the config's directory, or in one that
 * OPENCLAW_INCLUDE_ROOTS lists, also when symbolic links are followed. Ten levels; no file includes
 * itself.
 * Not here: variables, which are replaced afterwards.
 */
#ifndef SERVER_CONFIG_INCLUDE_H
#define SERVER_CONFIG_INCLUDE_H

#include "server/config/environment.h"
#include "server/config/value.h"

#define CONFIG_INCLUDE_DEPTH_MAX 10
#define CONFIG_INCLUDES_MAX 1000 /* a file counts as often as it is included */

/*
 * Reads the parts of the config at an absolute path that sevq needs: session, agents, channels,
 * bindings, hooks and env. Other parts are left out and nothing of them is resolved, but what a
 * top-level $include brings may be any part. *ret lives in the files' arena. ERROR_CONFIG with the
 * file, line and column of what cannot be resolved; only env is left out instead, and then
 * unresolved says why, else its code is ERROR_NONE.
 */
int config_include_read(struct config_files *files, const char *path,
			const struct config_environment *environment, struct config_value **ret,
			struct error *unresolved, struct error *err);

#endif
