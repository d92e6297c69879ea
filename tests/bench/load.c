/*
 * load.c - a load on a sevqd, and the bare disk to hold it against.
 *
 *     load sync --dir DIRECTORY
 *     load post|batch|drain|lease|wake --port PORT --token TOKEN [--connections N] [--count N | --seconds S] ...
 *
 * Every connection has one request under way: it sends the next when the answer has come and been checked. A lease and
 * its ack count as one. wake: while every connection posts, each has another beside it that waits for a session of its own,
 * takes what is there and waits again; what counts is the time from the answer to a post into that session until the waiter's.
 * One answer that is not what it must be ends the run with exit code 1. Prints one line of JSON. Requests of the warm-up, and
 * answers that come after the time is up, are checked but not counted.
 */
#include <arpa/inet.h>
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "histogram.h"
#include "schema/mem.h"

#define SYNC_BYTES 4096
#define TURN_EVENTS 256

struct load;

struct connection {
	int fd;
	struct sevq_buf request, answer;
	size_t sent;
	size_t at;         /* which step */
	uint64_t begun_us; /* the step; in turn: the first */
	char name[64];     /* its lease; or the session that its waiter waits for */
	/* wake: */
	struct connection *other;     /* the waiter of a poster, and the other way round */
	uint64_t session;             /* the one waited for */
	bool called;                  /* a waiter: something has been posted for it since it began to wait */
	uint64_t posted_us, woken_us; /* when the answers to that came, to the poster and to the waiter; 0: not yet */
};

/* One request, and what its answer must be. */
struct step {
	const char *path;                                            /* the connection's name stands in it for a star */
	void (*write_body)(struct load *load, struct connection *c); /* NULL: it has none */
	int status;
	const char *marks; /* stands in a right answer once for each event of it */
	const char *count; /* or: before the number of events */
};

struct mode {
	const char *name;
	void (*proceed)(struct load *load, struct connection *c); /* after a right answer */
	struct step steps[4];
};

struct load {
	const struct mode *mode;
	/* as asked for */
	const char *dir, *token, *prefix;
	uint64_t port, connections, sessions, size, body_bytes;
	uint64_t count; /* 0: until the time is up */
	double seconds, warmup;
	/* as it goes */
	int epoll;
	uint64_t busy;                       /* connections that go on; waiters do not count */
	uint64_t events_sent, rounds_begun;  /* warm-up included */
	uint64_t requests, events;           /* answered and counted */
	uint64_t from_us, until_us, last_us; /* what counts: answers between these; and the last that did */
	struct histogram times;
	struct sevq_buf body;
};

static uint64_t
now_us(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000 + (uint64_t)t.tv_nsec / 1000;
}

/* ---- what is sent ---- */

/* The next event: a text that no other has, nor an earlier run's. Filled up to the size asked for. */
static void
add_event(struct load *load, uint64_t session)
{
	struct sevq_buf *body = &load->body;
	const size_t begin = body->len, tail = 2; /* the end of the text and of the event */
	const uint64_t n = load->events_sent++;

	sevq_buf_addf(body, "{\"sessionKey\":\"%s%llu\",\"text\":\"Exec completed (build %llu of %llu, code 0) ", load->prefix,
		      (unsigned long long)session, (unsigned long long)n, (unsigned long long)load->from_us);
	while (body->len - begin + tail < load->body_bytes)
		sevq_buf_add(body, "event ", load->body_bytes - tail - (body->len - begin) >= 6 ? 6 : 1);
	sevq_buf_adds(body, "\"}");
}

/* The sessions in turn. */
static void
write_event(struct load *load, struct connection *c)
{
	(void)c;
	add_event(load, load->events_sent % load->sessions);
}

static void
write_batch(struct load *load, struct connection *c)
{
	uint64_t i;

	sevq_buf_adds(&load->body, "{\"events\":[");
	for (i = 0; i < load->size; i++) {
		sevq_buf_adds(&load->body, i > 0 ? "," : "");
		write_event(load, c);
	}
	sevq_buf_adds(&load->body, "]}");
}

static void
write_drain(struct load *load, struct connection *c)
{
	(void)c;
	sevq_buf_addf(&load->body, "{\"sessionKey\":\"%s%llu\",\"limit\":%llu}", load->prefix,
		      (unsigned long long)(load->rounds_begun % load->sessions), (unsigned long long)load->size);
}

