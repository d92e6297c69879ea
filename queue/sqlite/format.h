/*
 * format.h - SQLite's files as bytes (sqlite.org/fileformat2.html).
 *
 * Here: reading numbers, and the header of a database. Not here: what its fields must be (open.c,
 * salvage.c); the WAL (wal_scan.c).
 */
#ifndef QUEUE_SQLITE_FORMAT_H
#define QUEUE_SQLITE_FORMAT_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#define APPLICATION_ID 0x73657671 /* "sevq" */

#define FORMAT_HEADER_BYTES 100   /* of a database */
#define FORMAT_JOURNAL_MODE_AT 18 /* two bytes of it: 2 is WAL, 1 is not */

/* The big-endian number in the four bytes at p. */
static inline uint32_t
format_be32(const unsigned char *p)
{
	return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

/* Whether the header is that of a database of sevq's, of whatever version. */
static inline bool
format_is_ours(const unsigned char header[FORMAT_HEADER_BYTES])
{
	return memcmp(header, "SQLite format 3", 16) == 0 &&
	       format_be32(header + 68) == APPLICATION_ID;
}

#endif
