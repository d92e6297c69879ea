/*
 * wire.c - one socket: reading, sending, and what it does not take yet.
 *
 * By TLS, a record that was read may hold more than was asked for, of which the socket tells
 * nothing; so the wire itself tells that there is more to read (tell_pending).
 */
#include "server/http/wire.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>

#include <event2/buffer.h>
#include <unistd.h>

#include "schema/mem.h"
#include "server/http/endpoint.h"

void
wire_open(struct wire *wire, struct event_base *base, int fd, event_callback_fn readable,
	  event_callback_fn writable, void *arg)
{
	*wire = (struct wire){ .fd = fd };
	event_assign(&wire->readable, base, fd, EV_READ | EV_PERSIST, readable, arg);
	event_assign(&wire->writable, base, fd, EV_WRITE | EV_PERSIST, writable, arg);
}

void
wire_close(struct wire *wire)
{
	if (wire->session != NULL && wire_unsent(wire) == 0)
		tls_end(wire->session);
	tls_session_free(wire->session);
	wire->session = NULL;
	event_del(&wire->readable);
	event_del(&wire->writable);
	close(wire->fd);
	wire->fd = -1;
	if (wire->unsent != NULL)
		evbuffer_free(wire->unsent);
	wire->unsent = NULL;
}

static void
tell_pending(struct wire *wire)
{
	if (wire->listening && tls_pending(wire->session) > 0)
		event_active(&wire->readable, EV_READ, 0);
}

bool
wire_peer(const struct wire *wire, struct endpoint *ret)
{
	*ret = (struct endpoint){ .len = sizeof(struct sockaddr_un) };
	return getpeername(wire->fd, &ret->any, &ret->len) == 0;
}

void
wire_listen(struct wire *wire)
{
	wire->listening = true;
	event_add(&wire->readable, NULL);
	if (wire->session != NULL)
		tell_pending(wire);
}

void
wire_ignore(struct wire *wire)
{
	wire->listening = false;
	event_del(&wire->readable);
}

/* The session is made here and not on opening, so that many can be opened in one turn. */
enum tls_step
wire_handshake(struct wire *wire, const struct tls *tls, struct error *err)
{
	enum tls_step step;

	assert(wire->handshaking);
	if (wire->session == NULL)
		wire->session = tls_session_new(tls, wire->fd);
	step = tls_handshake(wire->session, err);
	wire->handshaking = step != TLS_DONE;
	if (step == TLS_WRITES) {
		event_del(&wire->readable);
		event_add(&wire->writable, NULL);
	} else {
		event_del(&wire->writable);
		event_add(&wire->readable, NULL);
	}
	return step;
}

static bool
is_passing(int error)
{
	return error == EAGAIN || error == EINTR;
}

ssize_t
wire_read(struct wire *wire, char *data, size_t len)
{
	ssize_t n = wire->session != NULL ? tls_read(wire->session, data, len)
					  : recv(wire->fd, data, len, MSG_DONTWAIT);

	if (n > 0 && wire->session != NULL)
		tell_pending(wire);
	if (n > 0)
		return n;
	if (n == 0)
		return WIRE_ENDED;
	return is_passing(errno) ? 0 : WIRE_BROKEN;
}

static void
keep(struct wire *wire, const char *data, size_t len)
{
	if (wire->unsent == NULL)
		wire->unsent = evbuffer_new();
	if (wire->unsent == NULL || evbuffer_add(wire->unsent, data, len) != 0)
		abort(); /* as everywhere when memory is out: schema/mem.h */
	event_add(&wire->writable, NULL);
}

void
wire_send(struct wire *wire, const char *data, size_t len)
{
	ssize_t sent = 0;

	assert(!wire->handshaking);
	if (wire_unsent(wire) == 0)
		sent = wire->session != NULL
			   ? tls_write(wire->session, data, len)
			   : send(wire->fd, data, len, MSG_NOSIGNAL | MSG_DONTWAIT);
	if (sent < 0)
		sent = 0; /* it is full, or broken, which shows when there is room */
	if ((size_t)sent < len)
		keep(wire, data + sent, len - (size_t)sent);
}

/* As evbuffer_write, but all that is taken. A record must lie in one piece. */
static int
write_records(struct wire *wire)
{
	size_t unsent;

	while ((unsent = wire_unsent(wire)) > 0) {
		size_t most = unsent < TLS_RECORD_BYTES ? unsent : TLS_RECORD_BYTES;
		const char *record = (char *)evbuffer_pullup(wire->unsent, (ssize_t)most);
		ssize_t n = tls_write(wire->session, record, most);

		if (n < 0)
			return -1;
		assert(n > 0);
		evbuffer_drain(wire->unsent, (size_t)n);
	}
	return 0;
}

int
wire_flush(struct wire *wire)
{
	int rc =
	    wire->session != NULL ? write_records(wire) : evbuffer_write(wire->unsent, wire->fd);

	if (rc < 0 && !is_passing(errno))
		return WIRE_BROKEN;
	if (evbuffer_get_length(wire->unsent) == 0)
		event_del(&wire->writable);
	return 0;
}

size_t
wire_unsent(const struct wire *wire)
{
	return wire->unsent != NULL ? evbuffer_get_length(wire->unsent) : 0;
}

void
wire_end(struct wire *wire)
{
	if (wire->session != NULL)
		tls_end(wire->session);
	shutdown(wire->fd, SHUT_WR);
}

void
wire_limit_kernel(struct wire *wire, size_t bytes)
{
	int limit = (int)bytes;

	setsockopt(wire->fd, SOL_SOCKET, SO_SNDBUF, &limit, sizeof(limit));
}
