/*
 * connection.c - the way of a request through the server, from the socket to a handler and back.
 *
 * Read it from the end: what libevent tells; reading on, to the parser; a head, a message; the handler's answer or its op,
 * which comes back; the answer to the socket. The states are explained in connection_private.h.
 */
#include "server/http/connection_private.h"

#include <assert.h>
#include <string.h>

#include "server/http/admission.h"
#include "server/calls/hooks.h"
#include "server/http/problem.h"
#include "server/calls/routes.h"
#include "server/calls/stream.h"
#include "server/http/target.h"
#include "server/calls/wait.h"

#define IN_BYTES_KEPT 65536 /* a larger buffer is given back after its request */
#define ANSWER_BYTES_KEPT 4096
#define PREPARED_BODY_BYTES_MAX 4096 /* all answers of a turn are in memory at once: not those to long requests */
#define READ_BYTES 2048              /* asked for at once, where nothing says how much will come */
#define CONTINUE "HTTP/1.1 100 Continue\r\n\r\n"

/*
 * The socket stays readable for as long as something is left in it, and the loop would turn for nothing: until the request
 * is answered it is therefore not watched. (The end of a waiting client that has sent so much is seen when its time is over.)
 */
static void
pause_reading(struct sevq_connection *c)
{
	c->paused = true;
	sevq_wire_ignore(&c->wire);
}

static void
go_on_reading(struct sevq_connection *c)
{
	if (c->paused && !c->ended)
		sevq_wire_listen(&c->wire);
	c->paused = false;
}

/* Nothing that was read ahead will be looked at. */
static void
forget_ahead(struct sevq_connection *c)
{
	sevq_buf_clear(&c->ahead);
	sevq_connection_count_buffered(c);
}

/* After the last answer. */
static void
linger(struct sevq_connection *c)
{
	if (c->ended) {
		sevq_connection_close(c);
		return;
	}
	c->state = SEVQ_LINGERING;
	sevq_buf_clear(&c->in);
	c->begin = 0;
	forget_ahead(c);
	go_on_reading(c);
	sevq_wire_end(&c->wire);
	sevq_connection_set_deadline(c, SEVQ_DEADLINE_LINGER);
}

/* Out. */

void
sevq_connection_send(struct sevq_connection *c, const char *data, size_t len)
{
	if (c->preparing) {
		sevq_buf_add(&c->answer, data, len);
		return;
	}
	c->server->stats.bytes_out += len;
	sevq_wire_send(&c->wire, data, len);
	if (sevq_wire_unsent(&c->wire) == 0 || c->state != SEVQ_STREAMING)
		return;
	sevq_connection_count_buffered(c);
	if (c->deadline.kind == SEVQ_DEADLINE_NONE)
		sevq_connection_set_deadline(c, SEVQ_DEADLINE_RESPONSE);
}

size_t
sevq_connection_unsent(const struct sevq_connection *c)
{
	return sevq_wire_unsent(&c->wire);
}

/* The next message begins behind this one. */
static void
next_message(struct sevq_connection *c)
{
	c->begin += c->parser.fed;
	if (c->begin == c->in.len) {
		c->begin = c->in.len = 0;
		if (c->in.cap > IN_BYTES_KEPT)
			sevq_buf_clear(&c->in);
	}
	sevq_parser_init(&c->parser, &c->server->limits);
	sevq_connection_set_deadline(c, SEVQ_DEADLINE_NONE);
	go_on_reading(c);
	c->state = SEVQ_READING;
}

/* The answer has gone to the socket. */
static void
written(struct sevq_connection *c, bool close)
{
	if (close)
		linger(c);
	else
		next_message(c);
}

/* The request is answered. */
static void
finish(struct sevq_connection *c)
{
	bool close = c->request.close;

	assert(c->request.answered);
	sevq_connection_clear_request(c);
	c->request.close = close; /* still to be known when the answer is out */
	c->state = SEVQ_WRITING;
	sevq_connection_count_buffered(c);
	if (sevq_wire_unsent(&c->wire) > 0)
		sevq_connection_set_deadline(c, SEVQ_DEADLINE_RESPONSE);
	else
		written(c, close);
}

/* The answer goes on without end. A reader cannot hold more in the kernel than here. */
static void
stream(struct sevq_connection *c)
{
	c->state = SEVQ_STREAMING;
	sevq_wire_limit_kernel(&c->wire, (size_t)c->server->options->stream_buffer);
	sevq_connection_set_deadline(c, SEVQ_DEADLINE_NONE);
	forget_ahead(c);
	sevq_reader_start(c->request.reader);
}

