/*
 * file.h - small files, read and written whole.
 *
 * Here: reading a config-sized file, and replacing one so that readers see the old or the new, never half.
 * Not here: what is in them; the database.
 */
#ifndef SEVQ_SERVER_FILE_H
#define SEVQ_SERVER_FILE_H

#include "schema/error.h"
#include "schema/mem.h"

/*
 * Appends what is in an open descriptor, which stays open; name is for the message. SEVQ_CONFIG when it fails or is over
 * bytes_max; what was read before stays.
 */
int sevq_file_read_open(int fd, const char *name, size_t bytes_max, struct sevq_buf *ret, struct sevq_error *err);
int sevq_file_read(const char *path, size_t bytes_max, struct sevq_buf *ret, struct sevq_error *err);

/* Replaces path by the text, mode 0600. SEVQ_CONFIG; the old file is then as it was. */
int sevq_file_replace(const char *path, struct sevq_str text, struct sevq_error *err);

/* DIR/NAME where DIR is the directory of path; to be freed by the caller. */
char *sevq_file_beside(const char *path, const char *name);

#endif
