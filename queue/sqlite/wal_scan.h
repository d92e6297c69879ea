/*
 * wal_scan.h - whether a WAL is damaged, before SQLite recovers it.
 *
 * SQLite takes the first frame that is not valid for the end of the WAL, and drops all behind it
 * without a word. That is right after a crash in a commit, and wrong when a bit has flipped in a
 * commit that was acknowledged. Here: telling the two apart, and applying what is whole.
 */
#ifndef QUEUE_SQLITE_WAL_SCAN_H
#define QUEUE_SQLITE_WAL_SCAN_H

#include <stdbool.h>
#include <stdint.h>

#include "schema/error.h"

/*
 * The server syncs each commit before it writes the next, so behind a torn commit there is no whole
 * one. This many whole commits behind a bad frame are damage.
 */
#define WAL_COMMITS_BEHIND_MAX 1

struct wal_scan {
	uint32_t frames;         /* valid, from the beginning */
	uint32_t commits;        /* of these */
	uint32_t commits_behind; /* whole ones behind the first frame that is not valid */
	uint32_t committed;      /* frames up to the last commit of this round, whole or not */
	uint32_t whole;  /* frames up to the end of the last whole commit, bad ones included */
	bool bad_header; /* then no frame is valid */
};

/*
 * Reads the WAL of the database at `path` once, without changing it; one that is missing or empty
 * has no frames. ERROR_STORAGE_FAILED: it cannot be read.
 */
int wal_scan(const char *path, struct wal_scan *ret, struct error *err);

/*
 * The same, and writes the page of every valid frame up to the last whole commit, in order, to the
 * copy of the database that is open as `into`. ERROR_STORAGE_FAILED also if that cannot be written.
 */
int wal_apply(const char *path, int into, struct wal_scan *ret, struct error *err);

/* wal_scan, and ERROR_STORAGE_CORRUPT if the WAL is damaged. */
int wal_check(const char *path, struct error *err);

#endif
