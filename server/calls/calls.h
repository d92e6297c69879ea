/*
 * calls.h - the handlers of the API, one file for each resource; routes.c says which call is whose.
 *
 * A handler is given a request that is well-formed, for us, allowed, and whose body is complete and
 * of the right type.
 */
#ifndef SERVER_CALLS_CALLS_H
#define SERVER_CALLS_CALLS_H

#include "server/http/request.h"

request_handler events_post; /* events.c */
request_handler events_peek;
request_handler events_find;
request_handler events_withdraw;
request_handler events_purge;
request_handler drain_post;  /* drain.c */
request_handler leases_post; /* leases.c */
request_handler leases_ack;
request_handler leases_nack;
request_handler leases_extend;
request_handler wait_get;    /* wait.c */
request_handler stream_get;  /* stream.c */
request_handler history_get; /* history.c */
request_handler dead_letters_get;
request_handler dead_letters_requeue;
request_handler hooks_wake;   /* hooks.c */
request_handler consume_post; /* consume.c */
request_handler sessions_get; /* sessions.c */
request_handler route_post;   /* route_call.c */
request_handler stats_get;    /* stats.c */
request_handler metrics_get;  /* metrics.c */
request_handler health_live;  /* health.c */
request_handler health_ready;
request_handler health_version;

#endif
