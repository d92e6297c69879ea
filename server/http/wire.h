/*
 * wire.h - the bytes of a connection, from and to its socket, plain or by TLS.
 *
 * Here: reading what has arrived, sending, and keeping what the socket does not take yet. Nothing
 * else knows that there is a socket, and only the handshake that there is TLS.
 * Not here: messages, states, limits on what is kept (connection, exchange).
 *
 * An answer goes out with one system call, and what has arrived comes in with one, straight to
 * where it is parsed. libevent's bufferevents would ask the kernel first how much there is, and
 * copy it once more.
 */
#ifndef SERVER_HTTP_WIRE_H
#define SERVER_HTTP_WIRE_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include <event2/event.h>
#include <event2/event_struct.h>

#include "server/http/tls.h"

struct endpoint;
struct evbuffer;

/*
 * Invariants: 1. the socket is watched for room exactly while something is unsent, or a handshake
 * has something to write. 2. Nothing is read or sent during a handshake.
 */
struct wire {
	int fd;           /* -1: closed */
	bool listening;   /* it is told when there is something to read */
	bool handshaking; /* a handshake is to come first; set by who opens it */
	struct event readable, writable;
	struct evbuffer *unsent;     /* NULL: nothing ever was */
	struct tls_session *session; /* NULL: plain, or the handshake has not begun */
};

/* Takes over fd, which does not block. Nothing is told before wire_listen. */
void wire_open(struct wire *wire, struct event_base *base, int fd, event_callback_fn readable,
	       event_callback_fn writable, void *arg);
/*
 * A step of the handshake, for each time that the wire is told while it is handshaking; tls counts
 * in the first. TLS_DONE, TLS_GONE and TLS_FAILED end it, the last with the reason.
 */
enum tls_step wire_handshake(struct wire *wire, const struct tls *tls, struct error *err);
/* The socket is closed here and now; what is unsent is lost. */
void wire_close(struct wire *wire);

/* The address of the other side. False: it has none any more. */
bool wire_peer(const struct wire *wire, struct endpoint *ret);

/* Whether it is told when there is something to read, or the other side's end. */
void wire_listen(struct wire *wire);
void wire_ignore(struct wire *wire);

#define WIRE_ENDED (-1)  /* the other side sends no more; it may still read */
#define WIRE_BROKEN (-2) /* neither */

/* Up to len bytes into data. 0: there is nothing now. */
ssize_t wire_read(struct wire *wire, char *data, size_t len);

/*
 * Sends what the socket takes and keeps the rest, for wire_flush when it is told that there is
 * room.
 */
void wire_send(struct wire *wire, const char *data, size_t len);
/* 0, or WIRE_BROKEN. */
int wire_flush(struct wire *wire);
size_t wire_unsent(const struct wire *wire); /* bytes */

/* The other side reads no more than what has been sent; it may still send. */
void wire_end(struct wire *wire);
/* How much the kernel keeps for a reader that is slow, in bytes, more or less. */
void wire_limit_kernel(struct wire *wire, size_t bytes);

#endif
