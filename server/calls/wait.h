/*
 * wait.h - requests that wait for events.
 *
 * Their ops are parked in the engine, which completes them when something becomes deliverable. An
 * op whose time is over, whose client has hung up, or that is parked when the server stops is
 * cancelled.
 * Here: each waiting request's own deadline. Not here: what wakes an op (queue/waiting).
 */
#ifndef SERVER_CALLS_WAIT_H
#define SERVER_CALLS_WAIT_H

struct waits;

struct waits *waits_new(void);
void waits_free(struct waits *waits); /* no request may be waiting. Accepts NULL. */
void waits_end(struct waits *waits);  /* at shutdown: every wait is over */
/* After each turn of the engine: ends the waits whose time is over. */
void waits_end_overdue(struct waits *waits);

#endif
