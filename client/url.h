/*
 * url.h - URLs: the base URL of a server, and the path and query behind it.
 *
 * Here: checking a base URL, percent-escaping, query strings.
 * Not here: I/O, which URL to use (endpoint.h), which paths exist (events.c and the other calls).
 */
#ifndef SEVQ_CLIENT_URL_H
#define SEVQ_CLIENT_URL_H

#include <stdint.h>

#include "client/buffer.h"
#include "client/error.h"

/* A base URL that has been checked. All zero: none. */
struct sevq_url {
	char *text; /* for messages: as it was given, without slashes at the end */
	/* for requests: "http://127.0.0.1:7387"; with a unix socket "http://localhost" */
	char *base;
	char *unix_path; /* NULL: TCP */
	bool local;      /* a loopback address or a unix socket: this machine */
};

/*
 * Reads "http://host[:port][/prefix]", "https://..." or "unix:/path". A user, password, query or
 * fragment is refused. Failures: SEVQ_CONFIGURATION, SEVQ_NO_MEMORY; *ret is then all zero.
 */
enum sevq_code sevq_url_read(const char *text, struct sevq_url *ret, struct sevq_error *error);
void sevq_url_clear(struct sevq_url *url);

/* Appends s and percent-escapes everything but the unreserved characters of RFC 3986. */
void sevq_url_escape(struct sevq_buffer *out, const char *s);

/*
 * Append name=value to a target, behind '?' for the first parameter and '&' for the others. A NULL
 * value and a zero number append nothing.
 */
void sevq_url_query(struct sevq_buffer *target, const char *name, const char *value);
void sevq_url_query_number(struct sevq_buffer *target, const char *name, int64_t value);

#endif
