/*
 * salvage.h - what a damaged database still has, as a new one; and what is wrong with it.
 *
 * Here: both work on a copy beside the new file, and never change the database itself. Not here:
 * telling people (server/database_command.c).
 */
#ifndef QUEUE_SQLITE_SALVAGE_H
#define QUEUE_SQLITE_SALVAGE_H

#include "queue/sqlite/wal_scan.h"

#define SALVAGE_IDS_MAX 100 /* damaged events that are named */

struct salvage_report {
	struct wal_scan wal;
	uint64_t events, outcomes, other_rows; /* that can be read, and were copied */
	uint64_t damaged_events; /* rows of which something is left; the first of them are named */
	int64_t ids[SALVAGE_IDS_MAX];
	uint64_t damaged_rows; /* of the other tables */
	uint64_t gaps;         /* ranges of ids that no page has, with an unknown number of rows */
	char integrity[160];   /* what SQLite says: "ok", or its first complaint */
};

/* Whether everything was read, and nothing is wrong. */
bool salvage_is_whole(const struct salvage_report *report);

/*
 * Copies what can be read of the database at `from`, and of its WAL, to a new database at `to`.
 * Damaged frames of the WAL are left out, what stands behind them is not. An event whose last
 * outcome is lost is pending again.
 * ERROR_STORAGE_LOCKED: a server has it open. ERROR_STORAGE_FOREIGN: `to` exists, or `from` is no
 * database of ours. ERROR_STORAGE_NEWER, ERROR_STORAGE_FAILED; ERROR_STORAGE_CORRUPT: nothing can
 * be read. After a failure there is no file at `to`.
 */
int salvage_database(const char *from, const char *to, struct salvage_report *ret,
		     struct error *err);

/* The same without a new database. The copy is made beside `from`, and removed. */
int salvage_check(const char *from, struct salvage_report *ret, struct error *err);

#endif
