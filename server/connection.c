/*
 * connection.c - the way of a request through the server, from the socket to a handler and back.
 *
 * A connection reads one request at a time:
 *
 *     READING   bytes go to the parser. Its head decides early what will be refused; its end hands the request on.
 *     WORKING   a handler has the request: it answers at once, or its op is in the engine's batch.
 *     WRITING   the answer did not fit into the socket; nothing more is read until it is gone.
 *     LINGERING our side is closed and what still arrives is thrown away, so that the client can read the last answer:
 *               closing at once would reset the connection and may destroy it on the way.
 *     DEAD      the client is gone, its op is not: the struct waits for it, the socket is closed already.
 *
 * What arrives while a request is under way waits in the bufferevent, up to --max-pipelined-bytes, then in the kernel. An
 * op's answer may come in the middle of the engine's turn, where no new op may be carried out; what was read ahead is
 * therefore parsed afterwards, from the list of resumable connections.
 *
 * The input buffer holds the present request and what was read behind it:
 *
 *     in.data  |... begin | parser.fed read ... | unread ... | in.len
 */
#include "server/connection.h"

#include <assert.h>
#include <errno.h>
#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "server/guard.h"
#include "server/problem.h"
#include "server/reply.h"
#include "server/routes.h"
#include "server/server.h"
#include "server/target.h"

#define IN_BYTES_KEPT 65536 /* a larger buffer is given back after its request */
#define BODY_READ_BYTES (256 << 10)
#define REFUSED_CONNECTIONS 128 /* that may stand over the limits to be told so */
#define CONTINUE "HTTP/1.1 100 Continue\r\n\r\n"

enum state { READING, WORKING, WRITING, LINGERING, DEAD };

/*
 * Invariants: 1. begin + parser.fed <= in.len. 2. Between two messages parser.fed is 0. 3. Outside this file's functions an
 * op is under way in WORKING and perhaps in DEAD, in no other state. 4. bev is NULL in DEAD only.
 */
struct sevq_connection {
	struct sevq_server *server;
	const struct sevq_listener *listener;
	struct bufferevent *bev;
	int fd;
	enum state state;
	bool ended;        /* the client has sent its end */
	bool resumable;    /* in that list */
	bool op_under_way; /* the engine has the request's op */
	bool held;         /* one of our functions has it in hand: not to be freed yet */
	struct sevq_buf in;
	size_t begin;
	struct sevq_parser parser;
	struct sevq_request request;
	struct sevq_error refusal; /* decided at the head, answered when the body has been read and dropped */
	char allow[64];            /* for a refusal with 405 */
	uint64_t requests;
	int64_t body_began_ms;
	size_t body_looked; /* body bytes at the last look */
	size_t buffered;    /* bytes counted in stats.buffered_bytes */
	struct sevq_deadline deadline;
	struct sevq_auth_memo memo;
	struct sevq_peer *peer;
	TAILQ_ENTRY(sevq_connection) link, resume_link;
};

/* Ends. */

static void
count_buffered(struct sevq_connection *c)
{
	size_t now = c->in.cap + (c->bev != NULL ? evbuffer_get_length(bufferevent_get_output(c->bev)) : 0);

	c->server->stats.buffered_bytes += now - c->buffered;
	c->buffered = now;
}

static void
clear_request(struct sevq_connection *c)
{
	sevq_op_clear(&c->request.op);
	sevq_arena_clear(&c->request.arena);
	c->request = (struct sevq_request){ .server = c->server, .connection = c };
}

static void
set_deadline(struct sevq_connection *c, enum sevq_deadline_kind kind)
{
	sevq_deadline_set(&c->server->deadlines, &c->deadline, kind);
}

static void
set_resumable(struct sevq_connection *c, bool resumable)
{
	if (c->resumable == resumable)
		return;
	c->resumable = resumable;
	if (resumable)
		TAILQ_INSERT_TAIL(&c->server->resumable, c, resume_link);
	else
		TAILQ_REMOVE(&c->server->resumable, c, resume_link);
}

