/*
 * paths.h - where an OpenClaw install has its config.
 *
 * Here: the variables OPENCLAW_CONFIG_PATH, OPENCLAW_STATE_DIR and OPENCLAW_HOME, "~", the names
 * that older versions used, and paths as text: absolute, without "." and "..".
 * Not here: reading what the paths name (files).
 * Results live in the arena.
 */
#ifndef SERVER_CONFIG_PATHS_H
#define SERVER_CONFIG_PATHS_H

#include <stdbool.h>

#include "schema/error.h"
#include "schema/mem.h"

/*
 * The path made absolute against dir, without ".", ".." and repeated slashes. Looks at no file, so
 * a ".." behind a symbolic link removes the link's name.
 */
const char *config_path_resolve(struct arena *arena, const char *dir, const char *path);

const char *config_path_dir(struct arena *arena, const char *path); /* of an absolute one */

/* Is the path dir itself, or below it? Both absolute and normalised. */
bool config_path_inside(const char *dir, const char *path);

/* A path as a person gives it: trimmed, with a leading "~" for the home; against the working dir.
 */
const char *config_path_expand(struct arena *arena, const char *text);

/*
 * The config: the named path, else $OPENCLAW_CONFIG_PATH, else openclaw.json in the state
 * directory. *ret is NULL where nothing is named and there is none. ERROR_CONFIG where a file may
 * be there but cannot be looked at.
 */
int config_path_find(struct arena *arena, const char *named, const char **ret, struct error *err);

/* The .env files that OpenClaw reads with that config, strongest first; the second may be NULL. */
void config_path_dotenv(struct arena *arena, const char *named, const char *ret[2]);

#endif
