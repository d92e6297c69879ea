/*
 * restore.h - going back to a backup.
 *
 * Here: putting a copy in the place of the database, which is kept under another name.
 * Not here: whether the copy is whole (salvage.h).
 */
#ifndef QUEUE_SQLITE_RESTORE_H
#define QUEUE_SQLITE_RESTORE_H

#include "schema/error.h"

/*
 * Replaces the database at `db` by a copy of the file `from`. *ret_aside is where the old one is
 * now, its WAL beside it; NULL: there was none. The caller frees it. ERROR_STORAGE_LOCKED: a server
 * has it open; ERROR_STORAGE_FOREIGN: `from` is what a restore names its own copy;
 * ERROR_STORAGE_FAILED. An interrupted restore is noticed by the next start of the
 * server, which refuses, and is completed by another restore.
 */
int restore_database(const char *db, const char *from, char **ret_aside, struct error *err);

/* Refuses with ERROR_STORAGE_FOREIGN a file that does not say that it is a database of ours. */
int restore_inspect(const char *from, struct error *err);

#endif
