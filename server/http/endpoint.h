/*
 * endpoint.h - where to listen: 127.0.0.1:7387, [::1]:7387, unix:PATH.
 *
 * Here: reading and writing such an address, and whether only this machine can reach it.
 * Not here: sockets (listener).
 */
#ifndef SERVER_HTTP_ENDPOINT_H
#define SERVER_HTTP_ENDPOINT_H

#include <netinet/in.h>
#include <stdbool.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "schema/error.h"

#define ENDPOINT_TEXT_BYTES 128

struct endpoint {
	union {
		struct sockaddr any;
		struct sockaddr_in in4;
		struct sockaddr_in6 in6;
		struct sockaddr_un un;
	};
	socklen_t len;
	bool tls; /* connections to it speak TLS; never of a unix socket */
};

/* Numeric addresses only: a name would be looked up at the worst moment. Failure: ERROR_CONFIG. */
int endpoint_parse(const char *text, struct endpoint *ret, struct error *err);

void endpoint_format(const struct endpoint *endpoint, char text[ENDPOINT_TEXT_BYTES]);
bool endpoint_is_unix(const struct endpoint *endpoint);
bool endpoint_is_local(const struct endpoint *endpoint); /* loopback or a unix socket */
bool endpoint_is_any(const struct endpoint *endpoint);   /* 0.0.0.0 or [::] */
int endpoint_port(const struct endpoint *endpoint);      /* 0 for a unix socket */

#endif
