/*
 * load.h - one run of the load generator: its options, its mode, and its counts.
 *
 * Here: the structs that all files share. A mode has the steps of one round, each a request that is
 * built once as a form before the run, and the protocol of its server. Not here: protocols (http,
 * redis, beanstalk, postgres) and sockets (connections).
 */
#ifndef BENCH_LOAD_H
#define BENCH_LOAD_H

#include "form.h"
#include "histogram.h"

#define STEPS 4

struct load;
struct connection;

/* One request and its right answer. */
struct step {
	void (*make)(const struct load *load, struct form *form);
	/* ends the run on a wrong answer */
	void (*check)(const struct load *load, const struct step *step, struct connection *c);
	/* of modes over HTTP: the status, and one of the three */
	int status;
	const char *begins; /* the start of a right answer about one event */
	const char *marks;  /* or: occurs once for each event of the answer */
	const char *count;  /* or: stands before the number of events */
};

struct protocol {
	/* opens the session on a new connection, or NULL */
	void (*open)(struct load *load, struct connection *c);
	/* the length of the answer, or 0 while unknown */
	size_t (*end)(struct connection *c);
};

struct mode {
	const char *name;
	void (*run)(struct load *load);
	/* NULL for a mode that uses a directory instead of a server */
	const struct protocol *protocol;
	void (*proceed)(struct load *load, struct connection *c); /* after a right answer */
	struct step steps[STEPS];
};

struct load {
	const struct mode *mode;
	/* from the command line */
	const char *dir, *token, *prefix;
	uint64_t port, connections, sessions, size, body_bytes;
	uint64_t random; /* 0: sessions in turn */
	uint64_t count;  /* 0: until the time has passed */
	double seconds, warmup;
	/* counts of the run */
	struct form forms[STEPS];
	int epoll;
	uint64_t busy;                      /* connections still running, without waiters */
	uint64_t now_us;                    /* when the current answer arrived */
	uint64_t dice;                      /* never 0 */
	uint64_t events_sent, rounds_begun; /* warm-up included */
	uint64_t requests, events;          /* answered and counted */
	/* rounds that began between these times are counted; the end of the last of them */
	uint64_t from_us, until_us, last_us;
	struct histogram times;
};

uint64_t now_us(void);

/* Begins the counted time, after the warm-up. */
void load_begin(struct load *load);

/* Counts one round of `size` events, from then until now. */
void load_count(struct load *load, uint64_t begun_us, uint64_t now);

/* Whether no further round may begin. At least one has been counted by then. */
bool load_is_over(const struct load *load);

#endif
