/*
 * exchange.c - one request after the other: bytes, head, message, handler, answer.
 *
 * In the order of a request: what libevent calls and reading come first, then the head, then the
 * handler and its answer, then what follows the answer. connection.h explains the states.
 */
#include "server/http/exchange.h"

#include <assert.h>
#include <string.h>

#include "queue/clock.h"
#include "server/http/admission.h"
#include "server/http/connection.h"
#include "server/http/handshake.h"
#include "server/http/problem.h"
#include "server/http/reply.h"
#include "server/http/target.h"
#include "server/log.h"

#define IN_BYTES_KEPT 65536 /* a larger buffer is freed after its request */
#define ANSWER_BYTES_KEPT 4096
#define READ_BYTES 2048 /* asked for at once, where nothing says how much will come */
#define CONTINUE "HTTP/1.1 100 Continue\r\n\r\n"

static void finish(struct connection *c);

/* --- reading --- */

static void
resume_reading(struct connection *c)
{
	if (c->paused && !c->ended)
		wire_listen(&c->wire);
	c->paused = false;
}

/* The client sends no more, or is gone. A request that waits for events has nobody to wait for. */
static void
end_input(struct connection *c, ssize_t why)
{
	c->ended = true;
	wire_ignore(&c->wire);
	if (why == WIRE_BROKEN)
		c->http->stats.hang_ups++;
	if (why == WIRE_BROKEN || c->state == CONNECTION_LINGERING || c->request.state != NULL)
		connection_close(c);
}

/* Makes room behind the input by moving it over the requests that were answered. */
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

/*
 * Reads from the socket. For a body that admission has let pass, room for all of the rest is made
 * at once. False if nothing came.
 */
static bool
receive(struct connection *c)
{
	size_t missing = (size_t)parser_body_missing(&c->parser),
	       len = missing > 0 ? missing : READ_BYTES;
	ssize_t n = wire_read(&c->wire, make_room(c, len), len);

	if (n < 0)
		end_input(c, n);
	if (n <= 0)
		return false;
	c->in.len += (size_t)n;
	c->http->stats.bytes_in += (uint64_t)n;
	connection_count_buffered(c);
	return true;
}

/* Moves what was read ahead behind the input. */
static void
take_ahead(struct connection *c)
{
	size_t len = c->ahead.len;

	memcpy(make_room(c, len), c->ahead.data, len);
	buf_clear(&c->ahead);
	resume_reading(c);
	c->in.len += len;
	c->http->stats.bytes_in += len;
	connection_count_buffered(c);
}

/*
 * Whether the parser has something to do. A head without a body is a whole request, but the parser
 * must be asked once more to say so. A long body is read to its end here: otherwise it would come
 * in pieces, and each piece would wait for a commit of other requests.
 */
static bool
has_input(struct connection *c)
{
	bool is_complete = c->parser.head_len > 0 && !c->parser.has_body;

	if (c->in.len > c->begin + c->parser.fed || is_complete)
		return true;
	if (c->ahead.len > 0) {
		take_ahead(c);
		return true;
	}
	return parser_body_missing(&c->parser) > 0 && !c->ended && receive(c);
}

/* Input that comes before the present request is answered waits, up to a limit. */
static void
read_ahead(struct connection *c)
{
	ssize_t n;

	buf_reserve(&c->ahead, READ_BYTES);
	n = wire_read(&c->wire, c->ahead.data + c->ahead.len, READ_BYTES);
	if (n < 0)
		end_input(c, n);
	else
		c->ahead.len += (size_t)n;
	connection_count_buffered(c);
	if (c->ahead.len < c->http->limits.pipelined_bytes_max)
		return;
	/*
	 * The socket stays readable while anything is left in it, and would wake the loop for
	 * nothing. So it is not watched until the request is answered; that a waiting client has
	 * ended is then seen only when its time is over.
	 */
	c->paused = true;
	wire_ignore(&c->wire);
}

