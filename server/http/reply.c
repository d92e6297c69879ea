/*
 * reply.c - answers.
 *
 * The body is built first, because its length stands in the head; room is left in front of it, so
 * that head and body are one piece of memory and go out in one system call.
 *
 * A body of several slices is made twice: first only its length counts, and each slice overwrites
 * the one before. An escaped byte can be six, and a line of a prompt twelve, so a length that is
 * computed in another way than by writing would be one more place to get it wrong; chunks would
 * need no length, but clients of HTTP/1.0, and simple ones, do.
 */
#include "server/http/reply.h"

#include <assert.h>
#include <time.h>

#include "queue/clock.h"
#include "schema/event.h"
#include "server/http/access_log.h"
#include "server/http/connection.h"
#include "server/log.h"

#define HEAD_BYTES (640 + REPLY_BROWSER_BYTES)
#define OUT_BYTES_KEPT (2 * ANSWER_SLICE_BYTES_MAX)

/* An answer that is written in slices. In the request's arena. */
struct reply_slices {
	struct reply reply;
	reply_part *const *parts, *const *part; /* all; the present one */
	struct reply_at at;                     /* in it */
	bool measured;                          /* length is that of the whole body */
	size_t length, sent;                    /* bytes of the body */
};

static const struct {
	int status;
	const char *line;
} lines[] = {
	{ 200, "HTTP/1.1 200 OK\r\n" },
	{ 201, "HTTP/1.1 201 Created\r\n" },
	{ 202, "HTTP/1.1 202 Accepted\r\n" },
	{ 304, "HTTP/1.1 304 Not Modified\r\n" },
	{ 400, "HTTP/1.1 400 Bad Request\r\n" },
	{ 401, "HTTP/1.1 401 Unauthorized\r\n" },
	{ 403, "HTTP/1.1 403 Forbidden\r\n" },
	{ 404, "HTTP/1.1 404 Not Found\r\n" },
	{ 405, "HTTP/1.1 405 Method Not Allowed\r\n" },
	{ 408, "HTTP/1.1 408 Request Timeout\r\n" },
	{ 409, "HTTP/1.1 409 Conflict\r\n" },
	{ 413, "HTTP/1.1 413 Content Too Large\r\n" },
	{ 414, "HTTP/1.1 414 URI Too Long\r\n" },
	{ 415, "HTTP/1.1 415 Unsupported Media Type\r\n" },
	{ 417, "HTTP/1.1 417 Expectation Failed\r\n" },
	{ 421, "HTTP/1.1 421 Misdirected Request\r\n" },
	{ 422, "HTTP/1.1 422 Unprocessable Content\r\n" },
	{ 429, "HTTP/1.1 429 Too Many Requests\r\n" },
	{ 431, "HTTP/1.1 431 Request Header Fields Too Large\r\n" },
	{ 501, "HTTP/1.1 501 Not Implemented\r\n" },
	{ 503, "HTTP/1.1 503 Service Unavailable\r\n" },
	{ 505, "HTTP/1.1 505 HTTP Version Not Supported\r\n" },
	{ 507, "HTTP/1.1 507 Insufficient Storage\r\n" },
};

static_assert(sizeof(lines) / sizeof(lines[0]) == HTTP_STATUSES, "every status is counted");

static size_t
index_of(int status)
{
	size_t i = 0;

	while (lines[i].status != status) {
		i++;
		assert(i < HTTP_STATUSES);
	}
	return i;
}

static const char *
line_of(int status)
{
	return lines[index_of(status)].line;
}

int
reply_status(size_t i)
{
	return lines[i].status;
}

static void
count_status(const struct request *request, int status)
{
	struct http *http = request->http;
	size_t call =
	    request->call != NULL ? (size_t)(request->call - http->calls->table) : HTTP_CALLS_MAX;

	http->stats.responses[status / 100]++;
	http->stats.answers[call][index_of(status)]++;
}

