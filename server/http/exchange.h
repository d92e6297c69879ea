/*
 * exchange.h - the way of a request, from the socket to a call's handler and back.
 *
 * Here: reading on, early refusal, handing the request to its call, sending the answer, keep-alive
 * and pipelining.
 * Not here: the struct and its buffers (connection), grammar (parser), which requests are admitted
 * (admission), what an answer says (reply, problem).
 */
#ifndef SERVER_HTTP_EXCHANGE_H
#define SERVER_HTTP_EXCHANGE_H

#include "server/http/request.h"

/*
 * For a handler that cannot answer at once: the request is pending until exchange_complete, which
 * must be called exactly once, whatever the client does meanwhile.
 */
void exchange_pend(struct request *request);

/* Lets answer make the answer of a pending request, which is not sent before exchange_complete. */
void exchange_prepare(struct request *request, request_handler *answer);

/*
 * The work for a pending request is done: sends what was prepared, or else lets answer write the
 * answer; answer may call exchange_pend again instead. Does neither when the client is gone. The
 * request may be freed on return.
 */
void exchange_complete(struct request *request, request_handler *answer);

/* Ends a stream after everything that was sent. */
void exchange_end_stream(struct request *request);

/* For connections: opens the socket fd, which is taken over. */
void exchange_start(struct connection *connection, int fd);
/* Reads requests as long as each is answered at once. The connection must be held. */
void exchange_advance(struct connection *connection);
/* Makes the next slice of its answer, for which the socket has room. Held, too. */
void exchange_answer(struct connection *connection);
/* Answers with the failure, and closes: what follows on the connection means nothing. Held, too. */
void exchange_refuse(struct connection *connection, const struct error *err);

#endif
