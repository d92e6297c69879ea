/*
 * auth.h - who may call: bearer tokens and what each is good for.
 *
 * Here: the token file (one token a line, token.h, # comments), and the check of a presented token.
 * A token file is a regular file, ours, with no right for anybody else, and no symbolic link; else
 * it is refused, unless it is a credential that systemd has made for us. Tokens are kept and
 * compared as SHA-256 digests, all of them, in constant time, and never logged. Not here: headers
 * (admission), answers (problem).
 */
#ifndef SERVER_HTTP_AUTH_H
#define SERVER_HTTP_AUTH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "server/http/token.h"

struct auth;

/* Reads the file. ERROR_CONFIG with the line where it has one; the detail never quotes a token. */
int auth_load(const char *path, struct auth **ret, struct error *err);
void auth_free(struct auth *auth);

/*
 * Makes the file with one new token for everything. *ret_made says whether there was none before,
 * or an empty one.
 */
int auth_create(const char *path, bool *ret_made, struct error *err);

#define TOKEN_KEY_SCOPE_BYTES 32

/*
 * The token a connection presented last, so that the next request with the same one costs a
 * comparison. All zero: none.
 */
struct auth_memo {
	uint64_t generation;
	unsigned scopes;
	struct expiry expiry;
	struct caller caller; /* borrowed from the tokens of that generation */
	/*
	 * what idempotency keys of the caller share: half of a SHA-256 in hexadecimal, of the
	 * token's name and agents or else of itself; it tells nothing of the token
	 */
	char key_scope[TOKEN_KEY_SCOPE_BYTES];
	size_t len;
	char token[TOKEN_BYTES_MAX];
};

/*
 * The scopes of a presented token; none for a wrong one, and for one that has expired. If there are
 * some, the memo is the token's. A reload makes every memo forget.
 */
unsigned auth_recall(const struct auth *auth, struct auth_memo *memo, struct str token);

/* A code or a token that a token of the file has passed on (grants.h). */
struct auth_granted {
	char text[2 * TOKEN_NEW_BYTES + 1];
	unsigned scopes;
	int64_t expires_ms; /* since 1970 */
};

/*
 * Makes a code for some of the scopes of a token, which must stand in the file. ERROR_FORBIDDEN: it
 * was passed on itself. ERROR_QUEUE_FULL: there are too many codes; *ret_wait_ms says for how long.
 */
int auth_make_code(struct auth *auth, struct str token, unsigned scopes, struct auth_granted *ret,
		   int64_t *ret_wait_ms, struct error *err);

/*
 * Trades a code for a token, which may do what the code's token may, within the code's scopes.
 * ERROR_UNAUTHORIZED: the code is not good. *ret_one_ended: for want of room another such token has
 * ended, and memos have forgotten.
 */
int auth_trade_code(struct auth *auth, struct str code, struct auth_granted *ret,
		    bool *ret_one_ended, struct error *err);

/* After a reload: what old has passed on stays good where its token still stands in the file. */
void auth_inherit(struct auth *auth, const struct auth *old);

/* How many codes and tokens that were passed on are good now. */
void auth_count_granted(const struct auth *auth, uint64_t *ret_codes, uint64_t *ret_tokens);

/* When the next token expires, of the file and of those that were passed on. */
struct expiry auth_next_expiry(const struct auth *auth);

#endif