/* The socket is closed here and now, not when libevent comes to it: its descriptor may be waited for. */
static void
close_socket(struct sevq_connection *c)
{
	bufferevent_setfd(c->bev, -1);
	bufferevent_free(c->bev);
	c->bev = NULL;
	close(c->fd);
	sevq_peers_leave(&c->server->peers, c->peer);
	c->server->stats.connections--;
	sevq_listeners_resume(c->server);
}

static void
connection_free(struct sevq_connection *c)
{
	clear_request(c);
	sevq_buf_clear(&c->in);
	count_buffered(c);
	TAILQ_REMOVE(&c->server->connections, c, link);
	free(c);
}

/* Whatever comes in from the loop or the engine takes the connection in hand, and lets it go at its end. */
static void
hold(struct sevq_connection *c)
{
	c->held = true;
}

static void
let_go(struct sevq_connection *c)
{
	c->held = false;
	if (c->state == DEAD && !c->op_under_way)
		connection_free(c);
}

/* Nothing more is read or written. The struct goes when nobody has it in hand and its op has come back. */
static void
connection_close(struct sevq_connection *c)
{
	set_deadline(c, SEVQ_DEADLINE_NONE);
	set_resumable(c, false);
	close_socket(c);
	c->state = DEAD;
	if (!c->held)
		let_go(c);
}

/* After the last answer. */
static void
linger(struct sevq_connection *c)
{
	if (c->ended) {
		connection_close(c);
		return;
	}
	c->state = LINGERING;
	sevq_buf_clear(&c->in);
	c->begin = 0;
	count_buffered(c);
	evbuffer_drain(bufferevent_get_input(c->bev), evbuffer_get_length(bufferevent_get_input(c->bev)));
	shutdown(c->fd, SHUT_WR);
	set_deadline(c, SEVQ_DEADLINE_LINGER);
}

/* Out. */

void
sevq_connection_send(struct sevq_connection *c, const char *data, size_t len)
{
	ssize_t sent = 0;

	c->server->stats.bytes_out += len;
	if (evbuffer_get_length(bufferevent_get_output(c->bev)) == 0) {
		sent = send(c->fd, data, len, MSG_NOSIGNAL | MSG_DONTWAIT);
		if (sent < 0)
			sent = 0; /* it is full, or broken: the bufferevent will find out */
	}
	if ((size_t)sent < len)
		bufferevent_write(c->bev, data + sent, len - (size_t)sent);
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
	set_deadline(c, SEVQ_DEADLINE_NONE);
	c->state = READING;
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
	clear_request(c);
	c->request.close = close; /* still to be known when the answer is out */
	c->state = WRITING;
	count_buffered(c);
	if (evbuffer_get_length(bufferevent_get_output(c->bev)) > 0)
		set_deadline(c, SEVQ_DEADLINE_RESPONSE);
	else
		written(c, close);
}

/* Answers with a failure and ends the connection: what follows on it means nothing. */
static void
refuse(struct sevq_connection *c, const struct sevq_error *err)
{
	c->request.close = true;
	c->request.method = c->parser.http.method;
	sevq_problem_send(&c->request, err, "");
	finish(c);
}

/* Requests. */

static bool
has_unread(const struct sevq_connection *c)
{
	return c->in.len > c->begin || evbuffer_get_length(bufferevent_get_input(c->bev)) > 0 || c->ended;
}

static void
answer_op(struct sevq_request *request)
{
	if (request->op.error.code == SEVQ_OK)
		request->answer(request);
	else if (request->fail != NULL)
		request->fail(request);
	else
		sevq_problem_send(request, &request->op.error, "");
}

