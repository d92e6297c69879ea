/*
 * url.h - addresses: the base URL of a server, and what is put behind it.
 *
 * Here: reading and checking a base URL, percent-escaping, query strings. No I/O.
 * Not here: which URL to use (endpoint.h), which paths exist (events.c and the other calls).
 */
#ifndef SEVQ_CLIENT_URL_H
#define SEVQ_CLIENT_URL_H

#include <stdint.h>

#include "client/buffer.h"
#include "client/error.h"

/* A checked base URL. All zero is none. */
struct sevq_url {
	char *text; /* for people: as it was given, less a slash at the end */
	/* for requests: "http://127.0.0.1:7387"; for a unix socket "http://localhost" */
	char *base;
	char *unix_path; /* NULL: TCP */
	bool local;      /* leads nowhere but to this machine: loopback or a unix socket */
};

/*
 * Reads "http://host[:port][/prefix]", "https://..." or "unix:/path". No user, password, query or
 * fragment. Failures: SEVQ_CONFIGURATION, SEVQ_NO_MEMORY; *ret is then all zero.
 */
enum sevq_code sevq_url_read(const char *text, struct sevq_url *ret, struct sevq_error *error);
void sevq_url_clear(struct sevq_url *url);

/* Appends s with everything but RFC 3986's unreserved characters percent-escaped. */
void sevq_url_escape(struct sevq_buffer *out, const char *s);

/*
 * Appends name=value to a target, behind '?' or '&' as its turn comes; a NULL value (a zero number)
 * appends nothing.
 */
void sevq_url_query(struct sevq_buffer *target, const char *name, const char *value);
void sevq_url_query_number(struct sevq_buffer *target, const char *name, int64_t value);

#endif