void
sevq_connection_end(struct sevq_connection *c)
{
	assert(c->state == SEVQ_STREAMING);
	sevq_connection_hold(c);
	finish(c);
	sevq_connection_let_go(c);
}

void
sevq_connection_drop(struct sevq_connection *c)
{
	assert(c->state == SEVQ_STREAMING);
	sevq_connection_close(c);
}

void
sevq_connection_refuse(struct sevq_connection *c, const struct sevq_error *err)
{
	c->request.close = true;
	c->request.method = c->parser.http.method;
	if (c->parser.target.start > 0)
		c->request.hook = sevq_hooks_own(sevq_parser_text(c->in.data + c->begin, c->parser.target));
	sevq_problem_send(&c->request, err);
	finish(c);
}

/* Requests. */

bool
sevq_connection_has_unread(const struct sevq_connection *c)
{
	return c->in.len > c->begin || c->ahead.len > 0 || c->ended;
}

static void
answer_op(struct sevq_request *request)
{
	if (request->op.error.code == SEVQ_OK)
		request->answer(request);
	else if (request->fail != NULL)
		request->fail(request);
	else
		sevq_problem_send(request, &request->op.error);
}

/* What the op will be answered with is known, and not yet durable. */
static void
op_prepare(struct sevq_op *op, void *arg)
{
	struct sevq_connection *c = arg;

	assert(op == &c->request.op && c->op_under_way);
	if (c->state != SEVQ_WORKING)
		return;
	c->preparing = true;
	answer_op(&c->request);
	c->preparing = false;
}

static void
send_prepared(struct sevq_connection *c)
{
	sevq_connection_send(c, c->answer.data, c->answer.len);
	c->answer.len = 0;
	if (c->answer.cap > ANSWER_BYTES_KEPT)
		sevq_buf_clear(&c->answer);
}

/* An op has come back. Its answer may have been what the next one needed. */
static void
op_done(struct sevq_op *op, void *arg)
{
	struct sevq_connection *c = arg;

	assert(op == &c->request.op && c->op_under_way);
	c->op_under_way = false;
	sevq_connection_hold(c);
	if (c->state == SEVQ_WORKING) {
		if (c->answer.len > 0)
			send_prepared(c);
		else
			answer_op(&c->request);
		if (!c->op_under_way)
			finish(c);
	}
	if (c->state == SEVQ_READING && sevq_connection_has_unread(c))
		sevq_connection_set_resumable(c, true);
	else if (c->state == SEVQ_READING)
		sevq_connection_set_deadline(c, SEVQ_DEADLINE_IDLE);
	sevq_connection_let_go(c);
}

void
sevq_request_submit(struct sevq_request *request, sevq_handler *answer, sevq_handler *fail)
{
	request->answer = answer;
	request->fail = fail;
	request->op.done = op_done;
	request->op.arg = request->connection;
	request->connection->op_under_way = true;
	sevq_engine_submit(request->server->engine, &request->op);
}

void
sevq_request_submit_short(struct sevq_request *request, sevq_handler *answer)
{
	if (request->body.len <= PREPARED_BODY_BYTES_MAX)
		request->op.prepare = op_prepare;
	sevq_request_submit(request, answer, NULL);
}

bool
sevq_request_take_back(struct sevq_request *request)
{
	if (!sevq_engine_unpark(request->server->engine, &request->op))
		return false;
	op_done(&request->op, request->connection);
	return true;
}

/* Text of the request points into the buffer, which may have moved since the head was read. */
static void
bind_request(struct sevq_connection *c)
{
	struct sevq_request *request = &c->request;
	const char *base = c->in.data + c->begin;

	for (int i = 0; i < SEVQ_HEADERS; i++)
		request->headers[i] = sevq_parser_text(base, c->parser.headers[i]);
	request->body = (struct sevq_str){ base + c->parser.head_len, c->parser.body_len };
	if (c->parser.has_body) { /* no call that has a body asks for these, so they are not followed */
		request->path = SEVQ_STR_NULL;
		request->query = SEVQ_STR_NULL;
	}
}

static bool
ends_connection(const struct sevq_connection *c)
{
	return c->requests >= (uint64_t)c->server->options->max_requests_per_connection || !sevq_parser_keeps_alive(&c->parser);
}

