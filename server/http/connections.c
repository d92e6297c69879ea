/*
 * connections.c - all connections: opening and closing them, the limits on their number, and their
 * deadlines.
 */
#include <assert.h>
#include <netinet/tcp.h>
#include <stddef.h>
#include <stdlib.h>

#include <unistd.h>

#include "server/calls/stream.h"
#include "server/calls/wait.h"
#include "server/http/connection.h"

#define REFUSED_CONNECTIONS 128 /* that may stand over the limits to be told so */

void
connection_count_buffered(struct connection *c)
{
	size_t now = c->in.cap + c->ahead.cap + c->answer.cap + wire_unsent(&c->wire);

	c->server->stats.buffered_bytes += now - c->buffered;
	c->buffered = now;
}

void
connection_clear_request(struct connection *c)
{
	waiter_free(c->request.waiter);
	reader_free(c->request.reader);
	op_clear(&c->request.op);
	arena_clear(&c->request.arena);
	memset(&c->request, 0, offsetof(struct request, op)); /* who needs an op starts it */
	c->request.server = c->server;
	c->request.connection = c;
}

void
connection_set_deadline(struct connection *c, enum deadline_kind kind)
{
	deadline_set(&c->server->deadlines, &c->deadline, kind);
}

void
connection_set_resumable(struct connection *c, bool resumable)
{
	if (c->resumable == resumable)
		return;
	c->resumable = resumable;
	if (resumable)
		TAILQ_INSERT_TAIL(&c->server->resumable, c, resume_link);
	else
		TAILQ_REMOVE(&c->server->resumable, c, resume_link);
}

static void
close_socket(struct connection *c)
{
	wire_close(&c->wire);
	peers_leave(&c->server->peers, c->peer);
	c->server->stats.connections--;
	listeners_resume(c->server);
}

static void
connection_free(struct connection *c)
{
	connection_clear_request(c);
	buf_clear(&c->in);
	buf_clear(&c->answer);
	buf_clear(&c->ahead);
	connection_count_buffered(c);
	TAILQ_REMOVE(&c->server->connections, c, link);
	free(c);
}

void
connection_hold(struct connection *c)
{
	c->held = true;
}

void
connection_release(struct connection *c)
{
	c->held = false;
	if (c->state == CONNECTION_DEAD && !c->op_under_way)
		connection_free(c);
}

void
connection_close(struct connection *c)
{
	connection_set_deadline(c, DEADLINE_NONE);
	connection_set_resumable(c, false);
	close_socket(c);
	c->state = CONNECTION_DEAD;
	if (c->request.waiter != NULL)
		/* the struct must not wait for what may never come */
		waiter_end(c->request.waiter);
	if (!c->held)
		connection_release(c);
}

/* --- opening --- */

static struct connection *
connection_new(struct listener *listener, const struct sockaddr *address)
{
	struct server *server = listener->server;
	struct connection *c = mem_alloc(sizeof(*c));

	c->server = server;
	c->listener = listener;
	c->peer = peers_enter(&server->peers, address);
	connection_clear_request(c);
	parser_init(&c->parser, &server->limits);
	deadline_init(&c->deadline);
	TAILQ_INSERT_TAIL(&server->connections, c, link);
	server->stats.connections++;
	server->stats.accepted++;
	return c;
}

/* Whether one more connection may stand, this one counted already. */
static int
check_room(struct connection *c, struct error *err)
{
	struct server *server = c->server;

	if (c->peer != NULL &&
	    c->peer->connections > (size_t)server->options->max_connections_per_address) {
		server->stats.refused_address++;
		return error_set(err, ERROR_QUEUE_FULL, "too many connections from this address");
	}
	if (server->stats.connections > (uint64_t)server->options->max_connections)
		connections_evict(server);
	if (server->stats.connections > (uint64_t)server->options->max_connections) {
		server->stats.refused_limit++;
		return error_set(err, ERROR_QUEUE_FULL, "too many connections");
	}
	return 0;
}

