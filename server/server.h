/*
 * server.h - what all requests share.
 *
 * Here: the struct, and nothing that does anything. One of it, owned by serve.
 */
#ifndef SERVER_SERVER_H
#define SERVER_SERVER_H

#include <event2/event.h>

#include "queue/engine.h"
#include "server/calls/metrics.h"
#include "server/calls/stream.h"
#include "server/calls/wait.h"
#include "server/http/auth.h"
#include "server/http/deadline.h"
#include "server/http/listener.h"
#include "server/http/parser.h"
#include "server/http/peers.h"
#include "server/http/throttle.h"
#include "server/options.h"
#include "server/policy_file.h"

TAILQ_HEAD(connection_list, connection);

struct server {
	struct event_base *base;
	struct engine *engine;
	struct options *options;
	struct parser_limits limits;
	struct auth *auth; /* NULL: --no-auth */
	struct policy_source policy_source;
	struct listeners listeners;

	struct connection_list connections; /* all of them */
	struct connection_list resumable;   /* answered, with input that waits to be read on */
	struct peers peers;
	struct deadlines deadlines;
	struct waits waits;
	struct streams streams;
	struct throttle throttle; /* of bad tokens for OpenClaw's webhook */
	bool closing;             /* every answer is the last of its connection */

	struct http_stats stats;
	int64_t started_ms;

	/* Used while one handler runs, kept so that the next need not allocate. */
	struct json doc;
	struct buf out;

	time_t date; /* the second that date_line says */
	char date_line[48];
};

#endif
