/*
 * grants.c - two short tables, which are walked.
 */
#include "server/http/grants.h"

#include <stddef.h>

/* The place whose grant ended, or ends, first: a free one before all others. */
static struct grant *
first_to_end(struct grant *all, size_t places)
{
	struct grant *first = &all[0];

	for (size_t i = 1; i < places; i++)
		if (all[i].ends_ms < first->ends_ms)
			first = &all[i];
	return first;
}

static size_t
find(const struct grant *all, size_t places, const unsigned char digest[TOKEN_DIGEST_BYTES],
     int64_t now_ms)
{
	size_t found = places;

	for (size_t i = 0; i < places; i++)
		if (token_digest_eq(all[i].digest, digest) && all[i].ends_ms > now_ms)
			found = i;
	return found;
}

int
grants_add_code(struct grants *grants, const struct grant *code, int64_t now_ms,
		int64_t *ret_wait_ms, struct error *err)
{
	struct grant *place = first_to_end(grants->codes, GRANT_CODES_MAX);

	if (place->ends_ms > now_ms) {
		*ret_wait_ms = place->ends_ms - now_ms;
		return error_set(err, ERROR_QUEUE_FULL,
				 "%d codes for the page have not been used yet", GRANT_CODES_MAX);
	}
	*place = *code;
	place->ends_ms = now_ms + GRANT_CODE_MS;
	return 0;
}

bool
grants_take_code(struct grants *grants, const unsigned char digest[TOKEN_DIGEST_BYTES],
		 int64_t now_ms, struct grant *ret)
{
	size_t at = find(grants->codes, GRANT_CODES_MAX, digest, now_ms);

	if (at == GRANT_CODES_MAX)
		return false;
	*ret = grants->codes[at];
	grants->codes[at] = (struct grant){ .ends_ms = 0 };
	return true;
}

bool
grants_add_token(struct grants *grants, const struct grant *token, int64_t now_ms)
{
	struct grant *place = first_to_end(grants->tokens, GRANT_TOKENS_MAX);
	bool one_ends = place->ends_ms > now_ms;

	*place = *token;
	place->ends_ms = now_ms + GRANT_TOKEN_MS;
	return one_ends;
}

const struct grant *
grants_find(const struct grants *grants, const unsigned char digest[TOKEN_DIGEST_BYTES],
	    int64_t now_ms)
{
	size_t at = find(grants->tokens, GRANT_TOKENS_MAX, digest, now_ms);

	return at < GRANT_TOKENS_MAX ? &grants->tokens[at] : NULL;
}

int64_t
grants_next_end_ms(const struct grants *grants, int64_t now_ms)
{
	int64_t next = INT64_MAX;

	for (size_t i = 0; i < GRANT_TOKENS_MAX; i++)
		if (grants->tokens[i].ends_ms > now_ms && grants->tokens[i].ends_ms < next)
			next = grants->tokens[i].ends_ms;
	return next;
}

size_t
grants_count(const struct grant *all, size_t places, int64_t now_ms)
{
	size_t count = 0;

	for (size_t i = 0; i < places; i++)
		count += all[i].ends_ms > now_ms;
	return count;
}
