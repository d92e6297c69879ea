/*
 * connections.h - all connections together.
 *
 * Here: accepting them, the limits on their number, their deadlines, and closing them.
 * Not here: one connection (connection), its requests (exchange).
 */
#ifndef SERVER_HTTP_CONNECTIONS_H
#define SERVER_HTTP_CONNECTIONS_H

#include "server/http/http.h"

/* Empties the lists, and makes http accept what its listeners bring. Durations stay as they are. */
void connections_init(struct http *http);

/* Parts of the loop's turn. */
void connections_resume(struct http *http); /* reads the next requests of resumable connections */
void connections_answer(struct http *http); /* makes slices of answers that have been begun */
void connections_expire(struct http *http); /* acts on deadlines that are over */

/*
 * After new tokens were loaded: ends streams and waits whose token does not allow them any more,
 * and lets requests that are still arriving be refused. What the engine has taken goes on.
 */
void connections_check_tokens(struct http *http);

void connections_close_idle(struct http *http); /* those that have not begun a request */
/* All of them, at the very end: no request may be pending. */
void connections_close_all(struct http *http);

#endif
