/*
 * deadline.h - deadlines of connections, in one queue for each kind.
 *
 * Every kind of deadline has one duration for all, so each kind is a queue in order of expiry:
 * setting and clearing cost a few pointers however many connections there are, and one timer serves
 * them all.
 * Here: the queues. Not here: what expiry means (connections).
 */
#ifndef SERVER_HTTP_DEADLINE_H
#define SERVER_HTTP_DEADLINE_H

#include <stdint.h>
#include <sys/queue.h>

enum deadline_kind {
	DEADLINE_IDLE,     /* the next request's first byte */
	DEADLINE_HEADERS,  /* the end of the headers */
	DEADLINE_BODY,     /* the next look at a body that arrives */
	DEADLINE_RESPONSE, /* the answer has been read */
	DEADLINE_LINGER,   /* the client's end of a connection that we have ended */
	DEADLINE_KINDS,
	DEADLINE_NONE = DEADLINE_KINDS,
};

/* Embedded in what has a deadline. Init before use. */
struct deadline {
	enum deadline_kind kind;
	int64_t at_ms; /* on clock_coarse_ms, as every time here */
	TAILQ_ENTRY(deadline) link;
};

TAILQ_HEAD(deadline_queue, deadline);

struct deadlines {
	struct deadline_queue queues[DEADLINE_KINDS];
	int64_t duration_ms[DEADLINE_KINDS];
};

void deadlines_init(struct deadlines *deadlines);
void deadline_init(struct deadline *deadline);
/* Replaces the one that was set. NONE clears. */
void deadline_set(struct deadlines *deadlines, struct deadline *deadline, enum deadline_kind kind);
/* The one that is over by now, or NULL; it stays set. */
struct deadline *deadlines_over(struct deadlines *deadlines, int64_t now_ms);
/* When the next is over; INT64_MAX when none is set. */
int64_t deadlines_next_ms(const struct deadlines *deadlines);

#endif
