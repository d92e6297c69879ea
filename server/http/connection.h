/*
 * connection.h - one client: bytes in, requests one at a time, answers out.
 *
 * Here: reading and writing, keep-alive, pipelining, deadlines, limits on connections, and the life of a connection: it
 * lives until its request has been answered, whatever the client does meanwhile.
 * Not here: HTTP grammar (parser), which calls there are (routes), what an answer says (reply).
 */
#ifndef SEVQ_SERVER_HTTP_CONNECTION_H
#define SEVQ_SERVER_HTTP_CONNECTION_H

#include <sys/queue.h>

#include "server/http/listener.h"
#include "server/http/request.h"

struct sevq_server;

#define SEVQ_BODY_WINDOW_MS 5000 /* over which --min-body-rate is looked at */

/* Takes the accepted descriptor over. */
void sevq_connection_open(struct sevq_listener *listener, int fd, const struct sockaddr *address);

/*
 * For reply: sends the whole answer, or as much as the socket takes and the rest when it can. While an answer is being
 * prepared it is kept until its op is done.
 */
void sevq_connection_send(struct sevq_connection *connection, const char *data, size_t len);

/* For stream: what was sent and has not gone out yet; the end, after all that was sent; the end at once. */
size_t sevq_connection_unsent(const struct sevq_connection *connection);
void sevq_connection_end(struct sevq_connection *connection);
void sevq_connection_drop(struct sevq_connection *connection);

/* Parts of the loop's turn. */
void sevq_connections_resume(struct sevq_server *server); /* reads on where input waited for an answer */
void sevq_connections_expire(struct sevq_server *server); /* deadlines */

void sevq_connections_evict(struct sevq_server *server);      /* closes the one that has been idle longest, if any is */
void sevq_connections_close_idle(struct sevq_server *server); /* those with no request begun */
void sevq_connections_close_all(struct sevq_server *server);  /* at the very end; none may have an op under way */

#endif