static void
write_all(struct load *load, struct connection *c)
{
	(void)c;
	sevq_buf_adds(&load->body, "{}");
}

static void
write_call(struct load *load, struct connection *c)
{
	add_event(load, c->session);
}

static void
write_take(struct load *load, struct connection *c)
{
	sevq_buf_addf(&load->body, "{\"sessionKey\":\"%s\"}", c->name);
}

static void proceed_in_turn(struct load *load, struct connection *c);
static void proceed_lease(struct load *load, struct connection *c);
static void proceed_wake(struct load *load, struct connection *c);

#define QUEUED "\"outcome\":\"queued\""
#define EVENT "\"originalSessionKey\":"

/* The steps of a wake: a poster's two, a waiter's two. */
enum { POST, CALL, WAIT, TAKE };

/* clang-format off */
static const struct mode modes[] = {
	{ "sync", NULL, { { .path = NULL } } },
	{ "post", proceed_in_turn, { { "/v1/events", write_event, 201, QUEUED, NULL } } },
	{ "batch", proceed_in_turn, { { "/v1/events", write_batch, 200, QUEUED, NULL } } },
	{ "drain", proceed_in_turn, { { "/v1/drain", write_drain, 200, EVENT, NULL } } },
	{ "lease", proceed_lease, {
		{ "/v1/leases", write_drain, 200, EVENT, NULL },
		{ "/v1/leases/*/ack", write_all, 200, NULL, "\"acked\":" } } },
	{ "wake", proceed_wake, {
		[POST] = { "/v1/events", write_event, 201, QUEUED, NULL },
		[CALL] = { "/v1/events", write_call, 201, QUEUED, NULL },
		[WAIT] = { "/v1/wait?timeoutMs=300000&sessionKey=*", NULL, 200, "\"ready\":true", NULL },
		[TAKE] = { "/v1/drain", write_take, 200, EVENT, NULL } } },
};
/* clang-format on */

static const struct step *
step_of(const struct load *load, const struct connection *c)
{
	return &load->mode->steps[c->at];
}

static void
write_request(struct load *load, struct connection *c)
{
	const struct step *step = step_of(load, c);
	const char *star = strchrnul(step->path, '*');

	load->body.len = 0;
	c->request.len = c->sent = c->answer.len = 0;
	sevq_buf_adds(&c->request, step->write_body != NULL ? "POST " : "GET ");
	sevq_buf_add(&c->request, step->path, (size_t)(star - step->path));
	if (*star != '\0')
		sevq_buf_addf(&c->request, "%s%s", c->name, star + 1);
	sevq_buf_addf(&c->request, " HTTP/1.1\r\nHost: 127.0.0.1:%d\r\nAuthorization: Bearer %s\r\n", (int)load->port, load->token);
	if (step->write_body != NULL) {
		step->write_body(load, c);
		sevq_buf_addf(&c->request, "Content-Type: application/json\r\nContent-Length: %zu\r\n", load->body.len);
	}
	sevq_buf_adds(&c->request, "\r\n");
	sevq_buf_add(&c->request, load->body.data, load->body.len);
}

/* ---- what comes back ---- */

static void __attribute__((noreturn)) wrong(struct connection *c, const char *why)
{
	char *nul = c->answer.len > 0 ? memchr(c->answer.data, '\0', c->answer.len) : NULL; /* is_complete left it */
	const int len = c->answer.len > 2000 ? 2000 : (int)c->answer.len;

	if (nul != NULL)
		*nul = '\r';
	errx(1, "%s: %.*s", why, len, c->answer.data != NULL ? c->answer.data : "");
}

/* The value of a header field in the head, or NULL. */
static const char *
field(const char *head, const char *name)
{
	const char *at = strcasestr(head, name);

	return at != NULL ? at + strlen(name) : NULL;
}

/* Whether the answer is all there; if so where its body begins. Replaces the empty line by a NUL to read the head. */
static bool
is_complete(struct connection *c, size_t *body)
{
	char *end = c->answer.len > 0 ? memmem(c->answer.data, c->answer.len, "\r\n\r\n", 4) : NULL;
	const char *length;
	size_t begin;

	if (end == NULL)
		return false;
	*end = '\0';
	begin = (size_t)(end - c->answer.data) + 4;
	length = field(c->answer.data, "\r\nContent-Length: ");
	if (length == NULL)
		wrong(c, "an answer without a length");
	*body = begin;
	if (c->answer.len > begin + strtoul(length, NULL, 10))
		wrong(c, "bytes behind an answer");
	if (c->answer.len == begin + strtoul(length, NULL, 10))
		return true;
	*end = '\r';
	return false;
}

