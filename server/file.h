/*
 * file.h - small files, read and written whole.
 *
 * Here: reading a config-sized file, and replacing one so that readers see the old or the new,
 * never half.
 * Not here: what is in them; the database.
 */
#ifndef SERVER_FILE_H
#define SERVER_FILE_H

#include "schema/error.h"
#include "schema/mem.h"

/*
 * Appends what is in an open descriptor, which stays open; name is for the message. ERROR_CONFIG
 * when it fails or is over bytes_max; what was read before stays.
 */
int file_read_open(int fd, const char *name, size_t bytes_max, struct buf *ret, struct error *err);
int file_read(const char *path, size_t bytes_max, struct buf *ret, struct error *err);

/* Replaces path by the text, mode 0600. ERROR_CONFIG; the old file is then as it was. */
int file_replace(const char *path, struct str text, struct error *err);

/* DIR/NAME where DIR is the directory of path; to be freed by the caller. */
char *file_beside(const char *path, const char *name);

#endif
