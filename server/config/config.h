/*
 * config.h - an OpenClaw config, read from its files as OpenClaw reads it.
 *
 * Here: one reading, in OpenClaw's order: .env files, the config with what it includes, its env
 * block, the variables.
 * Not here: which config (paths), what it means (queue/policy).
 */
#ifndef SERVER_CONFIG_CONFIG_H
#define SERVER_CONFIG_CONFIG_H

#include "server/config/files.h"

/* All zero is empty. */
struct config {
	struct config_files files; /* all that was read */
	struct buf json;           /* strict JSON, of the parts that sevq needs */
	struct error warning;      /* why the env block was left out; else ERROR_NONE */
};

/*
 * Reads the config at an absolute path into an empty struct, to be cleared in either case. dotenv:
 * .env files, strongest first; NULL is none. ERROR_CONFIG with the file in the detail, line and
 * column where known.
 */
int config_read(struct config *ret, const char *path, const char *const dotenv[2],
		struct error *err);
void config_clear(struct config *config);

#endif