/* "Date: ...", made once a second. */
static const char *
date_line(struct http *http)
{
	time_t now = clock_coarse_wall_s();
	struct tm tm;

	if (now != http->date) {
		http->date = now;
		gmtime_r(&now, &tm);
		strftime(http->date_line, sizeof(http->date_line),
			 "Date: %a, %d %b %Y %H:%M:%S GMT\r\n", &tm);
	}
	return http->date_line;
}

static char *
put(char *at, const char *text)
{
	return stpcpy(at, text);
}

static char *
put_number(char *at, size_t number)
{
	char digits[20], *first = digits + sizeof(digits);

	do
		*--first = (char)('0' + number % 10);
	while ((number /= 10) > 0);
	memcpy(at, first, (size_t)(digits + sizeof(digits) - first));
	return at + (digits + sizeof(digits) - first);
}

/* Writes the status line and the headers that every answer has. */
static char *
put_common(char *at, struct request *request, const struct reply *reply)
{
	at = put(at, line_of(reply->status));
	at = put(at, date_line(request->http));
	at = put(at, "Content-Type: ");
	at = put(at, reply->type != NULL ? reply->type : "application/json");
	at = put(at, "\r\nX-Content-Type-Options: nosniff\r\n");
	at = put(at, reply->browser_headers != NULL ? reply->browser_headers
						    : "Cache-Control: no-store\r\n");
	return put(at, reply->extra);
}

static size_t
write_head(struct request *request, const struct reply *reply, size_t body_len,
	   char head[HEAD_BYTES])
{
	char *at = put_common(head, request, reply);

	at = put(at, "Content-Length: ");
	at = put_number(at, body_len);
	at = put(at, "\r\n");
	if (request->close)
		at = put(at, "Connection: close\r\n");
	else if (request->http_1_0)
		at = put(at, "Connection: keep-alive\r\n");
	at = put(at, "\r\n");
	assert(at < head + HEAD_BYTES);
	return (size_t)(at - head);
}

struct buf *
reply_begin(struct request *request)
{
	struct buf *out = &request->http->out;

	out->len = 0;
	buf_reserve(out, HEAD_BYTES);
	out->len = HEAD_BYTES;
	return out;
}

void
reply_created(struct reply *reply, int64_t event_id)
{
	put(put_number(put(reply->extra, "Location: /v1/events/"), (size_t)event_id), "\r\n");
}

static void
count_answer(struct request *request, const struct reply *reply, size_t body_len)
{
	struct http *http = request->http;

	request->close |= http->closing;
	count_status(request, reply->status);
	access_log_answer(request, reply->status, body_len);
}

/* Sends the head in front of what the buffer has of the body. */
static void
send_with_head(struct request *request, const struct reply *reply, size_t body_len)
{
	struct buf *out = &request->http->out;
	bool has_body = request->method != HTTP_HEAD && reply->status != 304;
	char head[HEAD_BYTES];
	size_t head_len = write_head(request, reply, body_len, head);

	memcpy(out->data + HEAD_BYTES - head_len, head, head_len);
	connection_send(request->connection, out->data + HEAD_BYTES - head_len,
			head_len + (has_body ? out->len - HEAD_BYTES : 0));
}

static void
free_large(struct buf *out)
{
	if (out->cap > OUT_BYTES_KEPT)
		buf_clear(out);
}

/* So that a shell's prompt begins on a line of its own. An empty body stays empty. */
static void
end_body(struct buf *out)
{
	if (out->len > HEAD_BYTES && out->data[out->len - 1] != '\n')
		buf_add(out, "\n", 1);
}

static void
send_whole(struct request *request, const struct reply *reply)
{
	struct buf *out = &request->http->out;
	size_t body_len = out->len - HEAD_BYTES;

	assert(!request->answered);
	request->answered = true;
	count_answer(request, reply, body_len);
	send_with_head(request, reply, body_len);
	free_large(out);
}

