/*
 * connection.h - one client: its socket, buffers, request and state, and how long it lives.
 *
 * Here: the struct, sending, buffers and their count, hold and close.
 * Not here: what happens to a request (exchange), accepting and the limits on connections
 * (connections), HTTP grammar (parser), what an answer says (reply).
 *
 * States:
 *
 *     READING    Bytes go to the parser.
 *     WORKING    The request's handler has it: it answers at once, or the request is pending.
 *     WRITING    The socket has not taken the whole answer yet, or not all of its slices are made
 *                (request.slices). No request is read meanwhile.
 *     STREAMING  The answer has no end: its call adds to it until one side ends it. What the client
 *                sends is thrown away.
 *     LINGERING  Our side is shut down, and what still arrives is thrown away until the client
 *                ends, so that it can read the last answer: closing at once would reset the
 *                connection, which may destroy an answer on its way.
 *     DEAD       The socket is closed. The struct stays until nobody holds it and its request is no
 *                longer pending.
 *
 * While a request is under way, input is read ahead, up to pipelined_bytes_max; the rest waits in
 * the kernel. A pending request may be completed in the middle of the engine's turn, where no new
 * request may be started. Therefore the connection then joins the list of resumable connections,
 * and its next request is parsed when that list is gone through (connections_resume).
 *
 * The input buffer holds the present request and what was read behind it:
 *
 *     in.data  |... begin | parser.fed read ... | unread ... | in.len
 */
#ifndef SERVER_HTTP_CONNECTION_H
#define SERVER_HTTP_CONNECTION_H

#include <stdalign.h>

#include "server/http/http.h"
#include "server/http/wire.h"

enum connection_state {
	CONNECTION_READING,
	CONNECTION_WORKING,
	CONNECTION_WRITING,
	CONNECTION_STREAMING,
	CONNECTION_LINGERING,
	CONNECTION_DEAD
};

/*
 * Invariants: 1. begin + parser.fed <= in.len. 2. Between two messages parser.fed is 0. 3. While no
 * function of this folder runs, a request is pending in WORKING and perhaps in DEAD, in no other
 * state. 4. The wire is closed in DEAD only.
 */
struct connection {
	struct http *http;
	const struct endpoint *endpoint; /* the listener's */
	struct wire wire;
	enum connection_state state;
	bool held;      /* a function has it in hand: it must not be freed yet */
	bool pending;   /* exchange_complete will be called for its request */
	bool resumable; /* in http->resumable */
	bool answering; /* in http->answering */
	bool ended;     /* the client sends no more */
	bool paused;    /* the socket is not read: enough was read ahead */
	bool preparing; /* connection_send fills answer instead of sending */
	struct buf in, ahead;
	struct buf answer; /* made before it may be sent */
	size_t begin;
	struct parser parser;
	struct error
	    refusal; /* decided at the head, answered after the body was read and dropped */
	uint64_t requests;
	int64_t body_began_ms;
	size_t body_looked; /* body bytes at the last look */
	size_t buffered;    /* bytes counted in stats.buffered_bytes */
	struct deadline deadline;
	struct auth_memo memo;
	struct peer *peer; /* NULL: a unix socket's client */
	TAILQ_ENTRY(connection) link, resume_link, answer_link;
	struct request request;
	alignas(max_align_t) char work[]; /* request.work: http->calls->work_bytes */
};

/* Adds it to http->connections and to its address' count. Its socket is opened by exchange_start.
 */
struct connection *connection_new(struct http *http, const struct endpoint *endpoint,
				  const struct sockaddr *address);

/*
 * Closes the socket: nothing more is read or written. The call of a request that takes long is told
 * (hung_up). The struct is freed as soon as nobody holds it and its request is not pending.
 */
void connection_close(struct connection *connection);

/*
 * Every function that libevent or a call enters by sets held first, and calls release at its end:
 * in between, a close does not free the connection.
 */
void connection_release(struct connection *connection);

/*
 * Sends what the socket takes, and keeps the rest until it takes more. While an answer is being
 * prepared, it is only kept.
 */
void connection_send(struct connection *connection, const char *data, size_t len);
size_t
connection_unsent(const struct connection *connection); /* bytes that the socket has not taken */

/* The head of a stream is sent: STREAMING begins. The kernel keeps about kernel_bytes of it. */
void connection_begin_stream(struct connection *connection, size_t kernel_bytes);

/* Frees what the request holds, and begins an empty one. */
void connection_clear_request(struct connection *connection);
void connection_set_resumable(struct connection *connection, bool resumable);
void connection_set_answering(struct connection *connection, bool answering); /* the last of them */
void connection_drop_ahead(struct connection *connection); /* what was read ahead is not needed */
/* To be called after any of the buffers has changed its size. */
void connection_count_buffered(struct connection *connection);

static inline void
connection_set_deadline(struct connection *c, enum deadline_kind kind)
{
	deadline_set(&c->http->deadlines, &c->deadline, kind);
}

/* Whether there is input that no request has taken: bytes, or the client's end. */
static inline bool
connection_has_unread(const struct connection *c)
{
	return c->in.len > c->begin || c->ahead.len > 0 || c->ended;
}

#endif
