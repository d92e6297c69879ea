/*
 * endpoint.h - where to listen: 127.0.0.1:7387, [::1]:7387, unix:PATH.
 *
 * Here: reading and writing such an address, and whether only this machine can reach it.
 * Not here: sockets (listener).
 */
#ifndef SEVQ_SERVER_HTTP_ENDPOINT_H
#define SEVQ_SERVER_HTTP_ENDPOINT_H

#include <netinet/in.h>
#include <stdbool.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "schema/error.h"

#define SEVQ_ENDPOINT_TEXT_BYTES 128

struct sevq_endpoint {
	union {
		struct sockaddr any;
		struct sockaddr_in in4;
		struct sockaddr_in6 in6;
		struct sockaddr_un un;
	};
	socklen_t len;
};

/* Numeric addresses only: a name would be looked up at the worst moment. Failure: SEVQ_CONFIG. */
int sevq_endpoint_parse(const char *text, struct sevq_endpoint *ret, struct sevq_error *err);

void sevq_endpoint_format(const struct sevq_endpoint *endpoint, char text[SEVQ_ENDPOINT_TEXT_BYTES]);
bool sevq_endpoint_is_unix(const struct sevq_endpoint *endpoint);
bool sevq_endpoint_is_local(const struct sevq_endpoint *endpoint); /* loopback or a unix socket */
bool sevq_endpoint_is_any(const struct sevq_endpoint *endpoint);   /* 0.0.0.0 or [::] */
int sevq_endpoint_port(const struct sevq_endpoint *endpoint);      /* 0 for a unix socket */

#endif
