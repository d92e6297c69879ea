/*
 * stream.h - wakes, told to whoever reads a stream (server-sent events).
 *
 * A wake is a level, not an edge: it says that a session has something deliverable, not that something came. So a reader
 * that connects hears of every such session first, whatever it has heard before; a wake that was not told yet is not told
 * twice; and one that has become untrue is not told at all.
 * Here: who reads, what each has still to hear, and when. Not here: what is deliverable (queue/), sockets (connection).
 */
#ifndef SEVQ_SERVER_CALLS_STREAM_H
#define SEVQ_SERVER_CALLS_STREAM_H

#include <sys/queue.h>

#include "schema/text.h"

struct sevq_server;
struct sevq_reader;
TAILQ_HEAD(sevq_reader_list, sevq_reader);

struct sevq_streams {
	struct sevq_server *server;
	struct sevq_reader_list readers;
	uint64_t last_id; /* of an event; ids ascend, also over restarts: they begin with the time */
};

void sevq_streams_init(struct sevq_streams *streams, struct sevq_server *server);

/* For sevq_engine_on_wake; arg is the streams. Nothing is sent before flush. */
void sevq_streams_woken(void *arg, struct sevq_str queue_key, size_t deliverable, bool now, struct sevq_str source);

/* After the engine's turn: tells what is due, and drops who holds up too much. */
void sevq_streams_flush(struct sevq_streams *streams);
int64_t sevq_streams_next_ms(const struct sevq_streams *streams); /* when flush has something to do; INT64_MAX: never */

void sevq_streams_end(struct sevq_streams *streams);        /* at shutdown */
void sevq_streams_end_routed(struct sevq_streams *streams); /* those whose session key may mean another queue now */

/* For connection: the head is out; everything is; the stream is no more (accepts NULL). */
void sevq_reader_start(struct sevq_reader *reader);
void sevq_reader_caught_up(struct sevq_reader *reader);
void sevq_reader_free(struct sevq_reader *reader);

#endif
