/*
 * exchange.c - the way of a request through the server, from the socket to a handler and back.
 *
 * Read it from the end: what libevent tells; reading on, to the parser; a head, a message; the
 * handler's answer or its op, which comes back; the answer to the socket. The states are explained
 * in connection.h.
 */
#include <assert.h>
#include <string.h>

#include "server/calls/hooks.h"
#include "server/calls/routes.h"
#include "server/calls/stream.h"
#include "server/calls/wait.h"
#include "server/http/admission.h"
#include "server/http/connection.h"
#include "server/http/problem.h"
#include "server/http/target.h"

#define IN_BYTES_KEPT 65536 /* a larger buffer is given back after its request */
#define ANSWER_BYTES_KEPT 4096
/* all answers of a turn are in memory at once: not those to long requests */
#define PREPARED_BODY_BYTES_MAX 4096
#define READ_BYTES 2048 /* asked for at once, where nothing says how much will come */
#define CONTINUE "HTTP/1.1 100 Continue\r\n\r\n"

/*
 * The socket stays readable for as long as something is left in it, and the loop would turn for
 * nothing: until the request is answered it is therefore not watched. (The end of a waiting client
 * that has sent so much is seen when its time is over.)
 */
static void
pause_reading(struct connection *c)
{
	c->paused = true;
	wire_ignore(&c->wire);
}

static void
go_on_reading(struct connection *c)
{
	if (c->paused && !c->ended)
		wire_listen(&c->wire);
	c->paused = false;
}

/* Nothing that was read ahead will be looked at. */
static void
forget_ahead(struct connection *c)
{
	buf_clear(&c->ahead);
	connection_count_buffered(c);
}

/* After the last answer. */
static void
linger(struct connection *c)
{
	if (c->ended) {
		connection_close(c);
		return;
	}
	c->state = CONNECTION_LINGERING;
	buf_clear(&c->in);
	c->begin = 0;
	forget_ahead(c);
	go_on_reading(c);
	wire_end(&c->wire);
	connection_set_deadline(c, DEADLINE_LINGER);
}

/* --- out --- */