static uint64_t
occurrences(const char *s, size_t len, const char *mark)
{
	const char *end = s + len;
	uint64_t n = 0;

	while ((s = memmem(s, (size_t)(end - s), mark, strlen(mark))) != NULL) {
		s += strlen(mark);
		n++;
	}
	return n;
}

/* The number, or the text, that stands behind the mark in the answer's body. */
static const char *
behind(const char *s, size_t len, const char *mark)
{
	const char *at = memmem(s, len, mark, strlen(mark));

	return at != NULL ? at + strlen(mark) : "";
}

static void
check_answer(const struct load *load, struct connection *c, size_t begin)
{
	const struct step *step = step_of(load, c);
	const char *body = c->answer.data + begin;
	const size_t len = c->answer.len - begin;
	uint64_t events;

	if (strncmp(c->answer.data, "HTTP/1.1 ", 9) != 0 || atoi(c->answer.data + 9) != step->status)
		wrong(c, "not the status it must be");
	events = step->marks != NULL ? occurrences(body, len, step->marks) : strtoull(behind(body, len, step->count), NULL, 10);
	if (events != load->size)
		wrong(c, "not as many events as it must be");
}

/* ---- connections ---- */

static void
dial(struct load *load, struct connection *c)
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
	fcntl(c->fd, F_SETFL, O_NONBLOCK);
	if (epoll_ctl(load->epoll, EPOLL_CTL_ADD, c->fd, &(struct epoll_event){ .events = EPOLLIN, .data.ptr = c }) < 0)
		err(1, "epoll");
}

static void
send_more(struct load *load, struct connection *c)
{
	const ssize_t n = write(c->fd, c->request.data + c->sent, c->request.len - c->sent);
	const bool waited = c->sent > 0;

	if (n < 0 && errno != EAGAIN)
		err(1, "write");
	c->sent += n > 0 ? (size_t)n : 0;
	if (waited || c->sent < c->request.len)
		epoll_ctl(load->epoll, EPOLL_CTL_MOD, c->fd,
			  &(struct epoll_event){ .events = EPOLLIN | (c->sent < c->request.len ? EPOLLOUT : 0), .data.ptr = c });
}

static void
send_request(struct load *load, struct connection *c)
{
	write_request(load, c);
	send_more(load, c);
}

/* The first step of the next round, if there is one. */
static void
begin(struct load *load, struct connection *c, size_t at)
{
	const bool over = load->count > 0 ? load->rounds_begun >= load->count : now_us() >= load->until_us;

	if (over) {
		load->busy--;
		return;
	}
	c->at = at;
	c->begun_us = now_us();
	send_request(load, c);
	load->rounds_begun++;
}

static void
count(struct load *load, uint64_t begun_us, uint64_t now)
{
	if (begun_us < load->from_us || now > load->until_us)
		return;
	histogram_add(&load->times, now > begun_us ? now - begun_us : 0);
	load->requests++;
	load->events += load->size;
	load->last_us = now;
}

static void
proceed_in_turn(struct load *load, struct connection *c)
{
	count(load, c->begun_us, now_us());
	begin(load, c, 0);
}

static void
proceed_lease(struct load *load, struct connection *c)
{
	const char *id = behind(c->answer.data, c->answer.len, "\"leaseId\":\"");

	if (c->at == 1) {
		proceed_in_turn(load, c);
		return;
	}
	snprintf(c->name, sizeof(c->name), "%.*s", (int)strspn(id, "0123456789"), id);
	c->at = 1;
	send_request(load, c);
}

/* ---- waking ---- */

/* The waiter was sent its answer in the same turn as the poster; either may be read first. */
static void
count_wake(struct load *load, const struct connection *poster, const struct connection *waiter)
{
	if (poster->posted_us > 0 && waiter->woken_us > 0)
		count(load, poster->posted_us, waiter->woken_us);
}

