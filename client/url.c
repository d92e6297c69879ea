/*
 * Checks base URLs with libcurl's own parser, so that libcurl connects to what was checked.
 */
#include "client/url.h"

#include <arpa/inet.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>
#include <sys/un.h>

#include <curl/curl.h>

/* Whether the URL has this part. An empty one counts: "http://host?" has a query. */
static bool
has_part(CURLU *parts, CURLUPart part)
{
	char *value = NULL;
	CURLUcode rc = curl_url_get(parts, part, &value, 0);

	curl_free(value);
	return rc == CURLUE_OK;
}

static bool
is_loopback(CURLU *parts)
{
	char *host = NULL;
	struct in_addr v4;
	bool yes;

	if (curl_url_get(parts, CURLUPART_HOST, &host, 0) != CURLUE_OK)
		return false;
	yes = strcasecmp(host, "localhost") == 0 || strcmp(host, "[::1]") == 0 ||
	      (inet_pton(AF_INET, host, &v4) == 1 && ntohl(v4.s_addr) >> 24 == 127);
	curl_free(host);
	return yes;
}

static char *
without_final_slashes(const char *text)
{
	size_t len = strlen(text);

	while (len > 0 && text[len - 1] == '/')
		len--;
	return strndup(text, len);
}

static enum sevq_code
read_unix(const char *text, struct sevq_url *url, struct sevq_error *error)
{
	const char *path = text + strlen("unix:");

	if (path[0] != '/')
		return sevq_error_set(error, SEVQ_CONFIGURATION,
				      "%s: the path of a unix socket must start with a slash",
				      text);
	if (strlen(path) >= sizeof(((struct sockaddr_un *)NULL)->sun_path))
		return sevq_error_set(error, SEVQ_CONFIGURATION,
				      "%s: the path is too long for a unix socket", text);
	url->local = true;
	url->text = strdup(text);
	url->unix_path = strdup(path);
	url->base = strdup("http://localhost");
	if (url->text == NULL || url->unix_path == NULL || url->base == NULL)
		return sevq_error_set(error, SEVQ_NO_MEMORY, "out of memory");
	return SEVQ_OK;
}

static enum sevq_code
check_parts(CURLU *parts, const char *text, struct sevq_error *error)
{
	if (strncasecmp(text, "http://", 7) != 0 && strncasecmp(text, "https://", 8) != 0)
		return sevq_error_set(
		    error, SEVQ_CONFIGURATION,
		    "%s: a server's address must start with http://, https:// or unix:", text);
	switch (curl_url_set(parts, CURLUPART_URL, text, 0)) {
	case CURLUE_OK:
		break;
	case CURLUE_OUT_OF_MEMORY:
		return sevq_error_set(error, SEVQ_NO_MEMORY, "out of memory");
	default:
		return sevq_error_set(error, SEVQ_CONFIGURATION, "%s: not a valid URL", text);
	}
	if (has_part(parts, CURLUPART_USER) || has_part(parts, CURLUPART_PASSWORD))
		return sevq_error_set(
		    error, SEVQ_CONFIGURATION,
		    "a server's address must not contain a user or password; use a token");
	if (has_part(parts, CURLUPART_QUERY) || has_part(parts, CURLUPART_FRAGMENT))
		return sevq_error_set(error, SEVQ_CONFIGURATION,
				      "%s: a server's address must not contain a query or fragment",
				      text);
	return SEVQ_OK;
}

static enum sevq_code
read_tcp(const char *text, struct sevq_url *url, struct sevq_error *error)
{
	CURLU *parts = curl_url();
	enum sevq_code code;

	if (parts == NULL)
		return sevq_error_set(error, SEVQ_NO_MEMORY, "out of memory");
	code = check_parts(parts, text, error);
	if (code == SEVQ_OK) {
		url->local = is_loopback(parts);
		url->text = without_final_slashes(text);
		url->base = without_final_slashes(text);
		if (url->text == NULL || url->base == NULL)
			code = sevq_error_set(error, SEVQ_NO_MEMORY, "out of memory");
	}
	curl_url_cleanup(parts);
	return code;
}

enum sevq_code
sevq_url_read(const char *text, struct sevq_url *ret, struct sevq_error *error)
{
	enum sevq_code code;

	memset(ret, 0, sizeof(*ret));
	code = strncmp(text, "unix:", 5) == 0 ? read_unix(text, ret, error)
					      : read_tcp(text, ret, error);
	if (code != SEVQ_OK)
		sevq_url_clear(ret);
	return code;
}

void
sevq_url_clear(struct sevq_url *url)
{
	free(url->text);
	free(url->base);
	free(url->unix_path);
	memset(url, 0, sizeof(*url));
}

static bool
is_unreserved(unsigned char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
	       c == '-' || c == '.' || c == '_' || c == '~';
}

void
sevq_url_escape(struct sevq_buffer *out, const char *s)
{
	for (; *s != '\0'; s++) {
		if (is_unreserved((unsigned char)*s))
			sevq_buffer_add(out, s, 1);
		else
			sevq_buffer_addf(out, "%%%02X", (unsigned)(unsigned char)*s);
	}
}

void
sevq_url_query(struct sevq_buffer *target, const char *name, const char *value)
{
	if (value == NULL)
		return;
	sevq_buffer_adds(target, strchr(sevq_buffer_text(target), '?') == NULL ? "?" : "&");
	sevq_buffer_adds(target, name);
	sevq_buffer_adds(target, "=");
	sevq_url_escape(target, value);
}

void
sevq_url_query_number(struct sevq_buffer *target, const char *name, int64_t value)
{
	char digits[24];

	if (value == 0)
		return;
	snprintf(digits, sizeof(digits), "%" PRId64, value);
	sevq_url_query(target, name, digits);
}