static void
on_readable(int fd, short what, void *arg)
{
	struct connection *c = arg;
	char unwanted[READ_BYTES];
	ssize_t n;

	(void)fd, (void)what;
	c->held = true;
	if (c->wire.handshaking)
		handshake_go_on(c);
	else if (c->state == CONNECTION_READING && !c->resumable) {
		receive(c);
		exchange_advance(c);
	} else if (c->state == CONNECTION_STREAMING || c->state == CONNECTION_LINGERING) {
		n = wire_read(&c->wire, unwanted, sizeof(unwanted));
		if (n < 0)
			end_input(c, n);
	} else
		read_ahead(c);
	if (http_turn_is_over(c->http))
		event_base_loopbreak(c->http->base); /* what else is readable comes next turn */
	connection_release(c);
}

/* --- the head --- */

/* Text of the request points into the input buffer, which may have moved since the head was read.
 */
static void
bind_request(struct connection *c)
{
	struct request *request = &c->request;
	const char *base = c->in.data + c->begin;

	for (int i = 0; i < HEADERS; i++)
		request->headers[i] = parser_text(base, c->parser.headers[i]);
	request->body = (struct str){ base + c->parser.head_len, c->parser.body_len };
	if (c->parser.has_body) /* no call that has a body reads these, so they are not kept up */
		request->path = request->query = STR_NULL;
}

/* target: from its path on */
static bool
is_for_webhook(const struct http *http, struct str target)
{
	const struct webhook *webhook = http->calls->webhook;

	return webhook != NULL && str_starts(target, webhook->path) &&
	       (target.len == webhook->path.len || target.s[webhook->path.len] == '?' ||
		target.s[webhook->path.len] == '/');
}

/*
 * Reads the target. Of a URL the authority counts, and not Host (RFC 9112 section 3.2.2): it must
 * name this server.
 */
static int
read_target(struct connection *c, struct str target)
{
	struct request *request = &c->request;
	struct str authority;

	if (target_split(target, &authority, &request->path, &request->query, &c->refusal) != 0)
		return -1;
	if (authority.s == NULL)
		return 0;
	if (!guard_knows(&c->http->guard, c->endpoint, authority))
		return error_set(&c->refusal, ERROR_BAD_REQUEST,
				 "the request target names another server");
	request->headers[HEADER_HOST] = authority;
	return 0;
}

static void
head_arrived(struct connection *c)
{
	struct request *request = &c->request;
	struct str target = parser_text(c->in.data + c->begin, c->parser.target);
	bool awaits_continue = c->parser.headers[HEADER_EXPECT].start != 0 &&
			       c->parser.http.http_minor == 1 && c->parser.has_body;

	c->requests++;
	c->http->stats.requests++;
	if (log_enabled(LOG_DEBUG))
		request->began_us = clock_monotonic_us();
	bind_request(c);
	request->method = c->parser.http.method;
	request->http_1_0 = c->parser.http.http_minor == 0;
	request->address = c->peer != NULL ? c->peer->key : 0;
	if (read_target(c, target) != 0) {
		exchange_refuse(c, &c->refusal);
		return;
	}
	request->webhook = is_for_webhook(c->http, request->path);
	c->refusal.code = ERROR_NONE;
	if (admission_check(request, &c->parser, c->endpoint, &c->memo, &c->refusal) != 0)
		c->parser.drop_body = true;
	request->close = c->requests >= c->http->limits.requests_per_connection_max ||
			 !parser_keeps_alive(&c->parser);
	if (awaits_continue && c->refusal.code == ERROR_NONE)
		connection_send(c, CONTINUE, sizeof(CONTINUE) - 1);
	else if (awaits_continue)
		exchange_refuse(c, &c->refusal); /* the body will not come */
}

/* --- the message --- */