void
connection_open(struct listener *listener, int fd, const struct sockaddr *address)
{
	struct server *server = listener->server;
	struct connection *c;
	struct error err;
	int on = 1;

	if (server->stats.connections >=
	    (uint64_t)server->options->max_connections + REFUSED_CONNECTIONS) {
		server->stats.refused_limit++;
		close(fd);
		return;
	}
	c = connection_new(listener, address);
	if (address->sa_family != AF_UNIX)
		setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	connection_start(c, fd);
	connection_hold(c);
	if (check_room(c, &err) != 0)
		connection_refuse(c, &err);
	else
		connection_set_deadline(c, DEADLINE_HEADERS);
	connection_release(c);
}

/* --- the loop's turn --- */

void
connections_resume(struct server *server)
{
	struct connection *c;

	while ((c = TAILQ_FIRST(&server->resumable)) != NULL) {
		connection_set_resumable(c, false);
		connection_hold(c);
		connection_advance(c);
		connection_release(c);
	}
}

/* Slow, but not too slow: every few seconds a body must have brought its share. */
static bool
body_is_late(const struct connection *c)
{
	const struct options *options = c->server->options;
	size_t wanted = (size_t)(options->min_body_rate * BODY_WINDOW_MS / 1000);

	return monotonic_ms() - c->body_began_ms >= options->body_timeout_ms ||
	       c->parser.body_seen - c->body_looked < wanted;
}

static void
time_out(struct connection *c, uint64_t *counter, const char *why)
{
	struct error err;

	++*counter;
	error_set(&err, ERROR_TIMEOUT, "%s", why);
	connection_refuse(c, &err);
}

static void
expire(struct connection *c)
{
	struct http_stats *stats = &c->server->stats;

	switch (c->deadline.kind) {
	case DEADLINE_HEADERS:
		if (c->in.len > c->begin) {
			time_out(c, &stats->late_headers, "the headers took too long to arrive");
			return;
		}
		break; /* nothing was asked, so nothing is answered */
	case DEADLINE_BODY:
		if (body_is_late(c))
			time_out(c, &stats->late_body, "the body took too long to arrive");
		else {
			connection_set_deadline(c, DEADLINE_BODY);
			c->body_looked = c->parser.body_seen;
		}
		return;
	case DEADLINE_IDLE:
		stats->idle_closed++;
		break;
	case DEADLINE_RESPONSE:
		stats->late_readers++;
		break;
	default:
		break;
	}
	connection_close(c);
}

static struct connection *
connection_of(struct deadline *deadline)
{
	return (struct connection *)(void *)((char *)deadline -
					     offsetof(struct connection, deadline));
}

void
connections_expire(struct server *server)
{
	int64_t now_ms = monotonic_ms();
	struct deadline *over;

	while ((over = deadlines_over(&server->deadlines, now_ms)) != NULL) {
		struct connection *c = connection_of(over);

		connection_hold(c);
		expire(c);
		connection_release(c);
	}
}

void
connections_evict(struct server *server)
{
	struct deadline *idle = TAILQ_FIRST(&server->deadlines.queues[DEADLINE_IDLE]);

	if (idle == NULL)
		return;
	server->stats.evicted_idle++;
	connection_close(connection_of(idle));
}

void
connections_close_idle(struct server *server)
{
	struct connection *c, *next;

	for (c = TAILQ_FIRST(&server->connections); c != NULL; c = next) {
		next = TAILQ_NEXT(c, link);
		if (c->state == CONNECTION_READING && !connection_has_unread(c))
			connection_close(c);
	}
}

void
connections_close_all(struct server *server)
{
	struct connection *c, *next;

	for (c = TAILQ_FIRST(&server->connections); c != NULL; c = next) {
		next = TAILQ_NEXT(c, link);
		connection_close(c);
	}
	assert(TAILQ_EMPTY(&server->connections));
}
