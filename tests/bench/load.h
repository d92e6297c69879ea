/*
 * load.h - one run of the load generator: what was asked for, what it does, and what has been
 * counted.
 *
 * Here: the structs that every file here shares. A mode is what is done; its steps are the requests
 * of one round, each made once as a form before the run; its protocol is how the server is spoken
 * to. Not here: any server's words (http, redis, beanstalk, postgres), sockets (connections).
 */
#ifndef BENCH_LOAD_H
#define BENCH_LOAD_H

#include "form.h"
#include "histogram.h"

#define STEPS 4

struct load;
struct connection;

/* One request, and what its answer must be. */
struct step {
	void (*make)(const struct load *load, struct form *form);
	/* ends the run if it is not */
	void (*check)(const struct load *load, const struct step *step, struct connection *c);
	/* over HTTP: */
	int status;
	const char *begins; /* a right answer, which is about one event */
	const char *marks;  /* or: stands in it once for each event of it */
	const char *count;  /* or: before the number of events */
};

struct protocol {
	/* what is said first on a new connection; NULL: nothing */
	void (*open)(struct load *load, struct connection *c);
	/* the length of the answer, once it can be told; else 0 */
	size_t (*end)(struct connection *c);
};

struct mode {
	const char *name;
	void (*run)(struct load *load);
	/* NULL: no server, but a directory */
	const struct protocol *protocol;
	void (*proceed)(struct load *load, struct connection *c); /* after a right answer */
	struct step steps[STEPS];
};

struct load {
	const struct mode *mode;
	/* as asked for */
	const char *dir, *token, *prefix;
	uint64_t port, connections, sessions, size, body_bytes;
	uint64_t random; /* 0: sessions in turn */
	uint64_t count;  /* 0: until the time is up */
	double seconds, warmup;
	/* as it goes */
	struct form forms[STEPS];
	int epoll;
	uint64_t busy;                      /* connections that go on; waiters do not count */
	uint64_t now_us;                    /* when the answer at hand came */
	uint64_t dice;                      /* never 0 */
	uint64_t events_sent, rounds_begun; /* warm-up included */
	uint64_t requests, events;          /* answered and counted */
	/* what counts: rounds begun between the two; and when the last of them ended */
	uint64_t from_us, until_us, last_us;
	struct histogram times;
};

uint64_t now_us(void);

/* Begins the time that counts, behind the warm-up. */
void load_begin(struct load *load);

/* One round, of size events, from then until now. */
void load_count(struct load *load, uint64_t begun_us, uint64_t now);

/* Whether no round may be begun any more. One has been counted by then. */
bool load_is_over(const struct load *load);

#endif