static void
head_arrived(struct sevq_connection *c)
{
	struct sevq_request *request = &c->request;
	struct sevq_str target = sevq_parser_text(c->in.data + c->begin, c->parser.target);
	bool waits = c->parser.headers[SEVQ_HEADER_EXPECT].start != 0 && c->parser.http.http_minor == 1 && c->parser.has_body;

	c->requests++;
	c->server->stats.requests++;
	bind_request(c);
	request->method = c->parser.http.method;
	request->http_1_0 = c->parser.http.http_minor == 0;
	request->hook = sevq_hooks_own(target);
	request->address = c->peer != NULL ? c->peer->key : 0;
	if (sevq_target_split(target, &request->path, &request->query, &c->refusal) != 0) {
		sevq_connection_refuse(c, &c->refusal);
		return;
	}
	c->refusal.code = SEVQ_OK;
	if (sevq_admit(request, &c->parser, &c->listener->endpoint, &c->memo, &c->refusal) != 0)
		c->parser.drop_body = true;
	request->close = ends_connection(c);
	if (c->refusal.code == SEVQ_OK)
		c->server->stats.calls[request->call - sevq_calls]++;
	if (!waits)
		return;
	if (c->refusal.code == SEVQ_OK)
		sevq_connection_send(c, CONTINUE, sizeof(CONTINUE) - 1);
	else
		sevq_connection_refuse(c, &c->refusal); /* the body will not come */
}

static void
message_arrived(struct sevq_connection *c)
{
	c->state = SEVQ_WORKING;
	if (c->refusal.code != SEVQ_OK)
		sevq_problem_send(&c->request, &c->refusal);
	else {
		bind_request(c);
		c->request.call->handle(&c->request);
	}
	if (c->request.reader != NULL)
		stream(c);
	else if (c->request.answered)
		finish(c);
	else
		sevq_connection_set_deadline(c, c->request.waiter != NULL ? SEVQ_DEADLINE_NONE : SEVQ_DEADLINE_RESPONSE);
}

/* In. */

/* Room behind what is there. What was answered goes to make it. */
static char *
make_room(struct sevq_connection *c, size_t len)
{
	if (c->begin > 0) {
		memmove(c->in.data, c->in.data + c->begin, c->in.len - c->begin);
		c->in.len -= c->begin;
		c->begin = 0;
	}
	sevq_buf_reserve(&c->in, len);
	return c->in.data + c->in.len;
}

static void
count_pulled(struct sevq_connection *c, size_t len)
{
	c->in.len += len;
	c->server->stats.bytes_in += len;
	sevq_connection_count_buffered(c);
}

/* Moves what was read ahead behind what is there. False if there is nothing. */
static bool
pull(struct sevq_connection *c)
{
	size_t len = c->ahead.len;

	if (len == 0)
		return false;
	memcpy(make_room(c, len), c->ahead.data, len);
	sevq_buf_clear(&c->ahead);
	go_on_reading(c);
	count_pulled(c, len);
	return true;
}

/* The client sends no more, or is gone. */
static void
end_input(struct sevq_connection *c, ssize_t why)
{
	c->ended = true;
	sevq_wire_ignore(&c->wire);
	if (why == SEVQ_WIRE_BROKEN) {
		c->server->stats.hang_ups++;
		sevq_connection_close(c);
	} else if (c->state == SEVQ_LINGERING || c->state == SEVQ_STREAMING || c->request.waiter != NULL)
		sevq_connection_close(c);
}

/* Reads on. Room is made for the rest of a body at once, as admission has allowed. False if nothing came. */
static bool
receive(struct sevq_connection *c)
{
	size_t missing = (size_t)sevq_parser_body_missing(&c->parser), len = missing > 0 ? missing : READ_BYTES;
	ssize_t n = sevq_wire_read(&c->wire, make_room(c, len), len);

	if (n > 0)
		count_pulled(c, (size_t)n);
	else if (n < 0)
		end_input(c, n);
	return n > 0;
}

/* A long body would otherwise come in pieces, and wait for as many commits of others. */
static bool
receive_body(struct sevq_connection *c)
{
	return sevq_parser_body_missing(&c->parser) > 0 && !c->ended && receive(c);
}

/* The present message may grow: what is over the small size that everybody has counts against all. */
static bool
overfilled(const struct sevq_connection *c)
{
	return c->in.cap > IN_BYTES_KEPT && c->server->stats.buffered_bytes > (uint64_t)c->server->options->max_buffered_bytes;
}

