/*
 * reply.h - the one writer of answers.
 *
 * Here: status line, headers, body, in one buffer, sent at once. Not here: what the body says.
 *
 *     struct sevq_buf *out = sevq_reply_begin(request);
 *     ... append the body to out ...
 *     sevq_reply_send(request, &(struct sevq_reply){ .status = 200 });
 */
#ifndef SEVQ_SERVER_HTTP_REPLY_H
#define SEVQ_SERVER_HTTP_REPLY_H

#include "schema/mem.h"
#include "server/http/request.h"

#define SEVQ_REPLY_EXTRA_BYTES 192

struct sevq_reply {
	int status;
	const char *type;                   /* NULL: application/json */
	char extra[SEVQ_REPLY_EXTRA_BYTES]; /* further header lines, each with its CR LF; "" for none */
};

/* The buffer for the body; borrowed until send. What it held before belongs to the writer. */
struct sevq_buf *sevq_reply_begin(struct sevq_request *request);
/* Says so where the answer of the request's op is an earlier one. */
void sevq_reply_replayed(const struct sevq_request *request, struct sevq_reply *reply);
/* Says where the event that was made can be found. */
void sevq_reply_created(struct sevq_reply *reply, int64_t event_id);
/* Sends head and body, counts and logs; exactly once a request. */
void sevq_reply_send(struct sevq_request *request, const struct sevq_reply *reply);

/* Sends the head of an answer whose body goes on until the connection ends. */
void sevq_reply_stream(struct sevq_request *request, const char *type);

#endif
