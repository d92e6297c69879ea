/*
 * embedded.h - a file that is part of the program.
 *
 * Here: what the tables that embed.py makes at build time are made of.
 * Not here: the tables; each stands in the one file that serves from it.
 */
#ifndef SERVER_CALLS_EMBEDDED_H
#define SERVER_CALLS_EMBEDDED_H

#include <stddef.h>

struct embedded_file {
	const char *name; /* without its folder */
	const char *type; /* Content-Type */
	const char *etag; /* of its bytes, in quotes */
	const unsigned char *bytes;
	size_t len;
};

#endif
