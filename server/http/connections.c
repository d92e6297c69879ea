/*
 * connections.c - accepting connections, the limits on their number, and their deadlines.
 */
#include "server/http/connections.h"

#include <assert.h>
#include <netinet/tcp.h>
#include <stddef.h>

#include <unistd.h>

#include "queue/clock.h"
#include "server/http/admission.h"
#include "server/http/connection.h"
#include "server/http/exchange.h"
#include "server/http/handshake.h"

#define HALF_OPEN_MS 200        /* that a head may take before its connection may make room */
#define REFUSED_CONNECTIONS 128 /* that may exceed the limit in order to be told so */

static struct connection *
connection_of(struct deadline *deadline)
{
	return (struct connection *)(void *)((char *)deadline -
					     offsetof(struct connection, deadline));
}

/* --- making room --- */

/* How long the connection has waited for its client. */
static int64_t
waited_ms(const struct connection *c)
{
	const struct deadline *deadline = &c->deadline;

	return clock_coarse_ms() -
	       (deadline->at_ms - c->http->deadlines.duration_ms[deadline->kind]);
}

/* Of the connections that wait for this, the one that has waited longest; NULL: none has waited. */
static struct connection *
longest_waiting(const struct http *http, enum deadline_kind kind)
{
	struct deadline *first = TAILQ_FIRST(&http->deadlines.queues[kind]);
	struct connection *c = first != NULL ? connection_of(first) : NULL;

	if (c != NULL && c->resumable)
		return NULL; /* what it waited for has arrived */
	return c;
}

/*
 * Closes the connection that has waited longest for its client: for the next request, or for the
 * rest of a head, of which there may be nothing yet. A head has HALF_OPEN_MS first, because a
 * client whose request is on its way looks like one that never sends.
 */
static void
evict(struct http *http)
{
	struct connection *idle = longest_waiting(http, DEADLINE_IDLE),
			  *half_open = longest_waiting(http, DEADLINE_HEADERS);

	if (half_open != NULL && waited_ms(half_open) < HALF_OPEN_MS)
		half_open = NULL;
	if (half_open != NULL && (idle == NULL || waited_ms(half_open) > waited_ms(idle))) {
		http->stats.evicted_half_open++;
		connection_close(half_open);
	} else if (idle != NULL) {
		http->stats.evicted_idle++;
		connection_close(idle);
	}
}

/* --- accepting --- */

/* Whether there is room for this connection, which is counted already. */
static int
check_room(struct connection *c, struct error *err)
{
	struct http *http = c->http;

	if (c->peer != NULL && c->peer->connections > http->limits.connections_per_address_max) {
		http->stats.refused_address++;
		return error_set(err, ERROR_QUEUE_FULL,
				 "too many connections from this address; "
				 "--max-connections-per-address is %llu",
				 (unsigned long long)http->limits.connections_per_address_max);
	}
	if (http->stats.connections > http->limits.connections_max)
		evict(http);
	if (http->stats.connections > http->limits.connections_max) {
		http->stats.refused_limit++;
		return error_set(err, ERROR_QUEUE_FULL,
				 "too many connections; --max-connections is %llu",
				 (unsigned long long)http->limits.connections_max);
	}
	return 0;
}

static void
on_accepted(void *arg, const struct endpoint *endpoint, int fd, const struct sockaddr *address)
{
	struct http *http = arg;
	struct connection *c;
	struct error err;
	int on = 1;

	if (http->stats.connections >= http->limits.connections_max + REFUSED_CONNECTIONS) {
		http->stats.refused_limit++;
		close(fd);
		return;
	}
	c = connection_new(http, endpoint, address);
	if (address->sa_family != AF_UNIX)
		setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	exchange_start(c, fd);
	c->held = true;
	if (check_room(c, &err) == 0)
		connection_set_deadline(c, DEADLINE_HEADERS);
	else if (endpoint->tls) /* to say why would cost the handshake */
		connection_close(c);
	else
		exchange_refuse(c, &err);
	connection_release(c);
}

static void
on_accept_failed(void *arg)
{
	struct http *http = arg;

	http->stats.accept_pauses++;
	evict(http);
}

