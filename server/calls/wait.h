/*
 * wait.h - requests that wait for events.
 *
 * Their ops are parked in the engine, which wakes them. Who waits too long, has hung up, or is there when the server ends,
 * is taken back from it.
 * Here: the deadlines of waiting, each request with its own. Not here: what wakes (queue/waiting).
 */
#ifndef SEVQ_SERVER_CALLS_WAIT_H
#define SEVQ_SERVER_CALLS_WAIT_H

#include <stddef.h>
#include <sys/queue.h>

struct sevq_waiter;
TAILQ_HEAD(sevq_waiter_list, sevq_waiter);

struct sevq_waits {
	struct sevq_waiter_list waiting;
	struct sevq_waiter_list over; /* to be taken back when the engine has had its turn */
	size_t count;
};

void sevq_waits_init(struct sevq_waits *waits);
void sevq_waits_end(struct sevq_waits *waits);    /* nobody waits any longer */
void sevq_waits_settle(struct sevq_waits *waits); /* after the engine's turn: answers those that are over */

void sevq_waiter_end(struct sevq_waiter *waiter);  /* this one waits no longer, also twice */
void sevq_waiter_free(struct sevq_waiter *waiter); /* its op has come back. Accepts NULL. */

#endif
