/*
 * wait.h - requests that wait for events.
 *
 * Their ops are parked in the engine, which wakes them. Who waits too long, has hung up, or is
 * there when the server ends, is taken back from it.
 * Here: the deadlines of waiting, each request with its own. Not here: what wakes (queue/waiting).
 */
#ifndef SERVER_CALLS_WAIT_H
#define SERVER_CALLS_WAIT_H

#include <stddef.h>
#include <sys/queue.h>

struct waiter;
TAILQ_HEAD(waiter_list, waiter);

struct waits {
	struct waiter_list waiting;
	struct waiter_list over; /* to be taken back when the engine has had its turn */
	size_t count;
};

void waits_init(struct waits *waits);
void waits_end(struct waits *waits); /* nobody waits any longer */
/* After each turn of the engine: ends the waits whose time is over. */
void waits_end_overdue(struct waits *waits);

void waiter_end(struct waiter *waiter);  /* this one waits no longer, also twice */
void waiter_free(struct waiter *waiter); /* its op has come back. Accepts NULL. */

#endif
