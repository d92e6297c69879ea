/*
 * store.h - the default storage driver: one SQLite file in WAL mode (DESIGN section 4).
 *
 * Here: how to open it. Exactly one connection writes and checkpoints; a lock file beside the
 * database keeps a second server out.
 * Not here: what a caller does with an open store (queue/store.h).
 */
#ifndef QUEUE_SQLITE_STORE_H
#define QUEUE_SQLITE_STORE_H

#include "queue/store.h"

struct sqlite_options {
	/* created with mode 0600 if missing, its directories with 0700 */
	const char *path;
	/* events are refused, but not outcomes, when the file would grow beyond it; 0: no cap */
	uint64_t max_bytes;
	uint64_t min_free_bytes; /* enqueue answers ERROR_STORAGE_FULL below this much free disk */
	bool allow_network_fs;
	uint64_t keys_max, keys_per_owner_max; /* idempotency keys that are kept; at least 1 */
};

void sqlite_options_init(struct sqlite_options *options);

/*
 * Opens, creating or migrating as needed. Failures: ERROR_STORAGE_LOCKED, _FOREIGN, _NEWER (file
 * untouched), _CORRUPT, _FAILED (detail names the path and why).
 */
int sqlite_open(const struct sqlite_options *options, struct store **ret, struct error *err);

#endif
