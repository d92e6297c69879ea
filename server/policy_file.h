/*
 * policy_file.h - where the routing policy comes from: --policy, else $OPENCLAW_CONFIG_PATH, else ~/.openclaw/openclaw.json
 * where it exists, else the empty policy.
 */
#ifndef SEVQ_SERVER_POLICY_FILE_H
#define SEVQ_SERVER_POLICY_FILE_H

#include "queue/policy/policy.h"
#include "server/options.h"

#define SEVQ_POLICY_BYTES_MAX (8 << 20)

/* Reads and compiles the file at the path. SEVQ_CONFIG with the path in the detail, line and column where known. */
int sevq_policy_file_read(const char *path, struct sevq_policy **ret, struct sevq_error *err);

/* Finds it first. Failures as above. */
int sevq_policy_file_load(const struct sevq_options *options, struct sevq_policy **ret, struct sevq_error *err);

#endif
