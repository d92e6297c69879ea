/*
 * policy_file.h - the routing policy, read from an OpenClaw config as OpenClaw reads it, or not at
 * all.
 *
 * Here: finding the config (--policy, else where OpenClaw has it), its $include and ${VAR}, and
 * what was read. May be called again and again.
 * Not here: what the policy means (queue/policy).
 */
#ifndef SERVER_POLICY_FILE_H
#define SERVER_POLICY_FILE_H

#include "queue/policy/policy.h"
#include "server/options.h"

/* The files that a policy was read from. All zero: none. */
struct policy_source {
	const char *config; /* one of the files */
	char **files;       /* absolute paths, in the order they were read, .env files among them */
	size_t count;
	/* SHA-256 over the bytes of all files, one behind the other in that order */
	char hash[TEXT_SHA256_BYTES];
	struct error warning; /* of an env block that was left out; ERROR_NONE: there is none */
};

void policy_source_clear(struct policy_source *source);

/* Whether both name the same files with the same bytes, in the same order. */
bool policy_source_same(const struct policy_source *a, const struct policy_source *b);

/*
 * Reads and compiles the policy; without any config it is the empty one, and the source is empty.
 * ERROR_CONFIG with the file in the detail, line and column where known. source may be NULL; both
 * are only written on success, and a source is to be cleared.
 */
int policy_file_load(const struct options *options, struct policy **ret,
		     struct policy_source *source, struct error *err);

/*
 * Compiles a config that was read already and includes nothing, with the owners of the options.
 * ERROR_CONFIG with line and column.
 */
int policy_file_parse(const struct options *options, struct str text, struct policy **ret,
		      struct error *err);

#endif
