/*
 * auth.h - who may call: bearer tokens and what each is good for.
 *
 * Here: the token file (one token a line, with optional scopes, # comments), and the check of a presented token.
 * A token file is a regular file, ours, with no right for anybody else, and no symbolic link; else it is refused.
 * Tokens are kept and compared as SHA-256 digests, all of them, in constant time, and never logged.
 * Not here: headers (admission), answers (problem).
 */
#ifndef SEVQ_SERVER_HTTP_AUTH_H
#define SEVQ_SERVER_HTTP_AUTH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "schema/error.h"
#include "schema/text.h"

#define SEVQ_TOKEN_BYTES_MIN 16
#define SEVQ_TOKEN_BYTES_MAX 256

enum sevq_scope {
	SEVQ_SCOPE_NONE = 0, /* of a route: needs no token */
	SEVQ_SCOPE_PRODUCE = 1,
	SEVQ_SCOPE_CONSUME = 2,
	SEVQ_SCOPE_READ = 4,
	SEVQ_SCOPE_ADMIN = 8,
	SEVQ_SCOPE_ALL = 15,
};

struct sevq_auth;

/* Reads the file. SEVQ_CONFIG with the line where it has one; the detail never quotes a token. */
int sevq_auth_load(const char *path, struct sevq_auth **ret, struct sevq_error *err);
void sevq_auth_free(struct sevq_auth *auth);

/* Makes the file with one new token for everything. *ret_made says whether there was none before. */
int sevq_auth_create(const char *path, bool *ret_made, struct sevq_error *err);

/* The token a connection presented last, so that the next request with the same one costs a comparison. All zero: none. */
struct sevq_auth_memo {
	uint64_t generation;
	unsigned scopes;
	size_t len;
	char token[SEVQ_TOKEN_BYTES_MAX];
};

/* The scopes of a presented token; none for a wrong one. A reload makes every memo forget. */
unsigned sevq_auth_recall(const struct sevq_auth *auth, struct sevq_auth_memo *memo, struct sevq_str token);

#endif
