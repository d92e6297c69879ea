/*
 * stream.h - wakes, told to whoever reads a stream (server-sent events).
 *
 * A wake is a level, not an edge: it says that a session has something deliverable, not that
 * something came. So a reader that connects hears of every such session first, whatever it has
 * heard before; a wake that was not told yet is not told twice; and one that has become untrue is
 * not told at all.
 * Here: who reads, what each has still to hear, and when. Not here: what is deliverable (queue/),
 * sockets (connection).
 */
#ifndef SERVER_CALLS_STREAM_H
#define SERVER_CALLS_STREAM_H

#include "schema/text.h"

struct calls;
struct streams;

struct streams *streams_new(struct calls *calls);
void streams_free(struct streams *streams); /* no reader is left. Accepts NULL. */

/* For engine_on_wake; arg is the streams. Nothing is sent before flush. */
void streams_on_wake(void *arg, struct str queue_key, size_t deliverable, bool now,
		     struct str source);

/* After the engine's turn: tells what is due, and drops who holds up too much. */
void streams_flush(struct streams *streams);
/* when flush has something to do; INT64_MAX: never */
int64_t streams_next_ms(const struct streams *streams);

void streams_end(struct streams *streams); /* at shutdown */
/* those whose session key may mean another queue now */
void streams_end_routed(struct streams *streams);

#endif
