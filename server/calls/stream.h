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

#include <sys/queue.h>

#include "schema/text.h"

struct server;
struct reader;
TAILQ_HEAD(reader_list, reader);

struct streams {
	struct server *server;
	struct reader_list readers;
	/* of an event; ids ascend, also over restarts: they begin with the time */
	uint64_t last_id;
};

void streams_init(struct streams *streams, struct server *server);

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

/* For connection: the head is out; everything is; the stream is no more (accepts NULL). */
void reader_start(struct reader *reader);
void reader_caught_up(struct reader *reader);
void reader_free(struct reader *reader);

#endif
