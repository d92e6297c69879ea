/*
 * guard.c - Host, Origin and Sec-Fetch-Site.
 */
#include "server/http/guard.h"

#include <limits.h>
#include <strings.h>

#include "schema/number.h"

#define DEFAULT_HTTP_PORT 80
#define DEFAULT_HTTPS_PORT 443
#define PORT_DIGITS_MAX 5

static bool
same(struct str a, struct str b)
{
	return a.len == b.len && strncasecmp(a.s, b.s, a.len) == 0;
}

/*
 * Splits NAME:PORT and [NAME]:PORT. Without a port *port is -1; a port that is none makes it fail.
 */
static bool
split(struct str authority, struct str *name, int *port)
{
	size_t len = authority.len, digits;
	int64_t number;

	while (len > 0 && authority.s[len - 1] >= '0' && authority.s[len - 1] <= '9')
		len--;
	digits = authority.len - len;
	*name = authority;
	*port = -1;
	if (len == 0 || authority.s[len - 1] != ':' ||
	    (authority.s[0] == '[' && len >= 2 && authority.s[len - 2] != ']'))
		return authority.len > 0;
	name->len = len - 1;
	if (digits > PORT_DIGITS_MAX || number_parse((struct str){ authority.s + len, digits }, 0,
						     INT_MAX, &number) != NUMBER_PARSED)
		return false;
	*port = (int)number;
	return name->len > 0;
}

static bool
name_is_ours(const struct endpoint *endpoint, struct str name)
{
	static const struct str names[] = { { "127.0.0.1", 9 },
					    { "localhost", 9 },
					    { "[::1]", 5 } };
	char text[ENDPOINT_TEXT_BYTES];
	struct str bound;
	int port;

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (same(name, names[i]))
			return true;
	if (endpoint_is_unix(endpoint) || endpoint_is_any(endpoint))
		return false;
	endpoint_format(endpoint, text);
	return split(str_of(text), &bound, &port) && same(name, bound);
}

/* missing_port: what no port means; -1 lets it mean any. */
static bool
authority_is_ours(const struct endpoint *endpoint, struct str authority, int missing_port)
{
	struct str name;
	int port;

	if (!split(authority, &name, &port) || !name_is_ours(endpoint, name))
		return false;
	if (port < 0)
		port = missing_port;
	return port < 0 || endpoint_is_unix(endpoint) || port == endpoint_port(endpoint);
}

/* --allow-host NAME means NAME with any port, NAME:PORT exactly that. */
static bool
allowed(const struct guard *guard, struct str authority)
{
	struct str name;
	int port;

	if (!split(authority, &name, &port))
		return false;
	for (size_t i = 0; i < guard->count; i++) {
		struct str host = str_of(guard->names[i]);

		if (same(host, authority) || same(host, name))
			return true;
	}
	return false;
}

/*
 * The scheme of the endpoint and a host of ours, or an allowed one, which by plain HTTP a proxy may
 * serve with either scheme. What speaks TLS has no page that came without.
 */
static bool
origin_is_ours(const struct guard *guard, const struct endpoint *endpoint, struct str origin)
{
	static const struct str schemes[] = { { "http://", 7 }, { "https://", 8 } };

	for (size_t i = 0; i < 2; i++) {
		struct str authority;

		if (origin.len < schemes[i].len ||
		    !same((struct str){ origin.s, schemes[i].len }, schemes[i]))
			continue;
		if (endpoint->tls && i == 0)
			return false;
		authority = (struct str){ origin.s + schemes[i].len, origin.len - schemes[i].len };
		return ((i == 1) == endpoint->tls &&
			authority_is_ours(endpoint, authority,
					  endpoint->tls ? DEFAULT_HTTPS_PORT
							: DEFAULT_HTTP_PORT)) ||
		       allowed(guard, authority);
	}
	return false;
}

bool
guard_knows(const struct guard *guard, const struct endpoint *endpoint, struct str host)
{
	return authority_is_ours(endpoint, host, -1) || allowed(guard, host);
}

int
guard_check(const struct guard *guard, const struct endpoint *endpoint, const struct origin *from,
	    bool changes, struct error *err)
{
	/* HTTP/1.0 may leave Host out; a browser never does. */
	if (from->host.s != NULL && !guard_knows(guard, endpoint, from->host))
		return error_set(err, ERROR_MISDIRECTED,
				 "Host is none of this server's names; --allow-host adds one");
	if (!changes)
		return 0;
	if (from->sec_fetch_site.s != NULL) {
		if (!same(from->sec_fetch_site, STR("same-origin")) &&
		    !same(from->sec_fetch_site, STR("none")))
			return error_set(err, ERROR_FORBIDDEN,
					 "a page of another site may not change anything here");
	} else if (from->origin.s != NULL && !origin_is_ours(guard, endpoint, from->origin))
		return error_set(err, ERROR_FORBIDDEN, "Origin is none of this server's names");
	return 0;
}
