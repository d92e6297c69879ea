/*
 * connections.c - all connections: opening and closing them, the limits on their number, and their deadlines.
 */
#include "server/http/connection_private.h"

#include <assert.h>
#include <netinet/tcp.h>
#include <stddef.h>
#include <stdlib.h>
#include <unistd.h>

#include "server/calls/stream.h"
#include "server/calls/wait.h"

#define REFUSED_CONNECTIONS 128 /* that may stand over the limits to be told so */

void
sevq_connection_count_buffered(struct sevq_connection *c)
{
	size_t now = c->in.cap + c->ahead.cap + c->answer.cap + sevq_wire_unsent(&c->wire);

	c->server->stats.buffered_bytes += now - c->buffered;
	c->buffered = now;
}

void
sevq_connection_clear_request(struct sevq_connection *c)
{
	sevq_waiter_free(c->request.waiter);
	sevq_reader_free(c->request.reader);
	sevq_op_clear(&c->request.op);
	sevq_arena_clear(&c->request.arena);
	memset(&c->request, 0, offsetof(struct sevq_request, op)); /* who needs an op starts it */
	c->request.server = c->server;
	c->request.connection = c;
}

void
sevq_connection_set_deadline(struct sevq_connection *c, enum sevq_deadline_kind kind)
{
	sevq_deadline_set(&c->server->deadlines, &c->deadline, kind);
}

void
sevq_connection_set_resumable(struct sevq_connection *c, bool resumable)
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
close_socket(struct sevq_connection *c)
{
	sevq_wire_close(&c->wire);
	sevq_peers_leave(&c->server->peers, c->peer);
	c->server->stats.connections--;
	sevq_listeners_resume(c->server);
}

static void
connection_free(struct sevq_connection *c)
{
	sevq_connection_clear_request(c);
	sevq_buf_clear(&c->in);
	sevq_buf_clear(&c->answer);
	sevq_buf_clear(&c->ahead);
	sevq_connection_count_buffered(c);
	TAILQ_REMOVE(&c->server->connections, c, link);
	free(c);
}

void
sevq_connection_hold(struct sevq_connection *c)
{
	c->held = true;
}

void
sevq_connection_let_go(struct sevq_connection *c)
{
	c->held = false;
	if (c->state == SEVQ_DEAD && !c->op_under_way)
		connection_free(c);
}

void
sevq_connection_close(struct sevq_connection *c)
{
	sevq_connection_set_deadline(c, SEVQ_DEADLINE_NONE);
	sevq_connection_set_resumable(c, false);
	close_socket(c);
	c->state = SEVQ_DEAD;
	if (c->request.waiter != NULL)
		sevq_waiter_end(c->request.waiter); /* the struct must not wait for what may never come */
	if (!c->held)
		sevq_connection_let_go(c);
}

/* Opening. */

static struct sevq_connection *
connection_new(struct sevq_listener *listener, const struct sockaddr *address)
{
	struct sevq_server *server = listener->server;
	struct sevq_connection *c = sevq_alloc(sizeof *c);

	c->server = server;
	c->listener = listener;
	c->peer = sevq_peers_enter(&server->peers, address);
	sevq_connection_clear_request(c);
	sevq_parser_init(&c->parser, &server->limits);
	sevq_deadline_init(&c->deadline);
	TAILQ_INSERT_TAIL(&server->connections, c, link);
	server->stats.connections++;
	server->stats.accepted++;
	return c;
}

/* Whether one more connection may stand, this one counted already. */
static int
check_room(struct sevq_connection *c, struct sevq_error *err)
{
	struct sevq_server *server = c->server;

	if (c->peer != NULL && c->peer->connections > (size_t)server->options->max_connections_per_address) {
		server->stats.refused_address++;
		return sevq_fail(err, SEVQ_QUEUE_FULL, "too many connections from this address");
	}
	if (server->stats.connections > (uint64_t)server->options->max_connections)
		sevq_connections_evict(server);
	if (server->stats.connections > (uint64_t)server->options->max_connections) {
		server->stats.refused_limit++;
		return sevq_fail(err, SEVQ_QUEUE_FULL, "too many connections");
	}
	return 0;
}

