/*
 * wire.h - the bytes of a connection, from and to its socket.
 *
 * Here: reading what has arrived, sending, and keeping what the socket does not take yet. Nothing else knows that there is
 * a socket.
 * Not here: messages, states, limits on what is kept (connection).
 *
 * An answer goes out with one system call, and what has arrived comes in with one, straight to where it is parsed. libevent's
 * bufferevents would ask the kernel first how much there is, and copy it once more.
 */
#ifndef SEVQ_SERVER_HTTP_WIRE_H
#define SEVQ_SERVER_HTTP_WIRE_H

#include <event2/event.h>
#include <event2/event_struct.h>
#include <stddef.h>
#include <sys/types.h>

struct evbuffer;

/* Invariant: the socket is watched for room exactly while something is unsent. */
struct sevq_wire {
	int fd; /* -1: closed */
	struct event readable, writable;
	struct evbuffer *unsent; /* NULL: nothing ever was */
};

/* Takes over fd, which does not block. Nothing is told before sevq_wire_listen. */
void sevq_wire_open(struct sevq_wire *wire, struct event_base *base, int fd, event_callback_fn readable, event_callback_fn writable,
		    void *arg);
/* The socket is closed here and now; what is unsent is lost. */
void sevq_wire_close(struct sevq_wire *wire);

/* Whether it is told when there is something to read, or the other side's end. */
void sevq_wire_listen(struct sevq_wire *wire);
void sevq_wire_ignore(struct sevq_wire *wire);

#define SEVQ_WIRE_ENDED (-1)  /* the other side sends no more; it may still read */
#define SEVQ_WIRE_BROKEN (-2) /* neither */

/* Up to len bytes into data. 0: there is nothing now. */
ssize_t sevq_wire_read(struct sevq_wire *wire, char *data, size_t len);

/* Sends what the socket takes and keeps the rest, for sevq_wire_flush when it is told that there is room. */
void sevq_wire_send(struct sevq_wire *wire, const char *data, size_t len);
/* 0, or SEVQ_WIRE_BROKEN. */
int sevq_wire_flush(struct sevq_wire *wire);
size_t sevq_wire_unsent(const struct sevq_wire *wire); /* bytes */

/* The other side reads no more than what has been sent; it may still send. */
void sevq_wire_end(struct sevq_wire *wire);
/* How much the kernel keeps for a reader that is slow, in bytes, more or less. */
void sevq_wire_limit_kernel(struct sevq_wire *wire, size_t bytes);

#endif
