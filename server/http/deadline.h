/*
 * deadline.h - what must happen in time.
 *
 * Every kind of deadline has one duration for all, so each kind is a queue in order of expiry: setting and clearing cost a
 * few pointers however many connections there are, and one timer serves them all.
 * Here: the queues. Not here: what expiry means (connection).
 */
#ifndef SEVQ_SERVER_HTTP_DEADLINE_H
#define SEVQ_SERVER_HTTP_DEADLINE_H

#include <stdint.h>
#include <sys/queue.h>

enum sevq_deadline_kind {
	SEVQ_DEADLINE_IDLE,     /* the next request's first byte */
	SEVQ_DEADLINE_HEADERS,  /* the end of the headers */
	SEVQ_DEADLINE_BODY,     /* the next look at a body that arrives */
	SEVQ_DEADLINE_RESPONSE, /* the answer has been read */
	SEVQ_DEADLINE_LINGER,   /* the client's end of a connection that we have ended */
	SEVQ_DEADLINE_KINDS,
	SEVQ_DEADLINE_NONE = SEVQ_DEADLINE_KINDS,
};

/* Embedded in what has a deadline. Init before use. */
struct sevq_deadline {
	enum sevq_deadline_kind kind;
	int64_t at_ms;
	TAILQ_ENTRY(sevq_deadline) link;
};

TAILQ_HEAD(sevq_deadline_queue, sevq_deadline);

struct sevq_deadlines {
	struct sevq_deadline_queue queues[SEVQ_DEADLINE_KINDS];
	int64_t duration_ms[SEVQ_DEADLINE_KINDS];
};

int64_t sevq_now_ms(void); /* a clock that only goes forward, a few milliseconds coarse */

void sevq_deadlines_init(struct sevq_deadlines *deadlines);
void sevq_deadline_init(struct sevq_deadline *deadline);
/* Replaces the one that was set. NONE clears. */
void sevq_deadline_set(struct sevq_deadlines *deadlines, struct sevq_deadline *deadline, enum sevq_deadline_kind kind);
/* The one that is over by now, or NULL; it stays set. */
struct sevq_deadline *sevq_deadlines_over(struct sevq_deadlines *deadlines, int64_t now_ms);
/* When the next is over; INT64_MAX when none is set. */
int64_t sevq_deadlines_next_ms(const struct sevq_deadlines *deadlines);

#endif
