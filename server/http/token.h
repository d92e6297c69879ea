/*
 * token.h - one line of the token file.
 *
 * Here: "TOKEN|sha256:HEX [SCOPE,...] [name=N] [agent=A,B] [expires=DATE]" to a struct token. HEX
 * is the token's SHA-256, so that the file need not hold the token itself. DATE is 2027-01-31, its
 * beginning in UTC, or 2027-01-31T12:00:00Z: from then on the token is refused.
 * Not here: the file, and which token a call presents (auth.h).
 */
#ifndef SERVER_HTTP_TOKEN_H
#define SERVER_HTTP_TOKEN_H

#include <stdint.h>

#include "queue/caller.h"
#include "schema/error.h"
#include "schema/mem.h"

#define TOKEN_NEW_BYTES 32 /* of chance, in a token that is made here */
#define TOKEN_BYTES_MIN 16
#define TOKEN_BYTES_MAX 256
#define TOKEN_DIGEST_BYTES 32
#define TOKEN_NAME_BYTES_MAX 64
#define TOKEN_AGENTS_MAX 64

#define SCOPES 4 /* how many there are */

enum scope {
	SCOPE_NONE = 0, /* of a route: needs no token */
	SCOPE_PRODUCE = 1,
	SCOPE_CONSUME = 2,
	SCOPE_READ = 4,
	SCOPE_ADMIN = 8,
	SCOPE_ALL = 15,
	SCOPE_ANY = 15, /* of a route: needs a token of any scope */
};

/* When something ends: at the earlier of two times, each INT64_MAX where that clock ends nothing.
 */
struct expiry {
	int64_t wall_ms; /* since 1970; whoever sets the clock moves the end */
	int64_t boot_ms; /* since the machine started; nobody moves it */
};
#define EXPIRY_NEVER ((struct expiry){ INT64_MAX, INT64_MAX })

int64_t expiry_in_ms(struct expiry expiry); /* from now; INT64_MAX: never */
/* For every request: asks for no time where nothing ends. */
static inline bool
expiry_is_over(struct expiry expiry)
{
	return (expiry.wall_ms & expiry.boot_ms) != INT64_MAX && expiry_in_ms(expiry) <= 0;
}
struct expiry expiry_first(struct expiry a, struct expiry b);

struct token {
	unsigned char digest[TOKEN_DIGEST_BYTES];
	unsigned scopes;
	bool plain; /* it stands there with its scopes at most */
	struct expiry expiry;
	struct caller caller; /* in the arena of token_read */
};

bool token_digest(struct str text, unsigned char ret[TOKEN_DIGEST_BYTES]);
/* Takes as long whether they are equal or not. */
bool token_digest_eq(const unsigned char a[TOKEN_DIGEST_BYTES],
		     const unsigned char b[TOKEN_DIGEST_BYTES]);

/* Writes so many random bytes as hexadecimal digits, and a NUL. ERROR_CONFIG: there are none. */
int token_generate(size_t bytes, char *ret, struct error *err);

/* Adds the scopes of a list, "read,admin", to a set. ERROR_CONFIG: one is unknown. */
int scopes_read(struct str list, unsigned *set, struct error *err);

/* The names of the scopes in a set, in the order of enum scope. */
void scopes_names(unsigned set, const char *ret[SCOPES], size_t *ret_count);

/* Reads a line, which is not empty. ERROR_CONFIG; the detail never quotes the token. */
int token_read(struct arena *arena, struct str line, struct token *ret, struct error *err);

#endif
