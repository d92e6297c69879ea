/*
 * grants.h - what tokens of the file have passed on to pages.
 *
 * Here: codes, each good once and for a minute, and the tokens that they were traded for, each for
 * twelve hours; in memory, in two tables of fixed size. A grant names the token that it comes from,
 * by its digest, and adds nothing to what that may do.
 * Not here: what that token may do (auth), who asks (server/calls/page_access.c), what time it is:
 * all times are of the one clock that the caller uses.
 */
#ifndef SERVER_HTTP_GRANTS_H
#define SERVER_HTTP_GRANTS_H

#include "server/http/token.h"

#define GRANT_CODES_MAX 64
#define GRANT_CODE_MS 60000
#define GRANT_TOKENS_MAX 64
#define GRANT_TOKEN_MS (12 * 3600000)

struct grant {
	unsigned char digest[TOKEN_DIGEST_BYTES]; /* of the code or the token */
	unsigned char from[TOKEN_DIGEST_BYTES];   /* of the token that it comes from */
	unsigned scopes;
	int64_t ends_ms; /* it is good until then; 0: a free place */
};

/* All zero is empty. */
struct grants {
	struct grant codes[GRANT_CODES_MAX], tokens[GRANT_TOKENS_MAX];
};

/*
 * Adds a code, whose end is set here. ERROR_QUEUE_FULL: all places hold codes that are still good;
 * in *ret_wait_ms one of them ends.
 */
int grants_add_code(struct grants *grants, const struct grant *code, int64_t now_ms,
		    int64_t *ret_wait_ms, struct error *err);

/* Takes a code that is good away: it works once. False: there is none. */
bool grants_take_code(struct grants *grants, const unsigned char digest[TOKEN_DIGEST_BYTES],
		      int64_t now_ms, struct grant *ret);

/*
 * Adds a token, whose end is set here. True: all places held tokens that are still good, and the
 * oldest of them has ended.
 */
bool grants_add_token(struct grants *grants, const struct grant *token, int64_t now_ms);

/* A token that is good; NULL: there is none. Every token is looked at. */
const struct grant *grants_find(const struct grants *grants,
				const unsigned char digest[TOKEN_DIGEST_BYTES], int64_t now_ms);

/* When the next token ends; INT64_MAX: none will. */
int64_t grants_next_end_ms(const struct grants *grants, int64_t now_ms);

size_t grants_count(const struct grant *all, size_t places, int64_t now_ms); /* that are good */

#endif
