/*
 * sse.h - server-sent events from a stream of bytes (the WHATWG HTML standard, section "Server-sent
 * events").
 *
 * Here: parsing lines, fields and events, wherever the bytes are split.
 * Not here: I/O, and what the events say (stream.c).
 */
#ifndef SEVQ_CLIENT_SSE_H
#define SEVQ_CLIENT_SSE_H

#include "client/buffer.h"

#define SEVQ_SSE_BYTES_MAX ((size_t)1 << 20) /* limit of a line, and of an event's data */

/* One event. Its texts are valid until on_event returns. */
struct sevq_sse_event {
	const char *name; /* "message" if the stream named none */
	const char *id;   /* the last id in the stream so far; "": none */
	const char *data;
};

/* A parser. At the beginning of a stream everything but on_event and arg is zero. */
struct sevq_sse {
	bool (*on_event)(const struct sevq_sse_event *event, void *arg); /* false: no more */
	void *arg;
	/* Private: */
	struct sevq_buffer line, name, id, data;
	bool any_data, after_cr;
};

/*
 * Parses the next bytes of the stream. false: on_event returned false, a line or event is too long,
 * or memory ran out; the parser must not be fed again.
 */
bool sevq_sse_feed(struct sevq_sse *sse, const char *bytes, size_t len);
void sevq_sse_clear(struct sevq_sse *sse);

#endif