static void
message_arrived(struct connection *c)
{
	struct request *request = &c->request;

	c->state = CONNECTION_WORKING;
	c->http->turn_work += HTTP_WORK_REQUEST + c->parser.fed / HTTP_WORK_BYTES;
	if (c->refusal.code != ERROR_NONE)
		problem_send(request, &c->refusal);
	else {
		bind_request(c);
		request->call->handle(request);
	}
	if (c->state == CONNECTION_STREAMING)
		return;
	if (request->answered)
		finish(c);
	else /* what may take long has a time limit of its own */
		connection_set_deadline(c,
					request->state != NULL ? DEADLINE_NONE : DEADLINE_RESPONSE);
}

/* Everything was parsed, and the message may grow: over IN_BYTES_KEPT the common limit counts. */
static void
expect_more(struct connection *c)
{
	struct error err;

	c->in.len = c->begin + parser_end(&c->parser);
	if (c->in.cap <= IN_BYTES_KEPT ||
	    c->http->stats.buffered_bytes <= c->http->limits.buffered_bytes_max)
		return;
	error_set(&err, ERROR_QUEUE_FULL,
		  "too much is buffered for other connections; --max-buffered-bytes is %llu",
		  (unsigned long long)c->http->limits.buffered_bytes_max);
	exchange_refuse(c, &err);
}

/* Nothing is left to parse. If the client has not ended, it must go on in time. */
static void
await_input(struct connection *c)
{
	enum deadline_kind kind = c->parser.head_len > 0                     ? DEADLINE_BODY
				  : c->in.len > c->begin || c->requests == 0 ? DEADLINE_HEADERS
									     : DEADLINE_IDLE;
	struct error err;

	if (c->ended && c->in.len == c->begin)
		connection_close(c);
	else if (c->ended) {
		error_set(&err, ERROR_BAD_REQUEST, "the request is not complete");
		exchange_refuse(c, &err);
	} else if (kind != c->deadline.kind) {
		connection_set_deadline(c, kind);
		if (kind == DEADLINE_BODY) {
			c->body_began_ms = clock_coarse_ms();
			c->body_looked = c->parser.body_seen;
		}
	}
}

void
exchange_advance(struct connection *c)
{
	while (c->state == CONNECTION_READING && has_input(c)) {
		if (http_turn_is_over(c->http)) {
			connection_set_resumable(c, true);
			return;
		}
		switch (parser_feed(&c->parser, c->in.data + c->begin, c->in.len - c->begin)) {
		case PARSED_MORE:
			expect_more(c);
			break;
		case PARSED_HEAD:
			head_arrived(c);
			break;
		case PARSED_DONE:
			message_arrived(c);
			break;
		case PARSED_FAILED:
			exchange_refuse(c, &c->parser.error);
			break;
		}
	}
	if (c->state == CONNECTION_READING)
		await_input(c);
}

/* --- the answer --- */

void
exchange_pend(struct request *request)
{
	request->connection->pending = true;
}

void
exchange_prepare(struct request *request, request_handler *answer)
{
	struct connection *c = request->connection;

	assert(c->pending);
	if (c->state != CONNECTION_WORKING)
		return;
	c->preparing = true;
	answer(request);
	c->preparing = false;
}

/* The answer may be sent: if so, what has been read ahead is the turn's next work. */
static void
read_next(struct connection *c)
{
	if (c->state == CONNECTION_READING && connection_has_unread(c))
		connection_set_resumable(c, true);
	else if (c->state == CONNECTION_READING)
		connection_set_deadline(c, DEADLINE_IDLE);
}

void
exchange_complete(struct request *request, request_handler *answer)
{
	struct connection *c = request->connection;

	assert(c->pending);
	c->pending = false;
	c->held = true;
	if (c->state == CONNECTION_WORKING) {
		if (c->refusal.code != ERROR_NONE) /* since it waits: its token was taken away */
			problem_send(request, &c->refusal);
		else if (c->answer.len == 0)
			answer(request);
		else {
			connection_send(c, c->answer.data, c->answer.len);
			c->answer.len = 0;
			if (c->answer.cap > ANSWER_BYTES_KEPT)
				buf_clear(&c->answer);
		}
		if (!c->pending)
			finish(c);
	}
	read_next(c);
	connection_release(c);
}

