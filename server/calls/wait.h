/*
 * wait.h - requests that wait for events.
 *
 * Their ops are parked in the engine, which wakes them. Who waits too long, has hung up, or is
 * there when the server ends, is taken back from it.
 * Here: the deadlines of waiting, each request with its own. Not here: what wakes (queue/waiting).
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
