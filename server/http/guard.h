/*
 * guard.h - refuses what a web page could make a browser on this machine send.
 *
 * Loopback is no trust boundary: a page may resolve its own name to 127.0.0.1 (DNS rebinding) or
 * post to us from another site. So Host must be one of our names, and a request that changes
 * something must not come from another site. Here: those two rules. Not here: tokens (auth).
 */
#ifndef SERVER_HTTP_GUARD_H
#define SERVER_HTTP_GUARD_H

#include "schema/text.h"
#include "server/http/endpoint.h"

/* Names beside our own, HOST or HOST:PORT. Borrowed. */
struct guard {
	const char *const *names;
	size_t count;
};

/* The headers that say where a request goes and comes from. NULL: absent. */
struct origin {
	struct str host, origin, sec_fetch_site;
};

/*
 * endpoint: the one the request came in on. Its port and address count as ours, beside localhost,
 * 127.0.0.1, [::1] and the names of guard; Host may leave the port out. Failures:
 * ERROR_MISDIRECTED, ERROR_FORBIDDEN (changes only).
 */
int guard_check(const struct guard *guard, const struct endpoint *endpoint,
		const struct origin *from, bool changes, struct error *err);

/* Whether HOST or HOST:PORT names this server, as Host must. */
bool guard_knows(const struct guard *guard, const struct endpoint *endpoint, struct str host);

#endif
