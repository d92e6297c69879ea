/*
 * policy_file.h - where the routing policy comes from: --policy, else $OPENCLAW_CONFIG_PATH, else
 * ~/.openclaw/openclaw.json where it exists, else the empty policy.
 */
#ifndef SERVER_POLICY_FILE_H
#define SERVER_POLICY_FILE_H

#include "queue/policy/policy.h"
#include "server/options.h"

#define POLICY_BYTES_MAX (8 << 20)

/*
 * Reads and compiles the file at the path. ERROR_CONFIG with the path in the detail, line and
 * column where known.
 */
int policy_file_read(const char *path, struct policy **ret, struct error *err);

/* Finds it first. Failures as above. */
int policy_file_load(const struct options *options, struct policy **ret, struct error *err);

#endif
