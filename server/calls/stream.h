/*
 * stream.h - sends wakes to the readers of a stream (server-sent events).
 *
 * A wake is a level, not an edge: it says that a session has something deliverable, not that an
 * event arrived. So a new reader first gets a wake for every such session; a session's wakes that
 * were not sent yet become one; and a wake is left out if nothing is deliverable any more.
 * A reader of changes gets, in place of wakes, the present state of every queue that has changed,
 * and that of the server (change.h); what was so before, it asks for itself. Here: the readers, the
 * wakes that each of them still has to get, and when. Not here: what is deliverable (queue/),
 * sockets (connection).
 */
#ifndef SERVER_CALLS_STREAM_H
#define SERVER_CALLS_STREAM_H

#include "schema/text.h"

struct calls;
struct streams;

struct streams *streams_new(struct calls *calls);
void streams_free(struct streams *streams); /* no reader may be left. Accepts NULL. */

/* For engine_on_wake; arg is the streams. Nothing is sent before flush. */
void streams_on_wake(void *arg, struct str queue_key, size_t deliverable, bool now,
		     struct str source);

/*
 * After the engine's turn: sends what is due, as much as one turn may, and drops readers that hold
 * up too much. True: there is more to do at once.
 */
bool streams_flush(struct streams *streams);
/* The monotonic time at which flush has something to do; INT64_MAX: never. */
int64_t streams_next_ms(struct streams *streams);

/* How many streams get wakes of this queue. */
size_t streams_following(const struct streams *streams, struct str queue_key);

void streams_end(struct streams *streams); /* at shutdown */
/* After a new policy: ends the streams whose session key may now mean another queue. */
void streams_end_routed(struct streams *streams);

#endif
