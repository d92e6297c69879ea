/*
 * listener.c - bind, accept, pause.
 */
#include "server/http/listener.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <string.h>
#include <sys/stat.h>

#include <event2/listener.h>
#include <unistd.h>

#include "server/log.h"

#define BACKLOG 1024
#define RETRY_MS 1000

static void
accepted(struct evconnlistener *socket, evutil_socket_t fd, struct sockaddr *address, int len,
	 void *arg)
{
	const struct listener *listener = arg;

	(void)socket;
	(void)len;
	listener->listeners->accepted(listener->listeners->arg, &listener->endpoint, fd, address);
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
	struct listeners *listeners = ((struct listener *)arg)->listeners;
	struct timeval retry = { .tv_sec = RETRY_MS / 1000 };

	(void)socket;
	log_line(LOG_WARN, log_msg("cannot accept connections"),
		 log_text("detail", strerror(errno)));
	listeners->paused = true;
	set_accepting(listeners, false);
	event_add(listeners->retry, &retry);
	listeners->failed(listeners->arg);
}

static void
retry(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	listeners_resume(arg);
}

void
listeners_resume(struct listeners *listeners)
{
	if (!listeners->paused)
		return;
	listeners->paused = false;
	event_del(listeners->retry);
	set_accepting(listeners, true);
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
bind_one(struct listeners *listeners, struct event_base *base, const char *text, struct error *err)
{
	unsigned flags = LEV_OPT_CLOSE_ON_FREE | LEV_OPT_CLOSE_ON_EXEC | LEV_OPT_DISABLED;
	struct listener *listener = &listeners->all[listeners->count];
	struct endpoint *endpoint = &listener->endpoint;
	mode_t mask;

	if (endpoint_parse(text, endpoint, err) != 0)
		return -1;
	endpoint->tls = listeners->tls && !endpoint_is_unix(endpoint);
	if (endpoint_is_unix(endpoint))
		remove_stale(endpoint);
	else
		flags |= LEV_OPT_REUSEABLE;
	if (endpoint->any.sa_family == AF_INET6)
		flags |= LEV_OPT_BIND_IPV6ONLY;
	listener->listeners = listeners;
	mask = umask(0177); /* a socket file is for its owner */
	listener->socket = evconnlistener_new_bind(base, accepted, listener, flags, BACKLOG,
						   &endpoint->any, (int)endpoint->len);
	umask(mask);
	if (listener->socket == NULL)
		return error_set(err, ERROR_CONFIG, "cannot listen on %s: %s", text,
				 strerror(errno));
	listeners->count++;
	evconnlistener_set_error_cb(listener->socket, accept_failed);
	if (!endpoint_is_unix(endpoint))
		getsockname(evconnlistener_get_fd(listener->socket), &endpoint->any,
			    &endpoint->len);
	return 0;
}

/* Finds the address of a socket that was passed; -1: it does not listen as ours do. */
static int
identify(int fd, struct endpoint *endpoint)
{
	int listens = 0, type = 0;
	socklen_t len = sizeof(int), type_len = sizeof(int);

	endpoint->len = sizeof(*endpoint) - offsetof(struct endpoint, any);
	return getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listens, &len) == 0 && listens != 0 &&
		       getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &type_len) == 0 &&
		       type == SOCK_STREAM &&
		       getsockname(fd, &endpoint->any, &endpoint->len) == 0 &&
		       (endpoint->any.sa_family == AF_INET || endpoint->any.sa_family == AF_INET6 ||
			endpoint->any.sa_family == AF_UNIX)
		   ? 0
		   : -1;
}

static int
take_one(struct listeners *listeners, struct event_base *base, int fd, struct error *err)
{
	unsigned flags = LEV_OPT_CLOSE_ON_FREE | LEV_OPT_CLOSE_ON_EXEC | LEV_OPT_DISABLED;
	struct listener *listener = &listeners->all[listeners->count];

	listener->endpoint = (struct endpoint){ .len = 0 };
	if (identify(fd, &listener->endpoint) != 0 || evutil_make_socket_nonblocking(fd) != 0 ||
	    evutil_make_socket_closeonexec(fd) != 0)
		return error_set(err, ERROR_CONFIG,
				 "LISTEN_FDS: descriptor %d is no stream socket that listens", fd);
	listener->endpoint.tls = listeners->tls && !endpoint_is_unix(&listener->endpoint);
	listener->listeners = listeners;
	listener->passed = true;
	listener->socket = evconnlistener_new(base, accepted, listener, flags, 0, fd);
	if (listener->socket == NULL)
		return error_set(err, ERROR_CONFIG, "LISTEN_FDS: descriptor %d: %s", fd,
				 strerror(errno));
	listeners->count++;
	evconnlistener_set_error_cb(listener->socket, accept_failed);
	return 0;
}

static void
begin(struct listeners *listeners, struct event_base *base)
{
	listeners->retry = evtimer_new(base, retry, listeners);
	listeners->reserve = -1;
}

int
listeners_take(struct listeners *listeners, struct event_base *base, int first, size_t count,
	       struct error *err)
{
	begin(listeners, base);
	if (count > LISTENERS_MAX)
		return error_set(err, ERROR_CONFIG, "LISTEN_FDS: more than %d sockets",
				 LISTENERS_MAX);
	for (size_t i = 0; i < count; i++)
		if (take_one(listeners, base, first + (int)i, err) != 0)
			return -1;
	listeners_retake_reserve(listeners);
	return 0;
}

int
listeners_open(struct listeners *listeners, struct event_base *base, const char *const *addresses,
	       size_t count, struct error *err)
{
	assert(count <= LISTENERS_MAX);
	begin(listeners, base);
	for (size_t i = 0; i < count; i++)
		if (bind_one(listeners, base, addresses[i], err) != 0)
			return -1;
	listeners_retake_reserve(listeners);
	return 0;
}

void
listeners_start(struct listeners *listeners)
{
	char text[ENDPOINT_TEXT_BYTES];

	for (size_t i = 0; i < listeners->count; i++) {
		endpoint_format(&listeners->all[i].endpoint, text);
		log_line(LOG_INFO, log_msg("listening"), log_text("address", text),
			 log_text("scheme", listeners->all[i].endpoint.tls ? "https" : "http"),
			 log_text("version", SEVQ_VERSION));
	}
	set_accepting(listeners, true);
}

void
listeners_close(struct listeners *listeners)
{
	for (size_t i = 0; i < listeners->count; i++) {
		evconnlistener_free(listeners->all[i].socket);
		if (endpoint_is_unix(&listeners->all[i].endpoint) && !listeners->all[i].passed)
			unlink(listeners->all[i].endpoint.un.sun_path);
	}
	if (listeners->retry != NULL) {
		event_free(listeners->retry);
		listeners_release_reserve(listeners);
	}
	listeners->count = 0; /* connections still ask for the endpoint they came in on */
	listeners->retry = NULL;
	listeners->paused = false;
}

void
listeners_release_reserve(struct listeners *listeners)
{
	if (listeners->reserve >= 0)
		close(listeners->reserve);
	listeners->reserve = -1;
}

void
listeners_retake_reserve(struct listeners *listeners)
{
	listeners->reserve = open("/dev/null", O_RDONLY | O_CLOEXEC);
}
