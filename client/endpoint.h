/*
 * endpoint.h - finding the server: its address and the token for it.
 *
 * Here: the search order that sevq_connect promises (sevq.h), and the checks of the files that are
 * part of it.
 * Not here: HTTP.
 */
#ifndef SEVQ_CLIENT_ENDPOINT_H
#define SEVQ_CLIENT_ENDPOINT_H

#include "client/url.h"

#define SEVQ_DEFAULT_URL "http://127.0.0.1:7387"

struct sevq_endpoint {
	struct sevq_url url;
	char *token;                /* NULL: none was found; the server may ask for none */
	char *ca_file;              /* NULL: the system's certificates are trusted */
	char *cert_file, *key_file; /* shown to the server; NULL: none, and in the same file */
};

/*
 * Finds the address and the token. Failures: SEVQ_CONFIGURATION (an address or token cannot be
 * used, or a file must not be trusted), SEVQ_NO_MEMORY; *ret is then all zero.
 */
enum sevq_code sevq_endpoint_find(const struct sevq_connect_options *options,
				  struct sevq_endpoint *ret, struct sevq_error *error);

/*
 * Finds the token file to be changed: the named one, that of SEVQ_TOKEN_FILE, of the running
 * server, or the one that sevqd makes where it is told nothing. *ret is the caller's to free.
 * *ret_pid: the running server that reads this file; 0: none of this user's does.
 */
enum sevq_code sevq_token_file_find(const char *named, char **ret, int *ret_pid,
				    struct sevq_error *error);
void sevq_endpoint_clear(struct sevq_endpoint *endpoint);

#endif
