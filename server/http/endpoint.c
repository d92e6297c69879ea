/*
 * endpoint.c - reading and writing the addresses we listen on.
 */
#include "server/http/endpoint.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "schema/number.h"

static int
parse_unix(const char *path, struct endpoint *ret, struct error *err)
{
	size_t len = strlen(path);

	if (len == 0 || len >= sizeof(ret->un.sun_path))
		return error_set(err, ERROR_CONFIG, "a unix socket's path has 1 to %zu bytes",
				 sizeof(ret->un.sun_path) - 1);
	ret->un.sun_family = AF_UNIX;
	memcpy(ret->un.sun_path, path, len + 1);
	ret->len = (socklen_t)sizeof(struct sockaddr_un);
	return 0;
}

static bool
parse_port(const char *text, uint16_t *ret)
{
	int64_t port;

	if (number_parse(str_of(text), 0, UINT16_MAX, &port) != NUMBER_PARSED)
		return false;
	*ret = (uint16_t)port;
	return true;
}

/* The host and the port of HOST:PORT or [HOST]:PORT. */
static bool
parse_ip(const char *text, struct endpoint *ret)
{
	const char *colon = strrchr(text, ':');
	bool six = text[0] == '[' && colon != NULL && colon[-1] == ']';
	char host[INET6_ADDRSTRLEN + 2];
	uint16_t port;
	size_t len;

	if (colon == NULL || !parse_port(colon + 1, &port))
		return false;
	text += six;
	len = (size_t)(colon - text) - six;
	if (len >= sizeof(host))
		return false;
	memcpy(host, text, len);
	host[len] = '\0';
	ret->any.sa_family = six ? AF_INET6 : AF_INET;
	if (six)
		ret->in6.sin6_port = htons(port);
	else
		ret->in4.sin_port = htons(port);
	ret->len = six ? sizeof(struct sockaddr_in6) : sizeof(struct sockaddr_in);
	return inet_pton(six ? AF_INET6 : AF_INET, host,
			 six ? (void *)&ret->in6.sin6_addr : (void *)&ret->in4.sin_addr) == 1;
}

int
endpoint_parse(const char *text, struct endpoint *ret, struct error *err)
{
	struct endpoint parsed = { .len = 0 };

	if (strncmp(text, "unix:", 5) == 0) {
		if (parse_unix(text + 5, &parsed, err) != 0)
			return -1;
	} else if (!parse_ip(text, &parsed))
		return error_set(err, ERROR_CONFIG,
				 "\"%s\" is not ADDRESS:PORT, [ADDRESS]:PORT or unix:PATH", text);
	*ret = parsed;
	return 0;
}

void
endpoint_format(const struct endpoint *endpoint, char text[ENDPOINT_TEXT_BYTES])
{
	char host[INET6_ADDRSTRLEN] = "";

	switch (endpoint->any.sa_family) {
	case AF_INET:
		inet_ntop(AF_INET, &endpoint->in4.sin_addr, host, sizeof(host));
		snprintf(text, ENDPOINT_TEXT_BYTES, "%s:%d", host, endpoint_port(endpoint));
		return;
	case AF_INET6:
		inet_ntop(AF_INET6, &endpoint->in6.sin6_addr, host, sizeof(host));
		snprintf(text, ENDPOINT_TEXT_BYTES, "[%s]:%d", host, endpoint_port(endpoint));
		return;
	default:
		snprintf(text, ENDPOINT_TEXT_BYTES, "unix:%s", endpoint->un.sun_path);
	}
}

bool
endpoint_is_unix(const struct endpoint *endpoint)
{
	return endpoint->any.sa_family == AF_UNIX;
}

bool
endpoint_is_local(const struct endpoint *endpoint)
{
	switch (endpoint->any.sa_family) {
	case AF_INET:
		return ntohl(endpoint->in4.sin_addr.s_addr) >> 24 == 127;
	case AF_INET6:
		return IN6_IS_ADDR_LOOPBACK(&endpoint->in6.sin6_addr);
	default:
		return true;
	}
}

bool
endpoint_is_any(const struct endpoint *endpoint)
{
	switch (endpoint->any.sa_family) {
	case AF_INET:
		return endpoint->in4.sin_addr.s_addr == htonl(INADDR_ANY);
	case AF_INET6:
		return IN6_IS_ADDR_UNSPECIFIED(&endpoint->in6.sin6_addr);
	default:
		return false;
	}
}

int
endpoint_port(const struct endpoint *endpoint)
{
	switch (endpoint->any.sa_family) {
	case AF_INET:
		return ntohs(endpoint->in4.sin_port);
	case AF_INET6:
		return ntohs(endpoint->in6.sin6_port);
	default:
		return 0;
	}
}