void
connections_init(struct http *http)
{
	TAILQ_INIT(&http->connections);
	TAILQ_INIT(&http->resumable);
	TAILQ_INIT(&http->answering);
	deadlines_init(&http->deadlines);
	http->turn_work_max = http->answer_work_max = SIZE_MAX;
	http->refusals.more_text = "more requests were refused in that second";
	http->failed_handshakes.more_text = "more TLS handshakes failed in that second";
	http->listeners.accepted = on_accepted;
	http->listeners.failed = on_accept_failed;
	http->listeners.arg = http;
}

/* --- the loop's turn --- */

void
connections_resume(struct http *http)
{
	struct connection *c;

	while ((c = TAILQ_FIRST(&http->resumable)) != NULL && !http_turn_is_over(http)) {
		connection_set_resumable(c, false);
		c->held = true;
		exchange_advance(c);
		connection_release(c);
	}
}

/* Each in turn makes one slice. */
void
connections_answer(struct http *http)
{
	struct connection *c;

	while ((c = TAILQ_FIRST(&http->answering)) != NULL && !http_answers_are_over(http)) {
		connection_set_answering(c, false);
		c->held = true;
		exchange_answer(c);
		connection_release(c);
	}
}

/* A body may be slow, but must bring body_rate_min in every window, and its end in time. */
static bool
body_is_late(const struct connection *c)
{
	const struct http_limits *limits = &c->http->limits;
	size_t wanted = (size_t)(limits->body_rate_min * BODY_WINDOW_MS / 1000);

	return clock_coarse_ms() - c->body_began_ms >= limits->body_timeout_ms ||
	       c->parser.body_seen - c->body_looked < wanted;
}

static void
time_out(struct connection *c, uint64_t *counter, const char *why)
{
	struct error err;

	++*counter;
	error_set(&err, ERROR_TIMEOUT, "%s", why);
	exchange_refuse(c, &err);
}

static void
expire(struct connection *c)
{
	struct http_stats *stats = &c->http->stats;

	switch (c->deadline.kind) {
	case DEADLINE_HEADERS:
		if (c->wire.handshaking) {
			handshake_time_out(c);
			return;
		}
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

void
connections_expire(struct http *http)
{
	int64_t now_ms = clock_coarse_ms();
	struct deadline *over;

	while ((over = deadlines_over(&http->deadlines, now_ms)) != NULL) {
		struct connection *c = connection_of(over);

		c->held = true;
		expire(c);
		connection_release(c);
	}
}

/* --- new tokens --- */

static void
check_token(struct connection *c)
{
	struct request *request = &c->request;
	bool is_arriving = c->state == CONNECTION_READING,
	     lasts = c->state != CONNECTION_DEAD && request->state != NULL;
	struct error err;

	if (request->call == NULL || !(is_arriving || lasts) ||
	    admission_check_again(request, &c->memo, &err) == 0)
		return;
	c->http->stats.tokens_revoked++;
	c->refusal = err; /* the answer to a request that is arriving, or waits */
	if (c->state == CONNECTION_STREAMING)
		exchange_end_stream(request);
	else if (lasts)
		request->call->hung_up(request);
}

void
connections_check_tokens(struct http *http)
{
	struct connection *c, *next;

	for (c = TAILQ_FIRST(&http->connections); c != NULL; c = next) {
		next = TAILQ_NEXT(c, link);
		check_token(c);
	}
}

/* --- the end --- */

void
connections_close_idle(struct http *http)
{
	struct connection *c, *next;

	for (c = TAILQ_FIRST(&http->connections); c != NULL; c = next) {
		next = TAILQ_NEXT(c, link);
		if (c->state == CONNECTION_READING && !connection_has_unread(c))
			connection_close(c);
	}
}

void
connections_close_all(struct http *http)
{
	struct connection *c, *next;

	for (c = TAILQ_FIRST(&http->connections); c != NULL; c = next) {
		next = TAILQ_NEXT(c, link);
		connection_close(c);
	}
	assert(TAILQ_EMPTY(&http->connections));
}
