/*
 * http.h - one exchange after the other over one kept connection.
 *
 * Here: libcurl, its settings, and what its results mean for a caller: was anything sent, can it be
 * repeated. Not here: what requests and answers say.
 */
#ifndef SEVQ_CLIENT_HTTP_H
#define SEVQ_CLIENT_HTTP_H

#include "client/endpoint.h"
#include "client/request.h"

/*
 * More than the largest answer that a server gives: 8 MiB of text with every byte escaped, and its
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

/* What came back. The body ends in NUL and lives until the next exchange. */
struct sevq_http_answer {
	int status; /* 0: nothing came */
	long retry_after_s;
	bool json, problem; /* what the content type says */
	/* it was handed on, to its end or as far as it was wanted; there is no body */
	bool streamed;
	const char *body;
	size_t len;
};

/*
 * Sends and receives. SEVQ_OK: there is an answer, whatever its status. Else SEVQ_UNREACHABLE
 * (nothing was sent), SEVQ_LOST, SEVQ_TIMED_OUT, SEVQ_BAD_ANSWER (not HTTP as we know it),
 * SEVQ_NO_MEMORY. Not from
 * within another exchange's take.
 */
enum sevq_code sevq_http_exchange(struct sevq_http *http, const struct sevq_request *request,
				  struct sevq_http_answer *ret, struct sevq_error *error);

#endif
