/*
 * open.h - from a path to a database that is ours, whole, of our version, and nobody else's.
 */
#ifndef QUEUE_SQLITE_OPEN_H
#define QUEUE_SQLITE_OPEN_H

#include "queue/sqlite/database.h"

/*
 * Opens or creates the database at store->path with store->options: afterwards lock_fd, db and all
 * statements are there. Fails as sqlite_open does; what is open by then the caller closes.
 */
int open_database(struct sqlite_store *store, struct error *err);

#endif
