/*
 * runtime_file.c - {"address":..,"tokenFile":..,"pid":..}
 */
#include "server/runtime_file.h"

#include <stdlib.h>
#include <unistd.h>

#include "server/file.h"
#include "server/calls/json.h"

#define NAME "sevqd.json"

/* The first listener that speaks TCP, as a URL a client on this machine can use; else the first, a unix socket. */
static void
add_address(const struct sevq_listeners *listeners, struct sevq_buf *out)
{
	const struct sevq_endpoint *endpoint = &listeners->all[0].endpoint;
	char text[SEVQ_ENDPOINT_TEXT_BYTES];
	struct sevq_buf url = { 0 };

	for (size_t i = listeners->count; i-- > 0;)
		if (!sevq_endpoint_is_unix(&listeners->all[i].endpoint))
			endpoint = &listeners->all[i].endpoint;
	sevq_endpoint_format(endpoint, text);
	if (sevq_endpoint_is_unix(endpoint)) {
		char *absolute = realpath(endpoint->un.sun_path, NULL);

		sevq_buf_addf(&url, "unix:%s", absolute != NULL ? absolute : endpoint->un.sun_path);
		free(absolute);
	} else if (sevq_endpoint_is_any(endpoint))
		sevq_buf_addf(&url, "http://%s:%d", endpoint->any.sa_family == AF_INET6 ? "[::1]" : "127.0.0.1",
			      sevq_endpoint_port(endpoint));
	else
		sevq_buf_addf(&url, "http://%s", text);
	sevq_json_quote(out, (struct sevq_str){ url.data, url.len });
	sevq_buf_clear(&url);
}

int
sevq_runtime_file_write(const struct sevq_server *server, const char *token_file, struct sevq_error *err)
{
	char *path = sevq_file_beside(server->options->db, NAME),
	     *absolute = token_file != NULL ? realpath(token_file, NULL) : NULL;
	struct sevq_buf text = { 0 };
	int failed;

	SEVQ_ADD(&text, "{\"address\":");
	add_address(&server->listeners, &text);
	SEVQ_ADD(&text, ",\"tokenFile\":");
	sevq_json_add_text(&text, sevq_str(absolute));
	sevq_buf_addf(&text, ",\"pid\":%d}\n", (int)getpid());
	failed = sevq_file_replace(path, (struct sevq_str){ text.data, text.len }, err);
	if (failed)
		unlink(path); /* it would lead to a server that is gone */
	sevq_buf_clear(&text);
	free(absolute);
	free(path);
	return failed;
}

void
sevq_runtime_file_remove(const struct sevq_server *server)
{
	char *path = sevq_file_beside(server->options->db, NAME);

	unlink(path);
	free(path);
}
