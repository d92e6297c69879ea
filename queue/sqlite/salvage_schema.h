/*
 * salvage_schema.h - the schema of a damaged database, put right.
 *
 * SQLite reads no row of a database of which one CREATE statement is damaged. But these are the
 * same in every database of a version.
 */
#ifndef QUEUE_SQLITE_SALVAGE_SCHEMA_H
#define QUEUE_SQLITE_SALVAGE_SCHEMA_H

#include "queue/sqlite/database.h"

/*
 * Writes every statement anew that is not what the database's version has; *ret: how many were
 * not. What else is damaged stays. ERROR_STORAGE_NEWER; ERROR_STORAGE_CORRUPT,
 * ERROR_STORAGE_FAILED: the version cannot be read.
 */
int salvage_schema(struct sqlite_store *store, int *ret, struct error *err);

#endif
