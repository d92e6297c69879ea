/*
 * auth.h - who may call: bearer tokens and what each is good for.
 *
 * Here: the token file (one token a line, with optional scopes, # comments), and the check of a
 * presented token. A token file is a regular file, ours, with no right for anybody else, and no
 * symbolic link; else it is refused. Tokens are kept and compared as SHA-256 digests, all of them,
 * in constant time, and never logged.
 * Not here: headers (admission), answers (problem).
 */
#ifndef SERVER_HTTP_AUTH_H
#define SERVER_HTTP_AUTH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "schema/error.h"
#include "schema/text.h"

#define TOKEN_BYTES_MIN 16
#define TOKEN_BYTES_MAX 256

enum scope {
	SCOPE_NONE = 0, /* of a route: needs no token */
	SCOPE_PRODUCE = 1,
	SCOPE_CONSUME = 2,
	SCOPE_READ = 4,
	SCOPE_ADMIN = 8,
	SCOPE_ALL = 15,
};

struct auth;

/* Reads the file. ERROR_CONFIG with the line where it has one; the detail never quotes a token. */
int auth_load(const char *path, struct auth **ret, struct error *err);
void auth_free(struct auth *auth);

/*
 * Makes the file with one new token for everything. *ret_made says whether there was none before.
 */
int auth_create(const char *path, bool *ret_made, struct error *err);

#define TOKEN_NAME_BYTES 32

/*
 * The token a connection presented last, so that the next request with the same one costs a
 * comparison. All zero: none.
 */
struct auth_memo {
	uint64_t generation;
	unsigned scopes;
	/* the token's name: half of its SHA-256 in hexadecimal, which tells nothing of the token */
	char name[TOKEN_NAME_BYTES];
	size_t len;
	char token[TOKEN_BYTES_MAX];
};

/*
 * The scopes of a presented token; none for a wrong one. If there are some, the memo is the
 * token's. A reload makes every memo forget.
 */
unsigned auth_recall(const struct auth *auth, struct auth_memo *memo, struct str token);

#endif
