/*
 * listener.c - bind, accept, pause.
 */
#include "server/http/listener.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include <event2/listener.h>
#include <unistd.h>

#include "server/http/connections.h"
#include "server/log.h"
#include "server/server.h"

#define BACKLOG 1024
#define RETRY_MS 1000

static void
accepted(struct evconnlistener *socket, evutil_socket_t fd, struct sockaddr *address, int len,
	 void *arg)
{
	(void)socket;
	(void)len;
	connection_open(arg, fd, address);
}

static void
set_accepting(struct listeners *listeners, bool accepting)
{
	for (size_t i = 0; i < listeners->count; i++)
		if (accepting)
			evconnlistener_enable(listeners->all[i].socket);
		else
			evconnlistener_disable(listeners->all[i].socket);
}

/*
 * Out of descriptors or memory: trying again at once would only spin. An idle connection is given
 * up to make room.
 */
static void
accept_failed(struct evconnlistener *socket, void *arg)
{
	struct listener *listener = arg;
	struct server *server = listener->server;
	struct timeval retry = { .tv_sec = RETRY_MS / 1000 };

	(void)socket;
	log_line(LOG_WARN, log_msg("cannot accept connections"),
		 log_text("detail", strerror(errno)));
	server->stats.accept_pauses++;
	server->listeners.paused = true;
	set_accepting(&server->listeners, false);
	event_add(server->listeners.retry, &retry);
	connections_evict(server);
}

static void
retry(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	listeners_resume(arg);
}

void
listeners_resume(struct server *server)
{
	if (!server->listeners.paused)
		return;
	server->listeners.paused = false;
	event_del(server->listeners.retry);
	set_accepting(&server->listeners, true);
}

/* A socket file that nobody listens on is left over from a server that did not end well. */
static void
remove_stale(const struct endpoint *endpoint)
{
	struct stat st;
	int fd;

	if (lstat(endpoint->un.sun_path, &st) != 0 || !S_ISSOCK(st.st_mode))
		return;
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd >= 0 && connect(fd, &endpoint->any, endpoint->len) != 0 && errno == ECONNREFUSED)
		unlink(endpoint->un.sun_path);
	if (fd >= 0)
		close(fd);
}

static int
bind_one(struct server *server, const char *text, struct error *err)
{
	unsigned flags = LEV_OPT_CLOSE_ON_FREE | LEV_OPT_CLOSE_ON_EXEC | LEV_OPT_DISABLED;
	struct listener *listener = &server->listeners.all[server->listeners.count];
	struct endpoint *endpoint = &listener->endpoint;
	mode_t mask;

	if (endpoint_parse(text, endpoint, err) != 0)
		return -1;
	if (endpoint_is_unix(endpoint))
		remove_stale(endpoint);
	else
		flags |= LEV_OPT_REUSEABLE;
	if (endpoint->any.sa_family == AF_INET6)
		flags |= LEV_OPT_BIND_IPV6ONLY;
	listener->server = server;
	mask = umask(0177); /* a socket file is for its owner */
	listener->socket = evconnlistener_new_bind(server->base, accepted, listener, flags, BACKLOG,
						   &endpoint->any, (int)endpoint->len);
	umask(mask);
	if (listener->socket == NULL)
		return error_set(err, ERROR_CONFIG, "cannot listen on %s: %s", text,
				 strerror(errno));
	server->listeners.count++;
	evconnlistener_set_error_cb(listener->socket, accept_failed);
	if (!endpoint_is_unix(endpoint))
		getsockname(evconnlistener_get_fd(listener->socket), &endpoint->any,
			    &endpoint->len);
	return 0;
}

int
listeners_open(struct server *server, struct error *err)
{
	const struct option_list *addresses = &server->options->listen;

	server->listeners.retry = evtimer_new(server->base, retry, server);
	server->listeners.reserve = -1;
	for (size_t i = 0; i < addresses->count; i++)
		if (bind_one(server, addresses->items[i], err) != 0)
			return -1;
	listeners_retake_reserve(server);
	return 0;
}

void
listeners_start(struct server *server)
{
	char text[ENDPOINT_TEXT_BYTES];

	for (size_t i = 0; i < server->listeners.count; i++) {
		endpoint_format(&server->listeners.all[i].endpoint, text);
		log_line(LOG_INFO, log_msg("listening"), log_text("address", text),
			 log_text("version", SEVQ_VERSION));
	}
	set_accepting(&server->listeners, true);
}

void
listeners_close(struct server *server)
{
	struct listeners *listeners = &server->listeners;

	for (size_t i = 0; i < listeners->count; i++) {
		evconnlistener_free(listeners->all[i].socket);
		if (endpoint_is_unix(&listeners->all[i].endpoint))
			unlink(listeners->all[i].endpoint.un.sun_path);
	}
	if (listeners->retry != NULL) {
		event_free(listeners->retry);
		listeners_release_reserve(server);
	}
	listeners->count = 0; /* connections still ask for the endpoint they came in on */
	listeners->retry = NULL;
	listeners->paused = false;
}

void
listeners_release_reserve(struct server *server)
{
	if (server->listeners.reserve >= 0)
		close(server->listeners.reserve);
	server->listeners.reserve = -1;
}

void
listeners_retake_reserve(struct server *server)
{
	server->listeners.reserve = open("/dev/null", O_RDONLY | O_CLOEXEC);
}
