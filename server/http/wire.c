/*
 * wire.c - one socket: reading, sending, and what it does not take yet.
 */
#include "server/http/wire.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>

#include <event2/buffer.h>
#include <unistd.h>

#include "schema/mem.h"

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
	event_del(&wire->readable);
	event_del(&wire->writable);
	close(wire->fd);
	wire->fd = -1;
	if (wire->unsent != NULL)
		evbuffer_free(wire->unsent);
	wire->unsent = NULL;
}

void
wire_listen(struct wire *wire)
{
	event_add(&wire->readable, NULL);
}

void
wire_ignore(struct wire *wire)
{
	event_del(&wire->readable);
}

static bool
is_passing(int error)
{
	return error == EAGAIN || error == EINTR;
}

ssize_t
wire_read(struct wire *wire, char *data, size_t len)
{
	ssize_t n = recv(wire->fd, data, len, MSG_DONTWAIT);

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

	if (wire_unsent(wire) == 0)
		sent = send(wire->fd, data, len, MSG_NOSIGNAL | MSG_DONTWAIT);
	if (sent < 0)
		sent = 0; /* it is full, or broken, which shows when there is room */
	if ((size_t)sent < len)
		keep(wire, data + sent, len - (size_t)sent);
}

int
wire_flush(struct wire *wire)
{
	if (evbuffer_write(wire->unsent, wire->fd) < 0 && !is_passing(errno))
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
	shutdown(wire->fd, SHUT_WR);
}

void
wire_limit_kernel(struct wire *wire, size_t bytes)
{
	int limit = (int)bytes;

	setsockopt(wire->fd, SOL_SOCKET, SO_SNDBUF, &limit, sizeof(limit));
}
