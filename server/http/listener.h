/*
 * listener.h - sockets that connections come from.
 *
 * Here: binding, accepting, and not spinning when descriptors run out: accepting stops until a
 * connection is closed (or a second has passed), and one descriptor is kept in reserve for files
 * that must be read meanwhile (SIGHUP). Not here: what is done with a connection, and the limits on
 * them (connection).
 */
#ifndef SERVER_HTTP_LISTENER_H
#define SERVER_HTTP_LISTENER_H

#include "server/http/endpoint.h"
#include "server/options.h"

struct server;
struct evconnlistener;
struct event;

struct listener {
	struct server *server;
	struct evconnlistener *socket;
	struct endpoint endpoint; /* with the port that was bound */
};

struct listeners {
	struct listener all[OPTION_LIST_MAX];
	size_t count;
	struct event *retry; /* runs while accepting is paused */
	bool paused;
	int reserve; /* descriptor */
};

/*
 * Binds every --listen; accepts nothing before start. Failure: ERROR_CONFIG with address and
 * reason.
 */
int listeners_open(struct server *server, struct error *err);
void listeners_start(struct server *server); /* and says in the log where */
void listeners_close(struct server *server); /* also half-open ones, and twice */

void listeners_resume(struct server *server); /* a descriptor has become free */

/* Frees the reserve for reading files, and takes it back. */
void listeners_release_reserve(struct server *server);
void listeners_retake_reserve(struct server *server);

#endif
