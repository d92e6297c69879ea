/*
 * handshake.h - the beginning of a connection that speaks TLS.
 *
 * Here: the steps of the handshake, what they cost the turn, and who fails it. Its time is that of
 * the first head (DEADLINE_HEADERS), and a connection counts from the beginning, so that handshakes
 * are limited as connections are.
 * Not here: TLS itself (tls), requests (exchange).
 */
#ifndef SERVER_HTTP_HANDSHAKE_H
#define SERVER_HTTP_HANDSHAKE_H

#include "server/http/connection.h"

/* The socket is ready for what the handshake waits for. A failure closes the connection; held. */
void handshake_go_on(struct connection *connection);
/* Closes the connection because the handshake has taken too long. Held, too. */
void handshake_time_out(struct connection *connection);

#endif
