/*
 * format.h - numbers as SQLite's files have them (sqlite.org/fileformat2.html).
 *
 * Here: reading them from bytes. Not here: where they stand in a database (open.c, salvage.c) or in
 * a WAL (wal_scan.c).
 */
#ifndef QUEUE_SQLITE_FORMAT_H
#define QUEUE_SQLITE_FORMAT_H

#include <stdint.h>

#define APPLICATION_ID 0x73657671 /* "sevq" */

/* The big-endian number in the four bytes at p. */
static inline uint32_t
format_be32(const unsigned char *p)
{
	return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

#endif