static void
read_on(struct sevq_connection *c)
{
	struct sevq_error err;

	switch (sevq_parser_feed(&c->parser, c->in.data + c->begin, c->in.len - c->begin)) {
	case SEVQ_PARSED_MORE:
		c->in.len = c->begin + sevq_parser_end(&c->parser);
		if (overfilled(c)) {
			sevq_fail(&err, SEVQ_QUEUE_FULL, "too much is buffered for other connections");
			sevq_connection_refuse(c, &err);
		}
		break;
	case SEVQ_PARSED_HEAD:
		head_arrived(c);
		break;
	case SEVQ_PARSED_DONE:
		message_arrived(c);
		break;
	case SEVQ_PARSED_FAILED:
		sevq_connection_refuse(c, &c->parser.error);
		break;
	}
}

/* The client has ended while we wait for a request, or for the rest of one. */
static void
input_ended(struct sevq_connection *c)
{
	struct sevq_error err;

	if (c->in.len == c->begin) {
		sevq_connection_close(c);
		return;
	}
	sevq_fail(&err, SEVQ_BAD_REQUEST, "the request is not complete");
	sevq_connection_refuse(c, &err);
}

/* What the client must do next, and by when. */
static void
watch(struct sevq_connection *c)
{
	enum sevq_deadline_kind kind = c->parser.head_len > 0                     ? SEVQ_DEADLINE_BODY
				       : c->in.len > c->begin || c->requests == 0 ? SEVQ_DEADLINE_HEADERS
										  : SEVQ_DEADLINE_IDLE;

	if (kind == c->deadline.kind)
		return;
	sevq_connection_set_deadline(c, kind);
	if (kind == SEVQ_DEADLINE_BODY) {
		c->body_began_ms = sevq_now_ms();
		c->body_looked = c->parser.body_seen;
	}
}

/* A head without a body is a whole request, but the parser must be asked once more to say so. */
static bool
lacks_nothing(const struct sevq_connection *c)
{
	return c->parser.head_len > 0 && !c->parser.has_body;
}

void
sevq_connection_advance(struct sevq_connection *c)
{
	while (c->state == SEVQ_READING && (c->in.len > c->begin + c->parser.fed || lacks_nothing(c) || pull(c) || receive_body(c)))
		read_on(c);
	if (c->state != SEVQ_READING)
		return;
	if (c->ended)
		input_ended(c);
	else
		watch(c);
}

/* What libevent tells. */

/* While a request is under way, or what came before is still to be looked at: what comes then waits, up to a limit. */
static void
read_ahead(struct sevq_connection *c)
{
	size_t most = (size_t)c->server->options->max_pipelined_bytes;
	ssize_t n;

	sevq_buf_reserve(&c->ahead, READ_BYTES);
	n = sevq_wire_read(&c->wire, c->ahead.data + c->ahead.len, READ_BYTES);
	if (n < 0)
		end_input(c, n);
	else
		c->ahead.len += (size_t)n;
	sevq_connection_count_buffered(c);
	if (c->ahead.len >= most)
		pause_reading(c);
}

static void
throw_away(struct sevq_connection *c)
{
	char bytes[READ_BYTES];
	ssize_t n = sevq_wire_read(&c->wire, bytes, sizeof bytes);

	if (n < 0)
		end_input(c, n);
}

static void
on_readable(int fd, short what, void *arg)
{
	struct sevq_connection *c = arg;

	(void)fd, (void)what;
	sevq_connection_hold(c);
	if (c->state == SEVQ_READING && !c->resumable) {
		receive(c);
		sevq_connection_advance(c);
	} else if (c->state == SEVQ_STREAMING || c->state == SEVQ_LINGERING)
		throw_away(c);
	else
		read_ahead(c);
	sevq_connection_let_go(c);
}

static void
all_sent(struct sevq_connection *c)
{
	if (c->state == SEVQ_STREAMING) {
		sevq_connection_set_deadline(c, SEVQ_DEADLINE_NONE);
		sevq_connection_count_buffered(c);
		sevq_reader_caught_up(c->request.reader);
	} else if (c->state == SEVQ_WRITING)
		written(c, c->request.close);
	if (c->state == SEVQ_READING)
		sevq_connection_advance(c);
}

static void
on_writable(int fd, short what, void *arg)
{
	struct sevq_connection *c = arg;

	(void)fd, (void)what;
	sevq_connection_hold(c);
	if (sevq_wire_flush(&c->wire) != 0)
		end_input(c, SEVQ_WIRE_BROKEN);
	else if (sevq_wire_unsent(&c->wire) == 0)
		all_sent(c);
	sevq_connection_let_go(c);
}

void
sevq_connection_listen(struct sevq_connection *c, int fd)
{
	sevq_wire_open(&c->wire, c->server->base, fd, on_readable, on_writable, c);
	sevq_wire_listen(&c->wire);
}
