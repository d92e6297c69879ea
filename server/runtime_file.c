/*
 * runtime_file.c - {"address":..,"tokenFile":..,"pid":..}
 */
#include "server/runtime_file.h"

#include <stdlib.h>

#include <unistd.h>

#include "server/calls/json.h"
#include "server/file.h"

#define NAME "sevqd.json"

/*
 * The first listener that speaks TCP, as a URL a client on this machine can use; else the first, a
 * unix socket.
 */
static void
add_address(const struct listeners *listeners, struct buf *out)
{
	const struct endpoint *endpoint = &listeners->all[0].endpoint;
	char text[ENDPOINT_TEXT_BYTES];
	struct buf url = { 0 };

	for (size_t i = listeners->count; i-- > 0;)
		if (!endpoint_is_unix(&listeners->all[i].endpoint))
			endpoint = &listeners->all[i].endpoint;
	endpoint_format(endpoint, text);
	if (endpoint_is_unix(endpoint)) {
		char *absolute = realpath(endpoint->un.sun_path, NULL);

		buf_addf(&url, "unix:%s", absolute != NULL ? absolute : endpoint->un.sun_path);
		free(absolute);
	} else if (endpoint_is_any(endpoint))
		buf_addf(&url, "http://%s:%d",
			 endpoint->any.sa_family == AF_INET6 ? "[::1]" : "127.0.0.1",
			 endpoint_port(endpoint));
	else
		buf_addf(&url, "http://%s", text);
	json_quote(out, (struct str){ url.data, url.len });
	buf_clear(&url);
}

int
runtime_file_write(const struct server *server, const char *token_file, struct error *err)
{
	char *path = file_beside(server->options->db, NAME),
	     *absolute = token_file != NULL ? realpath(token_file, NULL) : NULL;
	struct buf text = { 0 };
	int failed;

	BUF_ADD_LITERAL(&text, "{\"address\":");
	add_address(&server->listeners, &text);
	BUF_ADD_LITERAL(&text, ",\"tokenFile\":");
	json_add_text(&text, str_of(absolute));
	buf_addf(&text, ",\"pid\":%d}\n", (int)getpid());
	failed = file_replace(path, (struct str){ text.data, text.len }, err);
	if (failed)
		unlink(path); /* it would lead to a server that is gone */
	buf_clear(&text);
	free(absolute);
	free(path);
	return failed;
}

void
runtime_file_remove(const struct server *server)
{
	char *path = file_beside(server->options->db, NAME);

	unlink(path);
	free(path);
}
