/*
 * open.h - from a path to a database that is ours, whole, of our version, and nobody else's.
 */
#ifndef QUEUE_SQLITE_OPEN_H
#define QUEUE_SQLITE_OPEN_H

#include <limits.h>

#include "queue/sqlite/database.h"

/*
 * Opens or creates the database at store->path with store->options: afterwards lock_fd, db and all
 * statements are there. Fails as sqlite_open does; what is open by then the caller closes.
 */
int open_database(struct sqlite_store *store, struct error *err);

/* The suffix of a backup that is about to take the place of the database (restore.c). */
#define OPEN_RESTORING ".restoring"

/* Parts of it, for salvage.c and restore.c. */

/* Takes the lock that a server holds: lock_fd. ERROR_STORAGE_LOCKED, ERROR_STORAGE_FAILED. */
int open_lock(struct sqlite_store *store, struct error *err);

/* Creates a database without rows at store->path, complete or not at all. store->db is NULL. */
int open_create(struct sqlite_store *store, struct error *err);

/* The version of the database that is open as store->db. ERROR_STORAGE_NEWER. */
int open_version(struct sqlite_store *store, int *ret, struct error *err);

#define OPEN_NEWEST INT_MAX

/* The version of databases that are opened: others are migrated, or refused. */
int open_newest_version(void);

/* Brings it to the version that is wanted, if it is an older one. */
int open_migrate(struct sqlite_store *store, int wanted, struct error *err);

#endif
