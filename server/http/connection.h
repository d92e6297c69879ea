/*
 * connection.h - a connection, to the two files that know its inside: exchange.c, the way
 * of its requests, and connections.c, its life and the limits on all of them.
 *
 * A connection reads one request at a time:
 *
 *     READING   bytes go to the parser. Its head decides early what will be refused; its end hands
 * the request on. WORKING   a handler has the request: it answers at once, or its op is in the
 * engine's batch. WRITING   the answer did not fit into the socket; nothing more is read until it
 * is gone. STREAMING the answer has no end: it is added to until one side ends it, and what the
 * client says is thrown away. LINGERING our side is closed and what still arrives is thrown away,
 * so that the client can read the last answer: closing at once would reset the connection and may
 * destroy it on the way. DEAD      the client is gone, its op is not: the struct waits for it, the
 * socket is closed already.
 *
 * A request may be under way for long without doing anything: it waits for events. Then the end of
 * the client's side means that nobody waits any more, and the connection goes at once; else it only
 * means that no request follows.
 *
 * What arrives while a request is under way is read ahead, up to --max-pipelined-bytes; the rest
 * stays in the kernel. An op's answer may come in the middle of the engine's turn, where no new op
 * may be carried out; what was read ahead is therefore parsed afterwards, from the list of
 * resumable connections. Until then what arrives still goes behind it.
 *
 * The input buffer holds the present request and what was read behind it:
 *
 *     in.data  |... begin | parser.fed read ... | unread ... | in.len
 */
#ifndef SERVER_HTTP_CONNECTION_H
#define SERVER_HTTP_CONNECTION_H

#include "server/http/connections.h"
#include "server/http/wire.h"
#include "server/server.h"

enum connection_state {
	CONNECTION_READING,
	CONNECTION_WORKING,
	CONNECTION_WRITING,
	CONNECTION_STREAMING,
	CONNECTION_LINGERING,
	CONNECTION_DEAD
};

/*
 * Invariants: 1. begin + parser.fed <= in.len. 2. Between two messages parser.fed is 0. 3. Between
 * our functions an op is under way in CONNECTION_WORKING and perhaps in CONNECTION_DEAD, in no
 * other state. 4. The wire is closed in CONNECTION_DEAD only.
 */
struct connection {
	struct server *server;
	const struct listener *listener;
	struct wire wire;
	enum connection_state state;
	bool ended;        /* the client has sent its end */
	bool resumable;    /* in that list */
	bool op_under_way; /* the engine has the request's op */
	bool paused;       /* as much was read ahead as may be */
	bool held;         /* one of our functions has it in hand: not to be freed yet */
	struct buf in, ahead;
	struct buf answer; /* made ready before it may be sent */
	bool preparing;    /* what is sent goes there */
	size_t begin;
	struct parser parser;
	struct request request;
	/* decided at the head, answered when the body has been read and dropped */
	struct error refusal;
	uint64_t requests;
	int64_t body_began_ms;
	size_t body_looked; /* body bytes at the last look */
	size_t buffered;    /* bytes counted in stats.buffered_bytes */
	struct deadline deadline;
	struct auth_memo memo;
	struct peer *peer;
	TAILQ_ENTRY(connection) link, resume_link;
};

/* connections.c */

/*
 * Whatever comes in from the loop or the engine takes the connection in hand first, and lets it go
 * at its end.
 */
void connection_hold(struct connection *c);
void connection_release(struct connection *c);
/*
 * Nothing more is read or written. The struct goes when nobody has it in hand and its op has come
 * back.
 */
void connection_close(struct connection *c);
void connection_clear_request(struct connection *c);
void connection_set_deadline(struct connection *c, enum deadline_kind kind);
void connection_set_resumable(struct connection *c, bool resumable);
void connection_count_buffered(struct connection *c);

/* exchange.c */

void connection_start(struct connection *c, int fd); /* takes the socket over */
/* Reads as many requests as can be answered one after the other. */
void connection_advance(struct connection *c);
/* Answers with a failure and ends the connection: what follows on it means nothing. */
void connection_refuse(struct connection *c, const struct error *err);
bool connection_has_unread(const struct connection *c); /* or its client has ended */

#endif
