/* files.h - a directory for the files of a test, and whole files. */
#ifndef TESTS_UNIT_FILES_H
#define TESTS_UNIT_FILES_H

#include "schema/mem.h"

/*
 * Makes a directory, in memory where possible: these tests need no durable sync. Writes its path to
 * `path`; -1: it cannot be made.
 */
int make_directory(char *path, size_t size, const char *name);

/* Removes the directory with all that is in it. -1: something stays. */
int remove_directory(const char *path);

struct buf read_file(const char *name); /* the caller clears it */
void write_file(const char *name, const char *bytes, size_t len);

#endif
