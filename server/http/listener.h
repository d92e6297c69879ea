/*
 * listener.h - sockets that connections come from.
 *
 * Here: binding, accepting, and not spinning when descriptors run out: accepting stops until a connection is closed (or
 * a second has passed), and one descriptor is kept in reserve for files that must be read meanwhile (SIGHUP).
 * Not here: what is done with a connection, and the limits on them (connection).
 */
#ifndef SEVQ_SERVER_HTTP_LISTENER_H
#define SEVQ_SERVER_HTTP_LISTENER_H

#include "server/http/endpoint.h"
#include "server/options.h"

struct sevq_server;
struct evconnlistener;
struct event;

struct sevq_listener {
	struct sevq_server *server;
	struct evconnlistener *socket;
	struct sevq_endpoint endpoint; /* with the port that was bound */
};

struct sevq_listeners {
	struct sevq_listener all[SEVQ_OPTION_LIST_MAX];
	size_t count;
	struct event *retry; /* runs while accepting is paused */
	bool paused;
	int reserve; /* descriptor */
};

/* Binds every --listen; accepts nothing before start. Failure: SEVQ_CONFIG with address and reason. */
int sevq_listeners_open(struct sevq_server *server, struct sevq_error *err);
void sevq_listeners_start(struct sevq_server *server); /* and says in the log where */
void sevq_listeners_close(struct sevq_server *server); /* also half-open ones, and twice */

void sevq_listeners_resume(struct sevq_server *server); /* a descriptor has become free */

/* Frees the reserve for reading files, and takes it back. */
void sevq_listeners_lend(struct sevq_server *server);
void sevq_listeners_take_back(struct sevq_server *server);

#endif
