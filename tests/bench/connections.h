/*
 * connections.h - the connections of a run, on one loop.
 *
 * Every connection has one request under way: it sends the next when the answer has come and been
 * checked. Here: sockets, sending, receiving, ending. Not here: what is said.
 */
#ifndef BENCH_CONNECTIONS_H
#define BENCH_CONNECTIONS_H

#include "load.h"

struct connection {
	int fd;
	struct buf request, answer;
	size_t sent;
	/* of the answer: its length, 0 while it is not known; where its body begins */
	size_t end, body;
	bool closes;       /* the server says that this answer is the connection's last */
	size_t at;         /* which step */
	uint64_t begun_us; /* the round */
	char lease[24];    /* http.c: its id */
	/* wake.c: */
	uint64_t session;         /* the one waited for */
	struct connection *other; /* the waiter of a poster, and the other way round */
	/* a waiter: something has been posted for it since it began to wait */
	bool called;
	/* when the answers to that came, to the poster and to the waiter; 0: not yet */
	uint64_t posted_us, woken_us;
};

/* Runs the mode's rounds over the connections asked for. */
void connections_run(struct load *load);

/* A round begins with this step, unless the run is over. */
void connection_begin(struct load *load, struct connection *c, size_t step);

/* Goes on with this step; the round is what it was. */
void connection_send(struct load *load, struct connection *c, size_t step);

/* For rounds of one step. */
void connection_proceed(struct load *load, struct connection *c);

void connection_dial(struct load *load, struct connection *c);

/* Before the loop: sends what stands in the request, and waits for the whole answer. */
void connection_ask(struct load *load, struct connection *c);

/*
 * The answer is not what it must be: says so, with the answer, and ends the run with exit code 1.
 */
void connection_wrong(const struct connection *c, const char *why) __attribute__((noreturn));

#endif