void
reply_send(struct request *request, const struct reply *reply)
{
	end_body(&request->http->out);
	send_whole(request, reply);
}

/* --- slices --- */

bool
reply_is_full(const struct buf *out)
{
	return out->len >= HEAD_BYTES + ANSWER_SLICE_BYTES;
}

/* Makes the next slice in the buffer. True: it is the last. */
static bool
make_slice(struct request *request, struct reply_slices *slices)
{
	struct buf *out = reply_begin(request);

	while (*slices->part != NULL && !reply_is_full(out))
		if ((*slices->part)(request, out, &slices->at)) {
			slices->part++;
			slices->at = (struct reply_at){ 0 };
		}
	if (*slices->part == NULL)
		end_body(out);
	request->http->answer_work += (out->len - HEAD_BYTES) / HTTP_WORK_ANSWER_BYTES;
	return *slices->part == NULL;
}

void
reply_send_parts(struct request *request, const struct reply *reply, reply_part *const *parts)
{
	struct reply_slices slices = { .reply = *reply, .parts = parts, .part = parts };

	if (!http_answers_are_over(request->http)) {
		if (make_slice(request, &slices)) {
			send_whole(request, reply);
			return;
		}
		slices.length = request->http->out.len - HEAD_BYTES;
	}
	assert(!request->answered);
	request->answered = true;
	request->slices = arena_alloc(&request->arena, sizeof(slices));
	*request->slices = slices;
	request->held_bytes = request->http->calls->held_bytes(request) + ANSWER_SLICE_BYTES_MAX;
}

/* The first time through. True: the answer is sent, because it is only this slice, or none. */
static bool
measure_slice(struct request *request, struct reply_slices *slices)
{
	bool last = make_slice(request, slices);
	size_t len = request->http->out.len - HEAD_BYTES;

	slices->length += len;
	if (!last)
		return false;
	slices->measured = true;
	slices->part = slices->parts;
	count_answer(request, &slices->reply, slices->length);
	if (len < slices->length && request->method != HTTP_HEAD)
		return false;
	send_with_head(request, &slices->reply, slices->length);
	return true;
}

/*
 * The second time. Another length than before can only come from outside, such as a file of the
 * system's time zones that was replaced in between; the client must not take that for an answer.
 */
static bool
send_slice(struct request *request, struct reply_slices *slices)
{
	bool last = make_slice(request, slices);
	struct buf *out = &request->http->out;
	size_t len = out->len - HEAD_BYTES;
	bool first = slices->sent == 0;

	request->http->stats.answer_slices++;
	slices->sent += len;
	if (slices->sent > slices->length || (last && slices->sent < slices->length)) {
		log_line(LOG_WARN, log_msg("an answer has changed while it was sent"));
		connection_close(request->connection);
		return false;
	}
	if (first)
		send_with_head(request, &slices->reply, slices->length);
	else
		connection_send(request->connection, out->data + HEAD_BYTES, len);
	return last;
}

bool
reply_send_slice(struct request *request)
{
	struct reply_slices *slices = request->slices;
	bool last = slices->measured ? send_slice(request, slices) : measure_slice(request, slices);

	free_large(&request->http->out);
	return last;
}

/*
 * Without a length or chunks, the body ends with the connection (RFC 9112 section 6.3): every
 * client can read that.
 */
void
reply_stream(struct request *request, const char *type, size_t kernel_bytes)
{
	char head[HEAD_BYTES], *at;

	assert(!request->answered);
	request->answered = true;
	request->close = true;
	at = put_common(head, request, &(struct reply){ .status = 200, .type = type });
	/* a proxy in front must not collect what is to be told at once */
	at = put(at, "X-Accel-Buffering: no\r\nConnection: close\r\n\r\n");
	count_status(request, 200);
	access_log_answer(request, 200, 0);
	connection_send(request->connection, head, (size_t)(at - head));
	connection_begin_stream(request->connection, kernel_bytes);
}
