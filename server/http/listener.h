/*
 * listener.h - the sockets that connections come from.
 *
 * Here: binding and accepting. When descriptors run out, accepting pauses until a connection is
 * closed or a second has passed, instead of failing in a loop. One descriptor is kept in reserve
 * for files that must be read meanwhile (SIGHUP).
 * Not here: what becomes of a connection, and the limits on their number (connections): both are
 * told through the functions in struct listeners.
 */
#ifndef SERVER_HTTP_LISTENER_H
#define SERVER_HTTP_LISTENER_H

#include "server/http/endpoint.h"

#define LISTENERS_MAX 32

struct listeners;
struct evconnlistener;
struct event;
struct event_base;

struct listener {
	struct listeners *listeners;
	struct evconnlistener *socket;
	struct endpoint endpoint; /* with the port that was bound */
	bool passed;              /* by whoever has started the process, who keeps it */
};

/* All zero is closed. */
struct listeners {
	/* Takes fd over. endpoint stays valid after listeners_close. To be set before open. */
	void (*accepted)(void *arg, const struct endpoint *endpoint, int fd,
			 const struct sockaddr *address);
	void (*failed)(void *arg); /* no descriptor is left: accepting pauses */
	void *arg;
	bool tls; /* those of TCP speak TLS; to be set before open */

	struct listener all[LISTENERS_MAX];
	size_t count;
	struct event *retry; /* runs while accepting is paused */
	bool paused;
	int reserve; /* descriptor */
};

/*
 * Binds every address, at most LISTENERS_MAX; accepts nothing before start. Failure: ERROR_CONFIG
 * with address and reason; close the listeners then, too.
 */
int listeners_open(struct listeners *listeners, struct event_base *base,
		   const char *const *addresses, size_t count, struct error *err);
/* The same with sockets that listen already: the descriptors first and following. */
int listeners_take(struct listeners *listeners, struct event_base *base, int first, size_t count,
		   struct error *err);
void listeners_start(struct listeners *listeners); /* and logs each address */
void listeners_close(struct listeners *listeners); /* also half-open ones, and twice */

void listeners_resume(struct listeners *listeners); /* a descriptor has become free */

/* Frees the reserve for reading files, and takes it back. */
void listeners_release_reserve(struct listeners *listeners);
void listeners_retake_reserve(struct listeners *listeners);

#endif
