/*
 * path.h - the names of the files beside the database, and the directories above it.
 *
 * Here: names and directories alone. Not here: what is in the files (open.c, disk.c).
 */
#ifndef QUEUE_SQLITE_PATH_H
#define QUEUE_SQLITE_PATH_H

#include "schema/error.h"

/* path and suffix; the caller frees it */
char *path_with_suffix(const char *path, const char *suffix);

/* Makes the directories above the file, private to us, each durable. ERROR_STORAGE_FAILED. */
int path_make_directories(const char *path, struct error *err);

/*
 * Makes durable what was created or renamed in the directory that holds path: it survives a power
 * loss. ERROR_STORAGE_FAILED.
 */
int path_sync_directory(const char *path, struct error *err);

/* Renames a file, and never over another: -1 with errno EEXIST. */
int path_rename_new(const char *from, const char *to);

#endif