void
exchange_answer(struct connection *c)
{
	assert(c->state == CONNECTION_WRITING && c->request.slices != NULL);
	if (reply_send_slice(&c->request)) {
		c->request.slices = NULL;
		finish(c);
		read_next(c);
	} else if (c->state == CONNECTION_WRITING && wire_unsent(&c->wire) == 0)
		connection_set_answering(c, true);
}

void
exchange_refuse(struct connection *c, const struct error *err)
{
	struct str target = parser_text(c->in.data + c->begin, c->parser.target);

	c->request.close = true;
	c->request.method = c->parser.http.method;
	if (target.s != NULL)
		c->request.webhook = is_for_webhook(c->http, target_behind_authority(target));
	problem_send(&c->request, err);
	finish(c);
}

void
exchange_end_stream(struct request *request)
{
	struct connection *c = request->connection;

	assert(c->state == CONNECTION_STREAMING);
	c->held = true;
	finish(c);
	connection_release(c);
}

/* --- after the answer --- */

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
	connection_drop_ahead(c);
	resume_reading(c);
	wire_end(&c->wire);
	connection_set_deadline(c, DEADLINE_LINGER);
}

/* The socket has the whole answer: the next message begins behind this one. */
static void
after_answer(struct connection *c)
{
	if (c->request.close) {
		linger(c);
		return;
	}
	c->begin += c->parser.fed;
	if (c->begin == c->in.len) {
		c->begin = c->in.len = 0;
		if (c->in.cap > IN_BYTES_KEPT)
			buf_clear(&c->in);
	}
	parser_init(&c->parser, &c->http->limits.message);
	connection_set_deadline(c, DEADLINE_NONE);
	resume_reading(c);
	c->state = CONNECTION_READING;
}

/* The request is answered, but its parts are still needed. */
static void
finish_later(struct connection *c)
{
	c->state = CONNECTION_WRITING;
	connection_count_buffered(c);
	connection_set_deadline(c, DEADLINE_RESPONSE);
	connection_set_answering(c, true);
}

/* The request is answered: it ends here, its answer when the socket has taken it. */
static void
finish(struct connection *c)
{
	bool close = c->request.close;

	assert(c->request.answered);
	if (c->request.slices != NULL) {
		finish_later(c);
		return;
	}
	connection_clear_request(c);
	c->request.close = close; /* for after_answer */
	c->state = CONNECTION_WRITING;
	connection_count_buffered(c);
	if (wire_unsent(&c->wire) > 0)
		connection_set_deadline(c, DEADLINE_RESPONSE);
	else
		after_answer(c);
}

static void
on_writable(int fd, short what, void *arg)
{
	struct connection *c = arg;

	(void)fd, (void)what;
	c->held = true;
	if (c->wire.handshaking)
		handshake_go_on(c);
	else if (wire_flush(&c->wire) != 0)
		end_input(c, WIRE_BROKEN);
	else if (wire_unsent(&c->wire) == 0) {
		if (c->state == CONNECTION_STREAMING) {
			connection_set_deadline(c, DEADLINE_NONE);
			connection_count_buffered(c);
			c->request.call->drained(&c->request);
		} else if (c->request.slices != NULL)
			connection_set_answering(c, true);
		else if (c->state == CONNECTION_WRITING)
			after_answer(c);
		if (c->state == CONNECTION_READING)
			exchange_advance(c);
	}
	connection_release(c);
}

void
exchange_start(struct connection *c, int fd)
{
	wire_open(&c->wire, c->http->base, fd, on_readable, on_writable, c);
	c->wire.handshaking = c->endpoint->tls;
	wire_listen(&c->wire);
}
