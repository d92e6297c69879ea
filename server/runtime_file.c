/*
 * runtime_file.c - {"address":..,"listens":[..],"tokenFile":..,"pid":..,"startTime":..}
 */
#include "server/runtime_file.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <unistd.h>

#include "schema/number.h"
#include "server/calls/json.h"
#include "server/file.h"

#define NAME "sevqd.json"

/* The listener's URL, as a client on this machine can use it. */
static void
add_url(const struct endpoint *endpoint, struct buf *out)
{
	char text[ENDPOINT_TEXT_BYTES];
	struct buf url = { 0 };

	endpoint_format(endpoint, text);
	if (endpoint_is_unix(endpoint)) {
		char *absolute = realpath(endpoint->un.sun_path, NULL);

		buf_addf(&url, "unix:%s", absolute != NULL ? absolute : endpoint->un.sun_path);
		free(absolute);
	} else if (endpoint_is_any(endpoint))
		buf_addf(&url, "%s://%s:%d", endpoint->tls ? "https" : "http",
			 endpoint->any.sa_family == AF_INET6 ? "[::1]" : "127.0.0.1",
			 endpoint_port(endpoint));
	else
		buf_addf(&url, "%s://%s", endpoint->tls ? "https" : "http", text);
	json_quote(out, (struct str){ url.data, url.len });
	buf_clear(&url);
}

/*
 * The first listener that speaks TCP, else the first, a unix socket; and all of them. With TLS a
 * unix socket comes first: a client on this machine needs no certificate there.
 */
static void
add_addresses(const struct listeners *listeners, struct buf *out)
{
	const struct endpoint *first = &listeners->all[0].endpoint;

	for (size_t i = listeners->count; i-- > 0;)
		if (endpoint_is_unix(&listeners->all[i].endpoint) == listeners->tls)
			first = &listeners->all[i].endpoint;
	BUF_ADD_LITERAL(out, "{\"address\":");
	add_url(first, out);
	BUF_ADD_LITERAL(out, ",\"listens\":[");
	for (size_t i = 0; i < listeners->count; i++) {
		buf_adds(out, i > 0 ? "," : "");
		add_url(&listeners->all[i].endpoint, out);
	}
	BUF_ADD_LITERAL(out, "]");
}

/*
 * When this process was started, in clock ticks since the machine was: field 22 of /proc/self/stat.
 * With it a client knows this process from another that was given its pid later. 0: not known.
 */
static int64_t
start_time(void)
{
	int64_t ticks = 0;
	char text[1024];
	FILE *file = fopen("/proc/self/stat", "re");
	size_t len = file != NULL ? fread(text, 1, sizeof(text) - 1, file) : 0;
	const char *field;

	if (file != NULL)
		fclose(file);
	text[len] = '\0';
	field = strrchr(text, ')'); /* the second field is a name, and may hold any character */
	for (int i = 2; field != NULL && i < 22; i++)
		field = strchr(field + 1, ' ');
	if (field != NULL)
		number_parse((struct str){ field + 1, strcspn(field + 1, " ") }, 0, INT64_MAX,
			     &ticks);
	return ticks;
}

int
runtime_file_write(const char *db, const struct listeners *listeners, const char *token_file,
		   struct error *err)
{
	char *path = file_beside(db, NAME),
	     *absolute = token_file != NULL ? realpath(token_file, NULL) : NULL;
	struct buf text = { 0 };
	int failed;

	add_addresses(listeners, &text);
	BUF_ADD_LITERAL(&text, ",\"tokenFile\":");
	json_add_text(&text, str_of(absolute));
	buf_addf(&text, ",\"pid\":%d,\"startTime\":%lld}\n", (int)getpid(),
		 (long long)start_time());
	failed = file_replace(path, (struct str){ text.data, text.len }, err);
	if (failed)
		unlink(path); /* it would lead to a server that is gone */
	buf_clear(&text);
	free(absolute);
	free(path);
	return failed;
}

void
runtime_file_remove(const char *db)
{
	char *path = file_beside(db, NAME);

	unlink(path);
	free(path);
}
