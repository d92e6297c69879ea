/*
 * server.h - what all requests share.
 *
 * Here: the struct, and nothing that does anything. One of it, owned by serve.
 */
#ifndef SEVQ_SERVER_SERVER_H
#define SEVQ_SERVER_SERVER_H

#include <event2/event.h>

#include "queue/engine.h"
#include "server/http/auth.h"
#include "server/http/deadline.h"
#include "server/http/listener.h"
#include "server/calls/metrics.h"
#include "server/options.h"
#include "server/http/parser.h"
#include "server/http/peers.h"
#include "server/calls/stream.h"
#include "server/http/throttle.h"
#include "server/calls/wait.h"

TAILQ_HEAD(sevq_connection_list, sevq_connection);

struct sevq_server {
	struct event_base *base;
	struct sevq_engine *engine;
	struct sevq_options *options;
	struct sevq_parser_limits limits;
	struct sevq_auth *auth; /* NULL: --no-auth */
	struct sevq_listeners listeners;

	struct sevq_connection_list connections; /* all of them */
	struct sevq_connection_list resumable;   /* answered, with input that waits to be read on */
	struct sevq_peers peers;
	struct sevq_deadlines deadlines;
	struct sevq_waits waits;
	struct sevq_streams streams;
	struct sevq_throttle throttle; /* of bad tokens for OpenClaw's webhook */
	bool closing;                  /* every answer is the last of its connection */

	struct sevq_http_stats stats;
	int64_t started_ms;

	/* Used while one handler runs, kept so that the next need not allocate. */
	struct sevq_json doc;
	struct sevq_buf out;

	time_t date; /* the second that date_line says */
	char date_line[48];
};

#endif
