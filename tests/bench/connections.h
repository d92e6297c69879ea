/*
 * connections.h - the connections of a run, on one event loop.
 *
 * Every connection has one request under way: it sends the next after the answer has arrived and
 * been checked. Here: sockets, sending, receiving, ending. Not here: protocols.
 */
#ifndef BENCH_CONNECTIONS_H
#define BENCH_CONNECTIONS_H

#include "load.h"

struct connection {
	int fd;
	struct buf request, answer;
	size_t sent;
	/* the answer's length, 0 while unknown; the offset of its body */
	size_t end, body;
	bool closes;       /* the server announced that it closes after this answer */
	size_t at;         /* the current step */
	uint64_t begun_us; /* when the round began */
	char lease[24];    /* http.c: the lease's id */
	/* wake.c: */
	uint64_t session;         /* the session waited for */
	struct connection *other; /* the waiter of this poster, or the poster of this waiter */
	/* of a waiter: an event was posted to its session since it began to wait */
	bool called;
	/* when the poster and the waiter got their answers; 0: not yet */
	uint64_t posted_us, woken_us;
};

/* Runs the mode's rounds on the given number of connections. */
void connections_run(struct load *load);

/* Begins a round with this step, unless the run is over. */
void connection_begin(struct load *load, struct connection *c, size_t step);

/* Continues the same round with this step. */
void connection_send(struct load *load, struct connection *c, size_t step);

/* The proceed function of modes whose rounds have one step. */
void connection_proceed(struct load *load, struct connection *c);

void connection_dial(struct load *load, struct connection *c);

/* Before the loop: sends the request and waits for the whole answer. */
void connection_ask(struct load *load, struct connection *c);

/* Reports a wrong answer and ends the run with exit code 1. */
void connection_wrong(const struct connection *c, const char *why) __attribute__((noreturn));

#endif
