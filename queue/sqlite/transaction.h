/*
 * transaction.h - one transaction: begin, run statements, end, and why it failed.
 *
 * Here: what every file of the driver does with a transaction, and what a failure means for the
 * store. Not here: which statements run in it.
 */
#ifndef QUEUE_SQLITE_TRANSACTION_H
#define QUEUE_SQLITE_TRANSACTION_H

#include "queue/sqlite/database.h"

/* Runs a statement that gives no rows. SQLITE_OK or why not. */
int transaction_run(sqlite3_stmt *statement);

/* Begins a write transaction. SQLITE_OK or why not; transaction_end takes either. */
int transaction_begin(struct sqlite_store *store);

/*
 * Ends the write transaction: commits it, or rolls it back when rc says that a statement failed.
 * 0: it is committed, its sync deferred if the caller asked for that (wal.h). -1:
 * ERROR_STORAGE_FULL or ERROR_STORAGE_FAILED, and nothing of it is on disk; or
 * ERROR_STORAGE_UNKNOWN, and the store is broken.
 */
int transaction_end(struct sqlite_store *store, int rc, struct error *err);

/*
 * Fails with what SQLite says about its last call: the code given, or ERROR_STORAGE_CORRUPT or
 * ERROR_STORAGE_FULL where SQLite knows better. what: "cannot read". Always -1.
 */
int transaction_fail(struct sqlite_store *store, struct error *err, enum error_code code,
		     const char *what);

/* A call cannot read: ERROR_STORAGE_FAILED, even if the database is damaged. Always -1. */
int transaction_fail_read(struct sqlite_store *store, struct error *err);

/* There is no room for events: ERROR_STORAGE_FULL, which names the limit. Always -1. */
int transaction_refuse_full(const struct sqlite_store *store, struct error *err);

/*
 * What is on disk is unknown: from here on nothing is acknowledged, and no process trusts the
 * WAL-index (DESIGN C8).
 */
void transaction_mark_broken(struct sqlite_store *store);

/* Around many reads, so that they take the locks once. Neither fails. */
void transaction_begin_read(struct sqlite_store *store);
void transaction_end_read(struct sqlite_store *store);

#endif