/* An op has come back. */
static void
op_done(struct sevq_op *op, void *arg)
{
	struct sevq_connection *c = arg;

	assert(op == &c->request.op && c->op_under_way);
	c->op_under_way = false;
	hold(c);
	if (c->state == WORKING) {
		answer_op(&c->request);
		finish(c);
	}
	if (c->state == READING && has_unread(c))
		set_resumable(c, true);
	else if (c->state == READING)
		set_deadline(c, SEVQ_DEADLINE_IDLE);
	let_go(c);
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

/* Text of the request points into the buffer, which may have moved since the head was read. */
static void
bind_request(struct sevq_connection *c)
{
	struct sevq_request *request = &c->request;
	const char *base = c->in.data + c->begin;

	for (int i = 0; i < SEVQ_HEADERS; i++)
		request->headers[i] = sevq_parser_text(base, c->parser.headers[i]);
	request->body = (struct sevq_str){ base + c->parser.head_len, c->parser.body_len };
}

/* "Bearer TOKEN"; NULL for anything else. */
static struct sevq_str
bearer(struct sevq_str authorization)
{
	struct sevq_str token;

	if (authorization.len < 8 || strncasecmp(authorization.s, "Bearer ", 7) != 0)
		return SEVQ_STR_NULL;
	token = (struct sevq_str){ authorization.s + 7, authorization.len - 7 };
	while (token.len > 0 && token.s[0] == ' ') {
		token.s++;
		token.len--;
	}
	return token;
}

static int
check_token(struct sevq_connection *c, struct sevq_error *err)
{
	unsigned scopes, needed = c->request.call != NULL ? c->request.call->scope : SEVQ_SCOPE_ALL;
	struct sevq_str token;

	if (c->server->auth == NULL || needed == SEVQ_SCOPE_NONE)
		return 0;
	token = bearer(c->request.headers[SEVQ_HEADER_AUTHORIZATION]);
	scopes = token.s != NULL ? sevq_auth_recall(c->server->auth, &c->memo, token) : 0;
	if (scopes == 0)
		return sevq_fail(err, SEVQ_UNAUTHORIZED,
				 token.s != NULL ? "the token is not known here" : "Authorization: Bearer TOKEN is needed");
	if ((scopes & needed) == 0)
		return sevq_fail(err, SEVQ_FORBIDDEN, "the token's scope does not allow this call");
	return 0;
}

/* application/json or, for events, application/x-ndjson; a charset can only be UTF-8. */
static int
check_type(struct sevq_request *request, struct sevq_error *err)
{
	struct sevq_str type = request->headers[SEVQ_HEADER_CONTENT_TYPE], parameter = SEVQ_STR("");
	const char *semicolon = type.s != NULL ? memchr(type.s, ';', type.len) : NULL;

	if (semicolon != NULL) {
		parameter = sevq_trim((struct sevq_str){ semicolon + 1, (size_t)(type.s + type.len - semicolon - 1) });
		type = sevq_trim((struct sevq_str){ type.s, (size_t)(semicolon - type.s) });
	}
	request->lines = request->call->takes_lines && type.len == 20 && strncasecmp(type.s, "application/x-ndjson", 20) == 0;
	if (!request->lines && (type.len != 16 || strncasecmp(type.s, "application/json", 16) != 0))
		return sevq_fail(err, SEVQ_UNSUPPORTED_MEDIA_TYPE, "Content-Type must be application/json");
	if (parameter.len > 0 && (parameter.len != 13 || strncasecmp(parameter.s, "charset=utf-8", 13) != 0) &&
	    (parameter.len != 15 || strncasecmp(parameter.s, "charset=\"utf-8\"", 15) != 0))
		return sevq_fail(err, SEVQ_UNSUPPORTED_MEDIA_TYPE, "the only charset is utf-8");
	return 0;
}

static int
check_body(struct sevq_connection *c, struct sevq_error *err)
{
	bool has_body = c->parser.has_body;

	if (!c->request.call->takes_body)
		return has_body ? sevq_fail(err, SEVQ_BAD_REQUEST, "this call has no body") : 0;
	if (!has_body && c->request.headers[SEVQ_HEADER_CONTENT_TYPE].s == NULL)
		return 0; /* no body of no type: the handler misses its JSON */
	return check_type(&c->request, err);
}

/* Small requests always pass: acknowledging and looking must work when others have filled the buffers. */
static int
check_buffers(struct sevq_connection *c, struct sevq_error *err)
{
	uint64_t missing = sevq_parser_body_missing(&c->parser), buffered = c->server->stats.buffered_bytes;
	uint64_t most = (uint64_t)c->server->options->max_buffered_bytes;

	if ((missing > c->server->limits.head_bytes_max && buffered + missing > most) ||
	    (c->request.call->bulky && buffered > most))
		return sevq_fail(err, SEVQ_QUEUE_FULL, "too much is buffered for other connections");
	return 0;
}

/* Everything that can be known before the body. The first failure is the answer. */
static int
check_request(struct sevq_connection *c, struct sevq_error *err)
{
	struct sevq_request *request = &c->request;
	struct sevq_str id = SEVQ_STR_NULL;
	struct sevq_origin origin = { request->headers[SEVQ_HEADER_HOST], request->headers[SEVQ_HEADER_ORIGIN],
				      request->headers[SEVQ_HEADER_SEC_FETCH_SITE] };
	bool changes = request->method != HTTP_GET && request->method != HTTP_HEAD;
	struct sevq_error unroutable;

	if (sevq_guard_check(c->server->options, &c->listener->endpoint, &origin, changes, err) != 0)
		return -1;
	request->call = sevq_routes_find(request->method, request->path, &id, c->allow, &unroutable);
	if (request->call == NULL) {
		*err = unroutable;
		return -1;
	}
	if (check_token(c, err) != 0)
		return -1;
	if (c->server->closing && request->call->scope != SEVQ_SCOPE_NONE)
		return sevq_fail(err, SEVQ_CLOSING, "the server is shutting down");
	if (check_body(c, err) != 0 || check_buffers(c, err) != 0)
		return -1;
	return id.s != NULL ? sevq_target_decode(&request->arena, id, false, &request->id, err) : 0;
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
	if (sevq_target_split(target, &request->path, &request->query, &c->refusal) != 0) {
		refuse(c, &c->refusal);
		return;
	}
	c->refusal.code = SEVQ_OK;
	if (check_request(c, &c->refusal) != 0)
		c->parser.drop_body = true;
	request->close = ends_connection(c);
	if (c->refusal.code == SEVQ_OK)
		c->server->stats.calls[request->call - sevq_calls]++;
	if (!waits)
		return;
	if (c->refusal.code == SEVQ_OK)
		sevq_connection_send(c, CONTINUE, sizeof(CONTINUE) - 1);
	else
		refuse(c, &c->refusal); /* the body will not come */
}

static void
message_arrived(struct sevq_connection *c)
{
	c->state = WORKING;
	if (c->refusal.code != SEVQ_OK)
		sevq_problem_send_route(&c->request, &c->refusal, c->allow);
	else {
		bind_request(c);
		c->request.call->handle(&c->request);
	}
	if (c->request.answered)
		finish(c);
	else
		set_deadline(c, SEVQ_DEADLINE_RESPONSE);
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
	count_buffered(c);
}

/* Moves what libevent has read behind what is there. False if there is nothing. */
static bool
pull(struct sevq_connection *c)
{
	struct evbuffer *input = bufferevent_get_input(c->bev);
	size_t len = evbuffer_get_length(input);

	if (len == 0)
		return false;
	evbuffer_remove(input, make_room(c, len), len);
	count_pulled(c, len);
	return true;
}

/*
 * The rest of a body, past libevent, which reads 4 KiB a turn: a long one would wait for as many commits of others. When
 * the socket has no more or is at its end, libevent will be told so too.
 */
static bool
pull_body(struct sevq_connection *c)
{
	uint64_t missing = sevq_parser_body_missing(&c->parser);
	size_t len = missing < BODY_READ_BYTES ? (size_t)missing : BODY_READ_BYTES;
	ssize_t n;

	if (missing == 0 || c->ended)
		return false;
	n = recv(c->fd, make_room(c, len), len, MSG_DONTWAIT);
	if (n <= 0)
		return false;
	count_pulled(c, (size_t)n);
	return true;
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
			refuse(c, &err);
		}
		break;
	case SEVQ_PARSED_HEAD:
		head_arrived(c);
		break;
	case SEVQ_PARSED_DONE:
		message_arrived(c);
		break;
	case SEVQ_PARSED_FAILED:
		refuse(c, &c->parser.error);
		break;
	}
}

