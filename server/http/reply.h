/*
 * reply.h - the one writer of answers.
 *
 * Here: status line, headers, body. Not here: what the body says.
 *
 * A short answer is made in one buffer and sent at once:
 *
 *     struct buf *out = reply_begin(request);
 *     ... append the body to out ...
 *     reply_send(request, &(struct reply){ .status = 200 });
 *
 * Every body ends with a newline, which the writer adds. An answer that may be long is made of
 * parts (reply_send_parts).
 */
#ifndef SERVER_HTTP_REPLY_H
#define SERVER_HTTP_REPLY_H

#include "schema/mem.h"
#include "server/http/request.h"

#define REPLY_EXTRA_BYTES 192
#define REPLY_BROWSER_BYTES 512

/* The statuses that answers have, by an index below HTTP_STATUSES (http.h). */
int reply_status(size_t i);

struct reply {
	int status;
	const char *type; /* NULL: application/json */
	/* header lines for browsers, at most REPLY_BROWSER_BYTES; NULL: "no-store" alone */
	const char *browser_headers;
	char extra[REPLY_EXTRA_BYTES]; /* further header lines, each with its CR LF; "" for none */
};

/* The buffer for the body; borrowed until send. What it held before belongs to the writer. */
struct buf *reply_begin(struct request *request);
/* Says where the event that was made can be found. */
void reply_created(struct reply *reply, int64_t event_id);
/* Sends head and body, with 304 the head alone; counts and logs; exactly once a request. */
void reply_send(struct request *request, const struct reply *reply);

/* How far a part is. All zero when it begins; it belongs to the part. */
struct reply_at {
	size_t item;
	bool any; /* one of the items before was written */
};

/*
 * One part of a body: appends its items from at->item on, one by one, until reply_is_full. True:
 * that was the last. A part is called again for each slice, and for all of the answer once more,
 * and must write the same then: so it may use what belongs to the request and nothing else.
 */
typedef bool reply_part(struct request *request, struct buf *out, struct reply_at *at);

bool reply_is_full(const struct buf *out);

/*
 * Sends an answer whose body is made of parts: a constant table that ends with NULL. One of up to
 * ANSWER_SLICE_BYTES is sent at once. For a longer one all slices are made once to learn how long
 * the body is, and then again as the socket takes them, in connections_answer, so that no turn of
 * the loop has much to do and no answer is in memory as a whole. The request, with all that its
 * parts read, stays until the last slice is made.
 */
void reply_send_parts(struct request *request, const struct reply *reply, reply_part *const *parts);
/*
 * Makes the next slice of such an answer. True: it was the last, and the request may be cleared.
 * The connection may be closed on return.
 */
bool reply_send_slice(struct request *request);

/*
 * Sends the head of an answer whose body goes on until the connection ends: its call adds to it
 * with connection_send. request->state must be set. The kernel keeps about kernel_bytes of it for a
 * slow reader.
 */
void reply_stream(struct request *request, const char *type, size_t kernel_bytes);

#endif
