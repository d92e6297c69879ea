/*
 * reply.h - the one writer of answers.
 *
 * Here: status line, headers, body, in one buffer, sent at once. Not here: what the body says.
 *
 *     struct buf *out = reply_begin(request);
 *     ... append the body to out ...
 *     reply_send(request, &(struct reply){ .status = 200 });
 */
#ifndef SERVER_HTTP_REPLY_H
#define SERVER_HTTP_REPLY_H

#include "schema/mem.h"
#include "server/http/request.h"

#define REPLY_EXTRA_BYTES 192

struct reply {
	int status;
	const char *type;              /* NULL: application/json */
	char extra[REPLY_EXTRA_BYTES]; /* further header lines, each with its CR LF; "" for none */
};

/* The buffer for the body; borrowed until send. What it held before belongs to the writer. */
struct buf *reply_begin(struct request *request);
/* Says where the event that was made can be found. */
void reply_created(struct reply *reply, int64_t event_id);
/* Sends head and body, counts and logs; exactly once a request. */
void reply_send(struct request *request, const struct reply *reply);

/*
 * Sends the head of an answer whose body goes on until the connection ends: its call adds to it
 * with connection_send. request->state must be set. The kernel keeps about kernel_bytes of it for a
 * slow reader.
 */
void reply_stream(struct request *request, const char *type, size_t kernel_bytes);

#endif