/* The client has ended while we wait for a request, or for the rest of one. */
static void
input_ended(struct sevq_connection *c)
{
	struct sevq_error err;

	if (c->in.len == c->begin) {
		connection_close(c);
		return;
	}
	sevq_fail(&err, SEVQ_BAD_REQUEST, "the request is not complete");
	refuse(c, &err);
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
	set_deadline(c, kind);
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

/* Reads as many requests as can be answered one after the other. */
static void
advance(struct sevq_connection *c)
{
	while (c->state == READING && (c->in.len > c->begin + c->parser.fed || lacks_nothing(c) || pull(c) || pull_body(c)))
		read_on(c);
	if (c->state != READING)
		return;
	if (c->ended)
		input_ended(c);
	else
		watch(c);
}

/* What libevent tells. */

static void
on_readable(struct bufferevent *bev, void *arg)
{
	struct sevq_connection *c = arg;
	struct evbuffer *input = bufferevent_get_input(bev);

	hold(c);
	if (c->state == READING)
		advance(c);
	else if (c->state == LINGERING)
		evbuffer_drain(input, evbuffer_get_length(input));
	let_go(c);
}

static void
on_written(struct bufferevent *bev, void *arg)
{
	struct sevq_connection *c = arg;

	(void)bev;
	hold(c);
	if (c->state == WRITING)
		written(c, c->request.close);
	if (c->state == READING)
		advance(c);
	let_go(c);
}

/* The client's end (it may still read), or a broken connection. */
static void
on_event(struct bufferevent *bev, short what, void *arg)
{
	struct sevq_connection *c = arg;

	(void)bev;
	hold(c);
	c->ended = true;
	if ((what & BEV_EVENT_ERROR) != 0) {
		c->server->stats.hang_ups++;
		connection_close(c);
	} else if (c->state == LINGERING)
		connection_close(c);
	else if (c->state == READING)
		advance(c);
	let_go(c);
}

/* Opening. */

static struct sevq_connection *
connection_new(struct sevq_listener *listener, int fd, const struct sockaddr *address)
{
	struct sevq_server *server = listener->server;
	struct sevq_connection *c = sevq_alloc(sizeof *c);

	c->server = server;
	c->listener = listener;
	c->fd = fd;
	c->bev = bufferevent_socket_new(server->base, fd, 0);
	if (c->bev == NULL) {
		free(c);
		close(fd);
		return NULL;
	}
	c->peer = sevq_peers_enter(&server->peers, address);
	clear_request(c);
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
	c = connection_new(listener, fd, address);
	if (c == NULL)
		return;
	if (address->sa_family != AF_UNIX)
		setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
	bufferevent_setcb(c->bev, on_readable, on_written, on_event, c);
	bufferevent_setwatermark(c->bev, EV_READ, 0, (size_t)server->options->max_pipelined_bytes);
	bufferevent_enable(c->bev, EV_READ | EV_WRITE);
	hold(c);
	if (check_room(c, &err) != 0)
		refuse(c, &err);
	else
		set_deadline(c, SEVQ_DEADLINE_HEADERS);
	let_go(c);
}

/* The loop's turn. */

void
sevq_connections_resume(struct sevq_server *server)
{
	struct sevq_connection *c;

	while ((c = TAILQ_FIRST(&server->resumable)) != NULL) {
		set_resumable(c, false);
		hold(c);
		advance(c);
		let_go(c);
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
	refuse(c, &err);
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
			set_deadline(c, SEVQ_DEADLINE_BODY);
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
	connection_close(c);
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

		hold(c);
		expire(c);
		let_go(c);
	}
}

void
sevq_connections_evict(struct sevq_server *server)
{
	struct sevq_deadline *idle = TAILQ_FIRST(&server->deadlines.queues[SEVQ_DEADLINE_IDLE]);

	if (idle == NULL)
		return;
	server->stats.evicted_idle++;
	connection_close(connection_of(idle));
}

void
sevq_connections_close_idle(struct sevq_server *server)
{
	struct sevq_connection *c, *next;

	for (c = TAILQ_FIRST(&server->connections); c != NULL; c = next) {
		next = TAILQ_NEXT(c, link);
		if (c->state == READING && !has_unread(c))
			connection_close(c);
	}
}

void
sevq_connections_close_all(struct sevq_server *server)
{
	struct sevq_connection *c, *next;

	for (c = TAILQ_FIRST(&server->connections); c != NULL; c = next) {
		next = TAILQ_NEXT(c, link);
		connection_close(c);
	}
	assert(TAILQ_EMPTY(&server->connections));
}
