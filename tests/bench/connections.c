/*
 * connections.c - sockets and the loop, which sleeps in epoll_wait whenever there is nothing to
 * read.
 */
#include "connections.h"

#include <arpa/inet.h>
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include <unistd.h>

#include "wake.h"

#define TURN_EVENTS 256
#define READ_BYTES 65536

void
connection_wrong(const struct connection *c, const char *why)
{
	char said[2000];
	size_t i, len = c->answer.len < sizeof(said) ? c->answer.len : sizeof(said);

	for (i = 0; i < len; i++)
		said[i] = c->answer.data[i] != '\0' ? c->answer.data[i] : '.';
	errx(1, "%s: %.*s", why, (int)len, said);
}

/* --- one connection --- */

void
connection_dial(struct load *load, struct connection *c)
{
	const struct sockaddr_in address = {
		.sin_family = AF_INET,
		.sin_port = htons((uint16_t)load->port),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK),
	};
	const int on = 1;

	c->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (c->fd < 0 || connect(c->fd, (const struct sockaddr *)&address, sizeof(address)) < 0)
		err(1, "port %d", (int)load->port);
	setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	if (load->mode->protocol->open != NULL)
		load->mode->protocol->open(load, c);
	fcntl(c->fd, F_SETFL, O_NONBLOCK);
	if (epoll_ctl(load->epoll, EPOLL_CTL_ADD, c->fd,
		      &(struct epoll_event){ .events = EPOLLIN, .data.ptr = c }) < 0)
		err(1, "epoll");
}

static void
send_more(struct load *load, struct connection *c)
{
	const ssize_t n =
	    send(c->fd, c->request.data + c->sent, c->request.len - c->sent, MSG_NOSIGNAL);
	const bool waited = c->sent > 0;

	if (n < 0 && errno != EAGAIN)
		err(1, "sending");
	c->sent += n > 0 ? (size_t)n : 0;
	if (waited || c->sent < c->request.len)
		epoll_ctl(load->epoll, EPOLL_CTL_MOD, c->fd,
			  &(struct epoll_event){
			      .events = EPOLLIN | (c->sent < c->request.len ? EPOLLOUT : 0),
			      .data.ptr = c });
}

static void
expect_answer(struct connection *c)
{
	c->sent = c->answer.len = c->end = c->body = 0;
	c->closes = false;
}

void
connection_send(struct load *load, struct connection *c, size_t step)
{
	c->at = step;
	c->request.len = 0;
	form_fill(&load->forms[step], load, c, &c->request);
	expect_answer(c);
	send_more(load, c);
}

/* Whether the answer is complete. */
static bool
read_more(struct load *load, struct connection *c)
{
	ssize_t n;

	buf_reserve(&c->answer, READ_BYTES);
	n = read(c->fd, c->answer.data + c->answer.len, c->answer.cap - c->answer.len);
	if (n < 0 && errno == EAGAIN)
		return false;
	if (n < 0)
		err(1, "receiving");
	if (n == 0)
		connection_wrong(c, "the server closed the connection");
	c->answer.len += (size_t)n;
	if (c->end == 0)
		c->end = load->mode->protocol->end(c);
	if (c->end > 0 && c->answer.len > c->end)
		connection_wrong(c, "bytes behind an answer");
	return c->answer.len == c->end;
}

void
connection_ask(struct load *load, struct connection *c)
{
	expect_answer(c);
	while (c->sent < c->request.len)
		send_more(load, c);
	while (!read_more(load, c))
		;
}

static void
receive(struct load *load, struct connection *c)
{
	const struct step *step = &load->mode->steps[c->at];

	if (!read_more(load, c))
		return;
	load->now_us = now_us();
	step->check(load, step, c);
	if (c->closes) { /* the answer announced the end of the connection */
		close(c->fd);
		connection_dial(load, c);
	}
	load->mode->proceed(load, c);
}

/* --- rounds --- */

void
connection_begin(struct load *load, struct connection *c, size_t step)
{
	if (load_is_over(load)) {
		load->busy--;
		return;
	}
	c->begun_us = load->now_us;
	connection_send(load, c, step);
	load->rounds_begun++;
}

void
connection_proceed(struct load *load, struct connection *c)
{
	load_count(load, c->begun_us, load->now_us);
	connection_begin(load, c, 0);
}

static void
turn(struct load *load)
{
	struct epoll_event ready[TURN_EVENTS];
	const int n = epoll_wait(load->epoll, ready, TURN_EVENTS, -1);
	int i;

	for (i = 0; i < n; i++) {
		struct connection *c = ready[i].data.ptr;

		if ((ready[i].events & EPOLLOUT) != 0)
			send_more(load, c);
		if ((ready[i].events & (unsigned)~EPOLLOUT) != 0)
			receive(load, c);
	}
}

static void
make_forms(struct load *load)
{
	size_t i;

	for (i = 0; i < STEPS && load->mode->steps[i].make != NULL; i++)
		load->mode->steps[i].make(load, &load->forms[i]);
}

static void
clear(struct load *load, struct connection *connections, uint64_t count)
{
	uint64_t i;

	for (i = 0; i < count; i++) {
		close(connections[i].fd);
		buf_clear(&connections[i].request);
		buf_clear(&connections[i].answer);
	}
	for (i = 0; i < STEPS; i++)
		form_clear(&load->forms[i]);
	close(load->epoll);
	free(connections);
}

void
connections_run(struct load *load)
{
	const uint64_t all = load->connections + wake_waiters(load);
	struct connection *connections = mem_alloc(all * sizeof(*connections));
	uint64_t i;

	load->epoll = epoll_create1(EPOLL_CLOEXEC);
	for (i = 0; i < all; i++)
		connection_dial(load, &connections[i]);
	load_begin(load);
	make_forms(load);
	load->busy = load->connections;
	wake_begin(load, connections);
	for (i = 0; i < load->connections; i++) {
		load->now_us = now_us();
		connection_begin(load, &connections[i], 0);
	}
	while (load->busy > 0)
		turn(load);
	clear(load, connections, all);
}
