/*
 * load.c - a load on a sevqd, and the bare disk to hold it against.
 *
 *     load sync --dir DIRECTORY
 *     load post|batch|drain --port PORT --token TOKEN [--connections N] [--count N | --seconds S] ...
 *
 * Every connection has one request under way: it sends the next when the answer has come and been checked. One answer
 * that is not what it must be ends the run with exit code 1. Prints one line of JSON. Requests of the warm-up, and answers
 * that come after the time is up, are checked but not counted.
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
	uint64_t begun_us;
};

struct mode {
	const char *name, *path;
	void (*write_body)(struct load *load, struct sevq_buf *body);
	int status;
	const char *marks; /* stands in a right answer once for each event of it */
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
	uint64_t busy;                       /* connections with a request under way */
	uint64_t events_sent, requests_sent; /* warm-up included */
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

/* The next event: a text that no other has, nor an earlier run's; the sessions in turn. Filled up to the size asked for. */
static void
add_event(struct load *load, struct sevq_buf *body)
{
	const size_t begin = body->len, tail = 2; /* the end of the text and of the event */
	const uint64_t n = load->events_sent++;

	sevq_buf_addf(body, "{\"sessionKey\":\"%s%llu\",\"text\":\"Exec completed (build %llu of %llu, code 0) ", load->prefix,
		      (unsigned long long)(n % load->sessions), (unsigned long long)n, (unsigned long long)load->from_us);
	while (body->len - begin + tail < load->body_bytes)
		sevq_buf_add(body, "event ", load->body_bytes - tail - (body->len - begin) >= 6 ? 6 : 1);
	sevq_buf_adds(body, "\"}");
}

static void
write_batch(struct load *load, struct sevq_buf *body)
{
	uint64_t i;

	sevq_buf_adds(body, "{\"events\":[");
	for (i = 0; i < load->size; i++) {
		sevq_buf_adds(body, i > 0 ? "," : "");
		add_event(load, body);
	}
	sevq_buf_adds(body, "]}");
}

static void
write_drain(struct load *load, struct sevq_buf *body)
{
	sevq_buf_addf(body, "{\"sessionKey\":\"%s%llu\",\"limit\":%llu}", load->prefix,
		      (unsigned long long)(load->requests_sent % load->sessions), (unsigned long long)load->size);
}

static const struct mode modes[] = {
	{ "sync", NULL, NULL, 0, NULL },
	{ "post", "/v1/events", add_event, 201, "\"outcome\":\"queued\"" },
	{ "batch", "/v1/events", write_batch, 200, "\"outcome\":\"queued\"" },
	{ "drain", "/v1/drain", write_drain, 200, "\"originalSessionKey\":" },
};

static void
write_request(struct load *load, struct connection *c)
{
	load->body.len = 0;
	load->mode->write_body(load, &load->body);
	c->request.len = c->sent = c->answer.len = 0;
	sevq_buf_addf(&c->request,
		      "POST %s HTTP/1.1\r\nHost: 127.0.0.1:%d\r\nAuthorization: Bearer %s\r\nContent-Type: application/json\r\n"
		      "Content-Length: %zu\r\n\r\n",
		      load->mode->path, (int)load->port, load->token, load->body.len);
	sevq_buf_add(&c->request, load->body.data, load->body.len);
	load->requests_sent++;
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

static void
check_answer(const struct load *load, struct connection *c, size_t body)
{
	if (strncmp(c->answer.data, "HTTP/1.1 ", 9) != 0 || atoi(c->answer.data + 9) != load->mode->status)
		wrong(c, "not the status it must be");
	if (occurrences(c->answer.data + body, c->answer.len - body, load->mode->marks) != load->size)
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
begin(struct load *load, struct connection *c)
{
	const bool over = load->count > 0 ? load->requests_sent >= load->count : now_us() >= load->until_us;

	if (over) {
		load->busy--;
		return;
	}
	write_request(load, c);
	c->begun_us = now_us();
	send_more(load, c);
}

static void
count(struct load *load, const struct connection *c)
{
	const uint64_t now = now_us();

	if (c->begun_us < load->from_us || now > load->until_us)
		return;
	histogram_add(&load->times, now - c->begun_us);
	load->requests++;
	load->events += load->size;
	load->last_us = now;
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
	count(load, c);
	if (field(c->answer.data, "\r\nConnection: close") != NULL) { /* its requests are used up */
		close(c->fd);
		dial(load, c);
	}
	begin(load, c);
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
	struct connection *connections = sevq_alloc(load->connections * sizeof(*connections));
	uint64_t i;

	load->epoll = epoll_create1(EPOLL_CLOEXEC);
	for (i = 0; i < load->connections; i++)
		dial(load, &connections[i]);
	load->from_us = now_us() + (uint64_t)(load->warmup * 1e6);
	load->until_us = load->count > 0 ? UINT64_MAX : load->from_us + (uint64_t)(load->seconds * 1e6);
	load->busy = load->connections;
	for (i = 0; i < load->connections; i++)
		begin(load, &connections[i]);
	while (load->busy > 0)
		turn(load);
	for (i = 0; i < load->connections; i++) {
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
	{ "size", NUMBER, offsetof(struct load, size) },       /* events a batch or drain */
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
	const uint64_t end = load->until_us == UINT64_MAX || load->mode->path == NULL ? load->last_us : load->until_us;

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
	if (load.mode == NULL || !read_flags(&load, argc, argv) || (load.mode->path == NULL ? load.dir : load.token) == NULL)
		errx(2, "load sync|post|batch|drain --FLAG VALUE...; load.c says which");
	if (load.mode->path == NULL)
		run_sync(&load);
	else
		run(&load);
	report(&load);
	return load.requests > 0 ? 0 : 1;
}
