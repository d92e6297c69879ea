/*
 * sse.h - server-sent events from a stream of bytes (the WHATWG HTML standard, section "Server-sent
 * events").
 *
 * Here: lines, fields, events, however the bytes are cut. No I/O.
 * Not here: what the events say (stream.c).
 */
#ifndef SEVQ_CLIENT_SSE_H
#define SEVQ_CLIENT_SSE_H

#include "client/buffer.h"

#define SEVQ_SSE_BYTES_MAX ((size_t)1 << 20) /* of a line, of an event's data */

/* One event. Its texts live until the function that was given it returns. */
struct sevq_sse_event {
	const char *name; /* "message" where none was said */
	const char *id;   /* the last one said in the stream; "": none */
	const char *data;
};

/* All zero but for the first two is a stream at its beginning. */
struct sevq_sse {
	bool (*on_event)(const struct sevq_sse_event *event, void *arg); /* false: enough */
	void *arg;
	/* Its own: */
	struct sevq_buffer line, name, id, data;
	bool any_data, after_cr;
};

/*
 * Takes what came. false: on_event said enough, or a line is too long, or memory ran out; nothing
 * more may be given.
 */
bool sevq_sse_feed(struct sevq_sse *sse, const char *bytes, size_t len);
void sevq_sse_clear(struct sevq_sse *sse);

#endif
