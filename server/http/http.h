/*
 * http.h - what the files of server/http/ share.
 *
 * Here: limits, counters, and one struct http that holds both, the calls, and the heads of every
 * list of connections. Whoever serves owns it, fills base, calls, guard, auth and limits, and then
 * calls connections_init.
 * Not here: functions but one of a line; anything of the queue. Nothing in server/http/ knows who
 * owns it.
 */
#ifndef SERVER_HTTP_HTTP_H
#define SERVER_HTTP_HTTP_H

#include <time.h>

#include <event2/event.h>

#include "server/http/deadline.h"
#include "server/http/guard.h"
#include "server/http/listener.h"
#include "server/http/log_limit.h"
#include "server/http/peers.h"
#include "server/http/request.h"
#include "server/http/throttle.h"

#define STATUS_CLASSES 6
#define HTTP_CALLS_MAX 64
#define HTTP_STATUSES 23
#define HTTP_WORK_REQUEST 3 /* microseconds: reading a request, and an answer that needs no op */
#define HTTP_WORK_BYTES 256 /* of a request, for a microsecond */
#define HTTP_WORK_ANSWER_BYTES 512 /* of a body made of parts, for a microsecond */
#define BODY_WINDOW_MS 5000        /* over which body_rate_min is looked at */

struct http_limits {
	struct parser_limits message;         /* of one request */
	size_t pipelined_bytes_max;           /* read ahead while a request is under way */
	uint64_t buffered_bytes_max;          /* in all connections together */
	uint64_t connections_max;             /* in all */
	size_t connections_per_address_max;   /* IPv6: of one /64 */
	uint64_t requests_per_connection_max; /* the last one closes the connection */
	int64_t body_timeout_ms;
	int64_t body_rate_min; /* bytes a second */
};

/* All uint64_t, since start; connections and buffered_bytes are as of now. */
struct http_stats {
	uint64_t connections, buffered_bytes;
	uint64_t accepted, refused_limit, refused_address, evicted_idle, evicted_half_open;
	uint64_t accept_pauses, hang_ups;
	uint64_t tls_failures;
	uint64_t tls_expires_ms; /* the certificate, by the wall clock; 0: no TLS */
	uint64_t tls_read; /* 0: its files could not be read again, when that was last tried */
	uint64_t requests, bytes_in, bytes_out, answer_slices;
	uint64_t late_headers, late_body, late_readers, idle_closed;
	uint64_t tokens_throttled, tokens_revoked;
	uint64_t codes_refused, granted_ended; /* for want of room (grants.h) */
	uint64_t responses[STATUS_CLASSES];    /* by the status' first digit */
	/* by row of the table of calls, the last for none of them, and by status (reply.h) */
	uint64_t answers[HTTP_CALLS_MAX + 1][HTTP_STATUSES];
	uint64_t problems[ERROR_CODE_COUNT];
};

TAILQ_HEAD(connection_list, connection);

/*
 * Invariants: 1. every connection is in connections, and closed ones whose request is still pending
 * too. 2. stats.buffered_bytes is the sum of what they hold (connection_count_buffered).
 */
struct http {
	struct event_base *base;
	const struct http_calls *calls;
	struct guard guard;
	struct auth *auth; /* NULL: no token is asked for */
	/* when the next token expires; over: one has ended before its time */
	struct expiry token_expiry;
	struct tls *tls; /* for listeners whose endpoint has it */
	struct http_limits limits;
	bool closing; /* every answer is the last of its connection */

	struct listeners listeners;
	struct connection_list connections;
	struct connection_list resumable; /* answered, and their next request has been read ahead */
	struct connection_list answering; /* their sockets have room for the next slice */
	struct peers peers;
	struct deadlines deadlines;
	struct throttle throttle, webhook_throttle;   /* of bad tokens */
	struct log_limit refusals, failed_handshakes; /* in the log (access_log.h, handshake.h) */
	struct http_stats stats;

	/*
	 * Work of the present turn, in microseconds as estimated, and how much of it there may be:
	 * once it is done, what else has arrived waits for the next turn.
	 */
	size_t turn_work, turn_work_max;
	/*
	 * The same for answers made of parts. One that finds it done waits among answering.
	 */
	size_t answer_work, answer_work_max;

	struct buf out; /* the answer being written; kept so that the next need not allocate */
	time_t date;    /* the second that date_line names */
	char date_line[48];
};

static inline bool
http_turn_is_over(const struct http *http)
{
	return http->turn_work >= http->turn_work_max;
}

static inline bool
http_answers_are_over(const struct http *http)
{
	return http->answer_work >= http->answer_work_max;
}

#endif
