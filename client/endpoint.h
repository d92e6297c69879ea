/*
 * endpoint.h - where the server is and which token it wants.
 *
 * Here: the search order (sevq.h, sevq_connect) and the checks on files that are trusted with it.
 * Not here: HTTP.
 */
#ifndef SEVQ_CLIENT_ENDPOINT_H
#define SEVQ_CLIENT_ENDPOINT_H

#include "client/url.h"

#define SEVQ_DEFAULT_URL "http://127.0.0.1:7387"

struct sevq_endpoint {
	struct sevq_url url;
	char *token; /* NULL: none was found; the server may not want one */
};

/*
 * Finds both. Failures: SEVQ_CONFIGURATION (an address or token that cannot be used, a file that
 * must not be trusted), SEVQ_NO_MEMORY; *ret is then all zero.
 */
enum sevq_code sevq_endpoint_find(const struct sevq_connect_options *options,
				  struct sevq_endpoint *ret, struct sevq_error *error);
void sevq_endpoint_clear(struct sevq_endpoint *endpoint);

#endif
