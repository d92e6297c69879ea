/*
 * wire.c - one socket: reading, sending, and what it does not take yet.
 */
#include "server/http/wire.h"

#include <errno.h>
#include <event2/buffer.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "schema/mem.h"

void
sevq_wire_open(struct sevq_wire *wire, struct event_base *base, int fd, event_callback_fn readable, event_callback_fn writable,
	       void *arg)
{
	*wire = (struct sevq_wire){ .fd = fd };
	event_assign(&wire->readable, base, fd, EV_READ | EV_PERSIST, readable, arg);
	event_assign(&wire->writable, base, fd, EV_WRITE | EV_PERSIST, writable, arg);
}

void
sevq_wire_close(struct sevq_wire *wire)
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
sevq_wire_listen(struct sevq_wire *wire)
{
	event_add(&wire->readable, NULL);
}

void
sevq_wire_ignore(struct sevq_wire *wire)
{
	event_del(&wire->readable);
}

static bool
is_passing(int error)
{
	return error == EAGAIN || error == EINTR;
}

ssize_t
sevq_wire_read(struct sevq_wire *wire, char *data, size_t len)
{
	ssize_t n = recv(wire->fd, data, len, MSG_DONTWAIT);

	if (n > 0)
		return n;
	if (n == 0)
		return SEVQ_WIRE_ENDED;
	return is_passing(errno) ? 0 : SEVQ_WIRE_BROKEN;
}

static void
keep(struct sevq_wire *wire, const char *data, size_t len)
{
	if (wire->unsent == NULL)
		wire->unsent = evbuffer_new();
	if (wire->unsent == NULL || evbuffer_add(wire->unsent, data, len) != 0)
		abort(); /* as everywhere when memory is out: schema/mem.h */
	event_add(&wire->writable, NULL);
}

void
sevq_wire_send(struct sevq_wire *wire, const char *data, size_t len)
{
	ssize_t sent = 0;

	if (sevq_wire_unsent(wire) == 0)
		sent = send(wire->fd, data, len, MSG_NOSIGNAL | MSG_DONTWAIT);
	if (sent < 0)
		sent = 0; /* it is full, or broken, which shows when there is room */
	if ((size_t)sent < len)
		keep(wire, data + sent, len - (size_t)sent);
}

int
sevq_wire_flush(struct sevq_wire *wire)
{
	if (evbuffer_write(wire->unsent, wire->fd) < 0 && !is_passing(errno))
		return SEVQ_WIRE_BROKEN;
	if (evbuffer_get_length(wire->unsent) == 0)
		event_del(&wire->writable);
	return 0;
}

size_t
sevq_wire_unsent(const struct sevq_wire *wire)
{
	return wire->unsent != NULL ? evbuffer_get_length(wire->unsent) : 0;
}

void
sevq_wire_end(struct sevq_wire *wire)
{
	shutdown(wire->fd, SHUT_WR);
}

void
sevq_wire_limit_kernel(struct sevq_wire *wire, size_t bytes)
{
	int limit = (int)bytes;

	setsockopt(wire->fd, SOL_SOCKET, SO_SNDBUF, &limit, sizeof limit);
}