void
connection_send(struct connection *c, const char *data, size_t len)
{
	if (c->preparing) {
		buf_add(&c->answer, data, len);
		return;
	}
	c->server->stats.bytes_out += len;
	wire_send(&c->wire, data, len);
	if (wire_unsent(&c->wire) == 0 || c->state != CONNECTION_STREAMING)
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

/* The next message begins behind this one. */
static void
next_message(struct connection *c)
{
	c->begin += c->parser.fed;
	if (c->begin == c->in.len) {
		c->begin = c->in.len = 0;
		if (c->in.cap > IN_BYTES_KEPT)
			buf_clear(&c->in);
	}
	parser_init(&c->parser, &c->server->limits);
	connection_set_deadline(c, DEADLINE_NONE);
	go_on_reading(c);
	c->state = CONNECTION_READING;
}

/* The answer has gone to the socket. */
static void
written(struct connection *c, bool close)
{
	if (close)
		linger(c);
	else
		next_message(c);
}

/* The request is answered. */
static void
finish(struct connection *c)
{
	bool close = c->request.close;

	assert(c->request.answered);
	connection_clear_request(c);
	c->request.close = close; /* still to be known when the answer is out */
	c->state = CONNECTION_WRITING;
	connection_count_buffered(c);
	if (wire_unsent(&c->wire) > 0)
		connection_set_deadline(c, DEADLINE_RESPONSE);
	else
		written(c, close);
}

/* The answer goes on without end. A reader cannot hold more in the kernel than here. */
static void
stream(struct connection *c)
{
	c->state = CONNECTION_STREAMING;
	wire_limit_kernel(&c->wire, (size_t)c->server->options->stream_buffer);
	connection_set_deadline(c, DEADLINE_NONE);
	forget_ahead(c);
	reader_start(c->request.reader);
}

void
connection_end(struct connection *c)
{
	assert(c->state == CONNECTION_STREAMING);
	connection_hold(c);
	finish(c);
	connection_release(c);
}

void
connection_drop(struct connection *c)
{
	assert(c->state == CONNECTION_STREAMING);
	connection_close(c);
}

void
connection_refuse(struct connection *c, const struct error *err)
{
	c->request.close = true;
	c->request.method = c->parser.http.method;
	if (c->parser.target.start > 0)
		c->request.hook = hooks_own(parser_text(c->in.data + c->begin, c->parser.target));
	problem_send(&c->request, err);
	finish(c);
}

/* --- requests --- */

bool
connection_has_unread(const struct connection *c)
{
	return c->in.len > c->begin || c->ahead.len > 0 || c->ended;
}

static void
answer_op(struct request *request)
{
	if (request->op.error.code == ERROR_NONE)
		request->answer(request);
	else if (request->fail != NULL)
		request->fail(request);
	else
		problem_send(request, &request->op.error);
}

/* What the op will be answered with is known, and not yet durable. */
static void
op_prepare(struct op *op, void *arg)
{
	struct connection *c = arg;

	assert(op == &c->request.op && c->op_under_way);
	if (c->state != CONNECTION_WORKING)
		return;
	c->preparing = true;
	answer_op(&c->request);
	c->preparing = false;
}

static void
send_prepared(struct connection *c)
{
	connection_send(c, c->answer.data, c->answer.len);
	c->answer.len = 0;
	if (c->answer.cap > ANSWER_BYTES_KEPT)
		buf_clear(&c->answer);
}

/* An op has come back. Its answer may have been what the next one needed. */
static void
op_done(struct op *op, void *arg)
{
	struct connection *c = arg;

	assert(op == &c->request.op && c->op_under_way);
	c->op_under_way = false;
	connection_hold(c);
	if (c->state == CONNECTION_WORKING) {
		if (c->answer.len > 0)
			send_prepared(c);
		else
			answer_op(&c->request);
		if (!c->op_under_way)
			finish(c);
	}
	if (c->state == CONNECTION_READING && connection_has_unread(c))
		connection_set_resumable(c, true);
	else if (c->state == CONNECTION_READING)
		connection_set_deadline(c, DEADLINE_IDLE);
	connection_release(c);
}

void
request_submit(struct request *request, request_handler *answer, request_handler *fail)
{
	request->answer = answer;
	request->fail = fail;
	request->op.done = op_done;
	request->op.arg = request->connection;
	request->connection->op_under_way = true;
	engine_submit(request->server->engine, &request->op);
}

void
request_submit_prepared(struct request *request, request_handler *answer)
{
	if (request->body.len <= PREPARED_BODY_BYTES_MAX)
		request->op.prepare = op_prepare;
	request_submit(request, answer, NULL);
}

bool
request_cancel_wait(struct request *request)
{
	if (!engine_cancel_wait(request->server->engine, &request->op))
		return false;
	op_done(&request->op, request->connection);
	return true;
}

/* Text of the request points into the buffer, which may have moved since the head was read. */
static void
bind_request(struct connection *c)
{
	struct request *request = &c->request;
	const char *base = c->in.data + c->begin;

	for (int i = 0; i < HEADERS; i++)
		request->headers[i] = parser_text(base, c->parser.headers[i]);
	request->body = (struct str){ base + c->parser.head_len, c->parser.body_len };
	/* no call that has a body asks for these, so they are not followed */
	if (c->parser.has_body) {
		request->path = STR_NULL;
		request->query = STR_NULL;
	}
}

static bool
ends_connection(const struct connection *c)
{
	return c->requests >= (uint64_t)c->server->options->max_requests_per_connection ||
	       !parser_keeps_alive(&c->parser);
}

static void
head_arrived(struct connection *c)
{
	struct request *request = &c->request;
	struct str target = parser_text(c->in.data + c->begin, c->parser.target);
	bool waits = c->parser.headers[HEADER_EXPECT].start != 0 &&
		     c->parser.http.http_minor == 1 && c->parser.has_body;

	c->requests++;
	c->server->stats.requests++;
	bind_request(c);
	request->method = c->parser.http.method;
	request->http_1_0 = c->parser.http.http_minor == 0;
	request->hook = hooks_own(target);
	request->address = c->peer != NULL ? c->peer->key : 0;
	if (target_split(target, &request->path, &request->query, &c->refusal) != 0) {
		connection_refuse(c, &c->refusal);
		return;
	}
	c->refusal.code = ERROR_NONE;
	if (admission_check(request, &c->parser, &c->listener->endpoint, &c->memo, &c->refusal) !=
	    0)
		c->parser.drop_body = true;
	request->close = ends_connection(c);
	if (c->refusal.code == ERROR_NONE)
		c->server->stats.calls[request->call - calls]++;
	if (!waits)
		return;
	if (c->refusal.code == ERROR_NONE)
		connection_send(c, CONTINUE, sizeof(CONTINUE) - 1);
	else
		connection_refuse(c, &c->refusal); /* the body will not come */
}

static void
message_arrived(struct connection *c)
{
	c->state = CONNECTION_WORKING;
	if (c->refusal.code != ERROR_NONE)
		problem_send(&c->request, &c->refusal);
	else {
		bind_request(c);
		c->request.call->handle(&c->request);
	}
	if (c->request.reader != NULL)
		stream(c);
	else if (c->request.answered)
		finish(c);
	else
		connection_set_deadline(c, c->request.waiter != NULL ? DEADLINE_NONE
								     : DEADLINE_RESPONSE);
}

/* --- in --- */

/* Room behind what is there. What was answered goes to make it. */
static char *
make_room(struct connection *c, size_t len)
{
	if (c->begin > 0) {
		memmove(c->in.data, c->in.data + c->begin, c->in.len - c->begin);
		c->in.len -= c->begin;
		c->begin = 0;
	}
	buf_reserve(&c->in, len);
	return c->in.data + c->in.len;
}

static void
count_pulled(struct connection *c, size_t len)
{
	c->in.len += len;
	c->server->stats.bytes_in += len;
	connection_count_buffered(c);
}

/* Moves what was read ahead behind what is there. False if there is nothing. */
static bool
pull(struct connection *c)
{
	size_t len = c->ahead.len;

	if (len == 0)
		return false;
	memcpy(make_room(c, len), c->ahead.data, len);
	buf_clear(&c->ahead);
	go_on_reading(c);
	count_pulled(c, len);
	return true;
}

/* The client sends no more, or is gone. */
static void
end_input(struct connection *c, ssize_t why)
{
	c->ended = true;
	wire_ignore(&c->wire);
	if (why == WIRE_BROKEN) {
		c->server->stats.hang_ups++;
		connection_close(c);
	} else if (c->state == CONNECTION_LINGERING || c->state == CONNECTION_STREAMING ||
		   c->request.waiter != NULL)
		connection_close(c);
}

/*
 * Reads on. Room is made for the rest of a body at once, as admission has allowed. False if nothing
 * came.
 */
static bool
receive(struct connection *c)
{
	size_t missing = (size_t)parser_body_missing(&c->parser),
	       len = missing > 0 ? missing : READ_BYTES;
	ssize_t n = wire_read(&c->wire, make_room(c, len), len);

	if (n > 0)
		count_pulled(c, (size_t)n);
	else if (n < 0)
		end_input(c, n);
	return n > 0;
}

/* A long body would otherwise come in pieces, and wait for as many commits of others. */
static bool
receive_body(struct connection *c)
{
	return parser_body_missing(&c->parser) > 0 && !c->ended && receive(c);
}

/*
 * The present message may grow: what is over the small size that everybody has counts against all.
 */
static bool
overfilled(const struct connection *c)
{
	return c->in.cap > IN_BYTES_KEPT &&
	       c->server->stats.buffered_bytes > (uint64_t)c->server->options->max_buffered_bytes;
}

static void
read_on(struct connection *c)
{
	struct error err;

	switch (parser_feed(&c->parser, c->in.data + c->begin, c->in.len - c->begin)) {
	case PARSED_MORE:
		c->in.len = c->begin + parser_end(&c->parser);
		if (overfilled(c)) {
			error_set(&err, ERROR_QUEUE_FULL,
				  "too much is buffered for other connections");
			connection_refuse(c, &err);
		}
		break;
	case PARSED_HEAD:
		head_arrived(c);
		break;
	case PARSED_DONE:
		message_arrived(c);
		break;
	case PARSED_FAILED:
		connection_refuse(c, &c->parser.error);
		break;
	}
}

/* The client has ended while we wait for a request, or for the rest of one. */
static void
input_ended(struct connection *c)
{
	struct error err;

	if (c->in.len == c->begin) {
		connection_close(c);
		return;
	}
	error_set(&err, ERROR_BAD_REQUEST, "the request is not complete");
	connection_refuse(c, &err);
}

/* What the client must do next, and by when. */
static void
watch(struct connection *c)
{
	enum deadline_kind kind = c->parser.head_len > 0                     ? DEADLINE_BODY
				  : c->in.len > c->begin || c->requests == 0 ? DEADLINE_HEADERS
									     : DEADLINE_IDLE;

	if (kind == c->deadline.kind)
		return;
	connection_set_deadline(c, kind);
	if (kind == DEADLINE_BODY) {
		c->body_began_ms = monotonic_ms();
		c->body_looked = c->parser.body_seen;
	}
}

/* A head without a body is a whole request, but the parser must be asked once more to say so. */
static bool
lacks_nothing(const struct connection *c)
{
	return c->parser.head_len > 0 && !c->parser.has_body;
}

void
connection_advance(struct connection *c)
{
	while (c->state == CONNECTION_READING && (c->in.len > c->begin + c->parser.fed ||
						  lacks_nothing(c) || pull(c) || receive_body(c)))
		read_on(c);
	if (c->state != CONNECTION_READING)
		return;
	if (c->ended)
		input_ended(c);
	else
		watch(c);
}

/* --- what libevent tells --- */

/*
 * While a request is under way, or what came before is still to be looked at: what comes then
 * waits, up to a limit.
 */
static void
read_ahead(struct connection *c)
{
	size_t most = (size_t)c->server->options->max_pipelined_bytes;
	ssize_t n;

	buf_reserve(&c->ahead, READ_BYTES);
	n = wire_read(&c->wire, c->ahead.data + c->ahead.len, READ_BYTES);
	if (n < 0)
		end_input(c, n);
	else
		c->ahead.len += (size_t)n;
	connection_count_buffered(c);
	if (c->ahead.len >= most)
		pause_reading(c);
}

static void
throw_away(struct connection *c)
{
	char bytes[READ_BYTES];
	ssize_t n = wire_read(&c->wire, bytes, sizeof(bytes));

	if (n < 0)
		end_input(c, n);
}

static void
on_readable(int fd, short what, void *arg)
{
	struct connection *c = arg;

	(void)fd, (void)what;
	connection_hold(c);
	if (c->state == CONNECTION_READING && !c->resumable) {
		receive(c);
		connection_advance(c);
	} else if (c->state == CONNECTION_STREAMING || c->state == CONNECTION_LINGERING)
		throw_away(c);
	else
		read_ahead(c);
	connection_release(c);
}

static void
all_sent(struct connection *c)
{
	if (c->state == CONNECTION_STREAMING) {
		connection_set_deadline(c, DEADLINE_NONE);
		connection_count_buffered(c);
		reader_caught_up(c->request.reader);
	} else if (c->state == CONNECTION_WRITING)
		written(c, c->request.close);
	if (c->state == CONNECTION_READING)
		connection_advance(c);
}

static void
on_writable(int fd, short what, void *arg)
{
	struct connection *c = arg;

	(void)fd, (void)what;
	connection_hold(c);
	if (wire_flush(&c->wire) != 0)
		end_input(c, WIRE_BROKEN);
	else if (wire_unsent(&c->wire) == 0)
		all_sent(c);
	connection_release(c);
}

void
connection_start(struct connection *c, int fd)
{
	wire_open(&c->wire, c->server->base, fd, on_readable, on_writable, c);
	wire_listen(&c->wire);
}
