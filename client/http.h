/*
 * http.h - HTTP exchanges, one after the other, over one kept connection.
 *
 * Here: libcurl, its settings, and what its results mean for the caller: whether anything was sent.
 * Not here: what requests and answers say (request.h, answer.h).
 */
#ifndef SEVQ_CLIENT_HTTP_H
#define SEVQ_CLIENT_HTTP_H

#include "client/endpoint.h"
#include "client/request.h"

/*
 * More than the largest answer of a server, which is 8 MiB of text with every byte escaped, and the
 * events around it.
 */
#define SEVQ_ANSWER_BYTES_MAX ((size_t)256 << 20)

struct sevq_http;

/*
 * Failures: SEVQ_NO_MEMORY, SEVQ_CONFIGURATION. endpoint is borrowed for the call; options as in
 * sevq.h.
 */
enum sevq_code sevq_http_open(const struct sevq_endpoint *endpoint,
			      const struct sevq_connect_options *options, struct sevq_http **ret,
			      struct sevq_error *error);
void sevq_http_close(struct sevq_http *http); /* accepts NULL */

/* An answer. Its body ends in NUL and is valid until the next exchange. */
struct sevq_http_answer {
	int status; /* 0: no answer came */
	long retry_after_s;
	bool json, problem; /* by the content type */
	bool streamed;      /* on_data got the body, and there is none here */
	const char *body;
	size_t len;
};

/*
 * Sends the request and receives the answer. SEVQ_OK: an answer came, with whatever status.
 * Failures: SEVQ_UNREACHABLE (nothing was sent), SEVQ_LOST, SEVQ_TIMED_OUT, SEVQ_BAD_ANSWER (not
 * valid HTTP/1), SEVQ_NO_MEMORY, SEVQ_INTERRUPTED (only of an interruptible request). Must not be
 * called from a request's on_data.
 */
enum sevq_code sevq_http_exchange(struct sevq_http *http, const struct sevq_request *request,
				  struct sevq_http_answer *ret, struct sevq_error *error);

/*
 * Ends the exchange of an interruptible request, or else the next one, with SEVQ_INTERRUPTED. May
 * be called in a signal handler and in another thread.
 */
void sevq_http_interrupt(const struct sevq_http *http);

#endif