static void
begin_waiting(struct load *load, struct connection *waiter)
{
	waiter->at = WAIT;
	waiter->called = false;
	waiter->begun_us = now_us();
	send_request(load, waiter);
}

static void
waiter_heard(struct load *load, struct connection *waiter)
{
	if (waiter->at == TAKE) {
		begin_waiting(load, waiter);
		return;
	}
	waiter->woken_us = now_us();
	count_wake(load, waiter->other, waiter);
	waiter->at = TAKE;
	send_request(load, waiter);
}

/* A waiter that began before a post that has been answered since does wait by now: the server reads in order. */
static void
poster_heard(struct load *load, struct connection *poster)
{
	struct connection *waiter = poster->other;
	const bool waits = waiter->at == WAIT && !waiter->called && waiter->begun_us < poster->begun_us;

	if (poster->at == CALL) {
		poster->posted_us = now_us();
		count_wake(load, poster, waiter);
	}
	if (waits) {
		waiter->called = true;
		poster->posted_us = waiter->woken_us = 0;
	}
	begin(load, poster, waits ? CALL : POST);
}

static void
proceed_wake(struct load *load, struct connection *c)
{
	if (c->at == POST || c->at == CALL)
		poster_heard(load, c);
	else
		waiter_heard(load, c);
}

/* Each of the first half is a poster, and its waiter one of the second half. */
static void
begin_wakes(struct load *load, struct connection *connections)
{
	uint64_t i;

	for (i = 0; i < load->connections; i++) {
		struct connection *poster = &connections[i], *waiter = &connections[load->connections + i];

		poster->other = waiter;
		waiter->other = poster;
		poster->session = load->sessions + i; /* behind those that are posted to in turn */
		snprintf(waiter->name, sizeof(waiter->name), "%s%llu", load->prefix, (unsigned long long)poster->session);
		dial(load, waiter);
		begin_waiting(load, waiter);
	}
}

