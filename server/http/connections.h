/*
 * connections.h - one client: bytes in, requests one at a time, answers out.
 *
 * Here: reading and writing, keep-alive, pipelining, deadlines, limits on connections, and the life
 * of a connection: it lives until its request has been answered, whatever the client does
 * meanwhile.
 * Not here: HTTP grammar (parser), which calls there are (routes), what an answer says (reply).
 */
#ifndef SERVER_HTTP_CONNECTIONS_H
#define SERVER_HTTP_CONNECTIONS_H

#include <sys/queue.h>

#include "server/http/listener.h"
#include "server/http/request.h"

struct server;

#define BODY_WINDOW_MS 5000 /* over which --min-body-rate is looked at */

/* Takes the accepted descriptor over. */
void connection_open(struct listener *listener, int fd, const struct sockaddr *address);

/*
 * For reply: sends the whole answer, or as much as the socket takes and the rest when it can. While
 * an answer is being prepared it is kept until its op is done.
 */
void connection_send(struct connection *connection, const char *data, size_t len);

/*
 * For stream: what was sent and has not gone out yet; the end, after all that was sent; the end at
 * once.
 */
size_t connection_unsent(const struct connection *connection);
void connection_end(struct connection *connection);
void connection_drop(struct connection *connection);

/* Parts of the loop's turn. */
void connections_resume(struct server *server); /* reads on where input waited for an answer */
void connections_expire(struct server *server); /* deadlines */

/* closes the one that has been idle longest, if any is */
void connections_evict(struct server *server);
void connections_close_idle(struct server *server); /* those with no request begun */
/* at the very end; none may have an op under way */
void connections_close_all(struct server *server);

#endif
