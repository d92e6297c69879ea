/*
 * listener.c - bind, accept, pause.
 */
#include "server/http/listener.h"

#include <errno.h>
#include <event2/listener.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "server/http/connection.h"
#include "server/log.h"
#include "server/server.h"

#define BACKLOG 1024
#define RETRY_MS 1000

static void
accepted(struct evconnlistener *socket, evutil_socket_t fd, struct sockaddr *address, int len, void *arg)
{
	(void)socket;
	(void)len;
	sevq_connection_open(arg, fd, address);
}

static void
set_accepting(struct sevq_listeners *listeners, bool accepting)
{
	for (size_t i = 0; i < listeners->count; i++)
		if (accepting)
			evconnlistener_enable(listeners->all[i].socket);
		else
			evconnlistener_disable(listeners->all[i].socket);
}

/* Out of descriptors or memory: trying again at once would only spin. An idle connection is given up to make room. */
static void
accept_failed(struct evconnlistener *socket, void *arg)
{
	struct sevq_listener *listener = arg;
	struct sevq_server *server = listener->server;
	struct timeval retry = { .tv_sec = RETRY_MS / 1000 };

	(void)socket;
	sevq_log(SEVQ_LOG_WARN, sevq_log_msg("cannot accept connections"), sevq_log_text("detail", strerror(errno)));
	server->stats.accept_pauses++;
	server->listeners.paused = true;
	set_accepting(&server->listeners, false);
	event_add(server->listeners.retry, &retry);
	sevq_connections_evict(server);
}

static void
retry(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	sevq_listeners_resume(arg);
}

void
sevq_listeners_resume(struct sevq_server *server)
{
	if (!server->listeners.paused)
		return;
	server->listeners.paused = false;
	event_del(server->listeners.retry);
	set_accepting(&server->listeners, true);
}

/* A socket file that nobody listens on is left over from a server that did not end well. */
static void
remove_stale(const struct sevq_endpoint *endpoint)
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
bind_one(struct sevq_server *server, const char *text, struct sevq_error *err)
{
	unsigned flags = LEV_OPT_CLOSE_ON_FREE | LEV_OPT_CLOSE_ON_EXEC | LEV_OPT_DISABLED;
	struct sevq_listener *listener = &server->listeners.all[server->listeners.count];
	struct sevq_endpoint *endpoint = &listener->endpoint;
	mode_t mask;

	if (sevq_endpoint_parse(text, endpoint, err) != 0)
		return -1;
	if (sevq_endpoint_is_unix(endpoint))
		remove_stale(endpoint);
	else
		flags |= LEV_OPT_REUSEABLE;
	if (endpoint->any.sa_family == AF_INET6)
		flags |= LEV_OPT_BIND_IPV6ONLY;
	listener->server = server;
	mask = umask(0177); /* a socket file is for its owner */
	listener->socket =
	    evconnlistener_new_bind(server->base, accepted, listener, flags, BACKLOG, &endpoint->any, (int)endpoint->len);
	umask(mask);
	if (listener->socket == NULL)
		return sevq_fail(err, SEVQ_CONFIG, "cannot listen on %s: %s", text, strerror(errno));
	server->listeners.count++;
	evconnlistener_set_error_cb(listener->socket, accept_failed);
	if (!sevq_endpoint_is_unix(endpoint))
		getsockname(evconnlistener_get_fd(listener->socket), &endpoint->any, &endpoint->len);
	return 0;
}

int
sevq_listeners_open(struct sevq_server *server, struct sevq_error *err)
{
	const struct sevq_option_list *addresses = &server->options->listen;

	server->listeners.retry = evtimer_new(server->base, retry, server);
	server->listeners.reserve = -1;
	for (size_t i = 0; i < addresses->count; i++)
		if (bind_one(server, addresses->items[i], err) != 0)
			return -1;
	sevq_listeners_take_back(server);
	return 0;
}

void
sevq_listeners_start(struct sevq_server *server)
{
	char text[SEVQ_ENDPOINT_TEXT_BYTES];

	for (size_t i = 0; i < server->listeners.count; i++) {
		sevq_endpoint_format(&server->listeners.all[i].endpoint, text);
		sevq_log(SEVQ_LOG_INFO, sevq_log_msg("listening"), sevq_log_text("address", text),
			 sevq_log_text("version", SEVQ_VERSION));
	}
	set_accepting(&server->listeners, true);
}

void
sevq_listeners_close(struct sevq_server *server)
{
	struct sevq_listeners *listeners = &server->listeners;

	for (size_t i = 0; i < listeners->count; i++) {
		evconnlistener_free(listeners->all[i].socket);
		if (sevq_endpoint_is_unix(&listeners->all[i].endpoint))
			unlink(listeners->all[i].endpoint.un.sun_path);
	}
	if (listeners->retry != NULL) {
		event_free(listeners->retry);
		sevq_listeners_lend(server);
	}
	listeners->count = 0; /* connections still ask for the endpoint they came in on */
	listeners->retry = NULL;
	listeners->paused = false;
}

void
sevq_listeners_lend(struct sevq_server *server)
{
	if (server->listeners.reserve >= 0)
		close(server->listeners.reserve);
	server->listeners.reserve = -1;
}

void
sevq_listeners_take_back(struct sevq_server *server)
{
	server->listeners.reserve = open("/dev/null", O_RDONLY | O_CLOEXEC);
}