static void
receive(struct load *load, struct connection *c)
{
	size_t body;
	ssize_t n;

	sevq_buf_reserve(&c->answer, 16384);
	n = read(c->fd, c->answer.data + c->answer.len, c->answer.cap - c->answer.len);
	if (n < 0 && errno == EAGAIN)
		return;
	if (n <= 0)
		wrong(c, "the server closed the connection");
	c->answer.len += (size_t)n;
	if (!is_complete(c, &body))
		return;
	check_answer(load, c, body);
	if (field(c->answer.data, "\r\nConnection: close") != NULL) { /* its requests are used up */
		close(c->fd);
		dial(load, c);
	}
	load->mode->proceed(load, c);
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
run(struct load *load)
{
	const bool wakes = load->mode->proceed == proceed_wake;
	const uint64_t all = load->connections * (wakes ? 2 : 1);
	struct connection *connections = sevq_alloc(all * sizeof(*connections));
	uint64_t i;

	load->epoll = epoll_create1(EPOLL_CLOEXEC);
	for (i = 0; i < load->connections; i++)
		dial(load, &connections[i]);
	load->from_us = now_us() + (uint64_t)(load->warmup * 1e6);
	load->until_us = load->count > 0 ? UINT64_MAX : load->from_us + (uint64_t)(load->seconds * 1e6);
	load->busy = load->connections;
	if (wakes)
		begin_wakes(load, connections);
	for (i = 0; i < load->connections; i++)
		begin(load, &connections[i], 0);
	while (load->busy > 0)
		turn(load);
	for (i = 0; i < all; i++) {
		close(connections[i].fd);
		sevq_buf_clear(&connections[i].request);
		sevq_buf_clear(&connections[i].answer);
	}
	close(load->epoll);
	free(connections);
	sevq_buf_clear(&load->body);
}

/* ---- the bare disk ---- */

/* Appends and syncs, one after the other, in a file that grows: what the most careful program could do alone. */
static void
run_sync(struct load *load)
{
	static const char bytes[SYNC_BYTES] = "sevq";
	const int dir = open(load->dir, O_DIRECTORY | O_RDONLY | O_CLOEXEC);
	const int fd = openat(dir, "sync", O_CREAT | O_TRUNC | O_APPEND | O_WRONLY | O_CLOEXEC, 0600);
	uint64_t now = now_us(), begun;

	if (fd < 0)
		err(1, "%s", load->dir);
	load->from_us = now;
	load->until_us = now + (uint64_t)(load->seconds * 1e6);
	while (now < load->until_us) {
		begun = now;
		if (write(fd, bytes, sizeof(bytes)) != sizeof(bytes) || fdatasync(fd) < 0)
			err(1, "%s", load->dir);
		now = now_us();
		histogram_add(&load->times, now - begun);
		load->requests++;
	}
	load->events = load->requests;
	load->last_us = now;
	unlinkat(dir, "sync", 0);
	close(fd);
	close(dir);
}

/* ---- the command ---- */

enum type { TEXT, NUMBER, SECONDS };

/* clang-format off */
static const struct {
	const char *name;
	enum type type;
	size_t offset;
} flags[] = {
	{ "dir", TEXT, offsetof(struct load, dir) },           /* sync: where the file is */
	{ "token", TEXT, offsetof(struct load, token) },
	{ "port", NUMBER, offsetof(struct load, port) },       /* of 127.0.0.1 */
	{ "connections", NUMBER, offsetof(struct load, connections) },
	{ "sessions", NUMBER, offsetof(struct load, sessions) }, /* how many, in turn */
	{ "prefix", TEXT, offsetof(struct load, prefix) },     /* of their keys */
	{ "size", NUMBER, offsetof(struct load, size) },       /* events a batch, drain or lease */
	{ "body-bytes", NUMBER, offsetof(struct load, body_bytes) }, /* an event */
	{ "count", NUMBER, offsetof(struct load, count) },     /* requests in all; else for so long: */
	{ "seconds", SECONDS, offsetof(struct load, seconds) },
	{ "warmup", SECONDS, offsetof(struct load, warmup) },
};
/* clang-format on */

#define FLAGS (sizeof(flags) / sizeof(flags[0]))

static void
set(struct load *load, size_t flag)
{
	void *place = (char *)load + flags[flag].offset;

	switch (flags[flag].type) {
	case TEXT:
		*(const char **)place = optarg;
		break;
	case NUMBER:
		*(uint64_t *)place = strtoull(optarg, NULL, 10);
		break;
	case SECONDS:
		*(double *)place = strtod(optarg, NULL);
		break;
	}
}

static bool
read_flags(struct load *load, int argc, char **argv)
{
	struct option options[FLAGS + 1] = { 0 };
	size_t i;
	int c, flag = 0;

	for (i = 0; i < FLAGS; i++)
		options[i] = (struct option){ flags[i].name, required_argument, &flag, (int)i };
	while ((c = getopt_long(argc, argv, "", options, NULL)) == 0)
		set(load, (size_t)flag);
	return c == -1 && optind == argc - 1;
}

static const struct mode *
find_mode(const char *name)
{
	size_t i;

	for (i = 0; i < sizeof(modes) / sizeof(modes[0]); i++)
		if (strcmp(modes[i].name, name) == 0)
			return &modes[i];
	return NULL;
}

static void
report(const struct load *load)
{
	const uint64_t end = load->until_us == UINT64_MAX || load->mode->proceed == NULL ? load->last_us : load->until_us;

	printf(
	    "{\"mode\":\"%s\",\"requests\":%llu,\"events\":%llu,\"seconds\":%.6f,\"p50Us\":%llu,\"p99Us\":%llu,\"maxUs\":%llu}\n",
	    load->mode->name, (unsigned long long)load->requests, (unsigned long long)load->events,
	    (double)(end - load->from_us) / 1e6, (unsigned long long)histogram_quantile(&load->times, 0.5),
	    (unsigned long long)histogram_quantile(&load->times, 0.99), (unsigned long long)load->times.max);
}

int
main(int argc, char **argv)
{
	static struct load load = {
		.prefix = "agent:main:bench:", .connections = 1, .sessions = 1000, .size = 1, .body_bytes = 200, .seconds = 1
	};

	load.mode = argc > 1 ? find_mode(argv[1]) : NULL;
	if (load.mode == NULL || !read_flags(&load, argc, argv) || (load.mode->proceed == NULL ? load.dir : load.token) == NULL)
		errx(2, "load sync|post|batch|drain|lease|wake --FLAG VALUE...; load.c says which");
	if (load.mode->proceed == NULL)
		run_sync(&load);
	else
		run(&load);
	report(&load);
	return load.requests > 0 ? 0 : 1;
}