void
sevq_connection_open(struct sevq_listener *listener, int fd, const struct sockaddr *address)
{
	struct sevq_server *server = listener->server;
	struct sevq_connection *c;
	struct sevq_error err;
	int on = 1;

	if (server->stats.connections >= (uint64_t)server->options->max_connections + REFUSED_CONNECTIONS) {
		server->stats.refused_limit++;
		close(fd);
		return;
	}
	c = connection_new(listener, address);
	if (address->sa_family != AF_UNIX)
		setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
	sevq_connection_listen(c, fd);
	sevq_connection_hold(c);
	if (check_room(c, &err) != 0)
		sevq_connection_refuse(c, &err);
	else
		sevq_connection_set_deadline(c, SEVQ_DEADLINE_HEADERS);
	sevq_connection_let_go(c);
}

/* The loop's turn. */

void
sevq_connections_resume(struct sevq_server *server)
{
	struct sevq_connection *c;

	while ((c = TAILQ_FIRST(&server->resumable)) != NULL) {
		sevq_connection_set_resumable(c, false);
		sevq_connection_hold(c);
		sevq_connection_advance(c);
		sevq_connection_let_go(c);
	}
}

/* Slow, but not too slow: every few seconds a body must have brought its share. */
static bool
body_is_late(const struct sevq_connection *c)
{
	const struct sevq_options *options = c->server->options;
	size_t wanted = (size_t)(options->min_body_rate * SEVQ_BODY_WINDOW_MS / 1000);

	return sevq_now_ms() - c->body_began_ms >= options->body_timeout_ms || c->parser.body_seen - c->body_looked < wanted;
}

static void
time_out(struct sevq_connection *c, uint64_t *counter, const char *why)
{
	struct sevq_error err;

	++*counter;
	sevq_fail(&err, SEVQ_TIMEOUT, "%s", why);
	sevq_connection_refuse(c, &err);
}

static void
expire(struct sevq_connection *c)
{
	struct sevq_http_stats *stats = &c->server->stats;

	switch (c->deadline.kind) {
	case SEVQ_DEADLINE_HEADERS:
		if (c->in.len > c->begin) {
			time_out(c, &stats->late_headers, "the headers took too long to arrive");
			return;
		}
		break; /* nothing was asked, so nothing is answered */
	case SEVQ_DEADLINE_BODY:
		if (body_is_late(c))
			time_out(c, &stats->late_body, "the body took too long to arrive");
		else {
			sevq_connection_set_deadline(c, SEVQ_DEADLINE_BODY);
			c->body_looked = c->parser.body_seen;
		}
		return;
	case SEVQ_DEADLINE_IDLE:
		stats->idle_closed++;
		break;
	case SEVQ_DEADLINE_RESPONSE:
		stats->late_readers++;
		break;
	default:
		break;
	}
	sevq_connection_close(c);
}

static struct sevq_connection *
connection_of(struct sevq_deadline *deadline)
{
	return (struct sevq_connection *)(void *)((char *)deadline - offsetof(struct sevq_connection, deadline));
}

void
sevq_connections_expire(struct sevq_server *server)
{
	int64_t now_ms = sevq_now_ms();
	struct sevq_deadline *over;

	while ((over = sevq_deadlines_over(&server->deadlines, now_ms)) != NULL) {
		struct sevq_connection *c = connection_of(over);

		sevq_connection_hold(c);
		expire(c);
		sevq_connection_let_go(c);
	}
}

void
sevq_connections_evict(struct sevq_server *server)
{
	struct sevq_deadline *idle = TAILQ_FIRST(&server->deadlines.queues[SEVQ_DEADLINE_IDLE]);

	if (idle == NULL)
		return;
	server->stats.evicted_idle++;
	sevq_connection_close(connection_of(idle));
}

void
sevq_connections_close_idle(struct sevq_server *server)
{
	struct sevq_connection *c, *next;

	for (c = TAILQ_FIRST(&server->connections); c != NULL; c = next) {
		next = TAILQ_NEXT(c, link);
		if (c->state == SEVQ_READING && !sevq_connection_has_unread(c))
			sevq_connection_close(c);
	}
}

void
sevq_connections_close_all(struct sevq_server *server)
{
	struct sevq_connection *c, *next;

	for (c = TAILQ_FIRST(&server->connections); c != NULL; c = next) {
		next = TAILQ_NEXT(c, link);
		sevq_connection_close(c);
	}
	assert(TAILQ_EMPTY(&server->connections));
}
