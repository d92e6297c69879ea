/*
 * connection.c - the life of a connection, its buffers, and sending.
 */
#include "server/http/connection.h"

#include <stdlib.h>

struct connection *
connection_new(struct http *http, const struct endpoint *endpoint, const struct sockaddr *address)
{
	struct connection *c = mem_alloc(sizeof(*c) + http->calls->work_bytes);

	c->http = http;
	c->endpoint = endpoint;
	c->peer = peers_enter(&http->peers, address);
	c->request = (struct request){ .http = http, .connection = c, .work = (void *)c->work };
	parser_init(&c->parser, &http->limits.message);
	deadline_init(&c->deadline);
	TAILQ_INSERT_TAIL(&http->connections, c, link);
	http->stats.connections++;
	http->stats.accepted++;
	return c;
}

void
connection_clear_request(struct connection *c)
{
	struct request *request = &c->request;

	if (request->state != NULL)
		request->call->free(request);
	c->http->calls->clear(request);
	arena_clear(&request->arena);
	*request = (struct request){ .http = c->http, .connection = c, .work = (void *)c->work };
}

void
connection_count_buffered(struct connection *c)
{
	size_t answer = c->request.slices != NULL ? c->request.held_bytes : wire_unsent(&c->wire);
	size_t now = c->in.cap + c->ahead.cap + c->answer.cap + answer;

	c->http->stats.buffered_bytes += now - c->buffered;
	c->buffered = now;
}

void
connection_drop_ahead(struct connection *c)
{
	buf_clear(&c->ahead);
	connection_count_buffered(c);
}

void
connection_set_resumable(struct connection *c, bool resumable)
{
	if (c->resumable == resumable)
		return;
	c->resumable = resumable;
	if (resumable)
		TAILQ_INSERT_TAIL(&c->http->resumable, c, resume_link);
	else
		TAILQ_REMOVE(&c->http->resumable, c, resume_link);
}

void
connection_set_answering(struct connection *c, bool answering)
{
	if (c->answering == answering)
		return;
	c->answering = answering;
	if (answering)
		TAILQ_INSERT_TAIL(&c->http->answering, c, answer_link);
	else
		TAILQ_REMOVE(&c->http->answering, c, answer_link);
}

/* --- sending --- */

void
connection_send(struct connection *c, const char *data, size_t len)
{
	if (c->preparing) {
		buf_add(&c->answer, data, len);
		return;
	}
	c->http->stats.bytes_out += len;
	wire_send(&c->wire, data, len);
	if (c->state != CONNECTION_STREAMING || wire_unsent(&c->wire) == 0)
		return;
	connection_count_buffered(c);
	if (c->deadline.kind == DEADLINE_NONE)
		connection_set_deadline(c, DEADLINE_RESPONSE);
}

size_t
connection_unsent(const struct connection *c)
{
	return wire_unsent(&c->wire);
}

/* The limit on the kernel's buffer makes a slow reader's backlog show here, where it is counted. */
void
connection_begin_stream(struct connection *c, size_t kernel_bytes)
{
	c->state = CONNECTION_STREAMING;
	wire_limit_kernel(&c->wire, kernel_bytes);
	connection_set_deadline(c, DEADLINE_NONE);
	connection_drop_ahead(c);
}

/* --- the end --- */

static void
connection_free(struct connection *c)
{
	connection_clear_request(c);
	buf_clear(&c->in);
	buf_clear(&c->answer);
	buf_clear(&c->ahead);
	connection_count_buffered(c);
	TAILQ_REMOVE(&c->http->connections, c, link);
	free(c);
}

void
connection_release(struct connection *c)
{
	c->held = false;
	if (c->state == CONNECTION_DEAD && !c->pending)
		connection_free(c);
}

void
connection_close(struct connection *c)
{
	struct request *request = &c->request;

	connection_set_deadline(c, DEADLINE_NONE);
	connection_set_resumable(c, false);
	connection_set_answering(c, false);
	wire_close(&c->wire);
	peers_leave(&c->http->peers, c->peer);
	c->http->stats.connections--;
	listeners_resume(&c->http->listeners);
	c->state = CONNECTION_DEAD;
	if (request->state != NULL && request->call->hung_up != NULL)
		request->call->hung_up(request);
	if (!c->held)
		connection_release(c);
}
