/*
 * calls.h - the handlers of the API, one file for each resource; routes.c says which call is whose.
 *
 * A handler is given a request that is well-formed, for us, allowed, and whose body is complete and of the right type.
 */
#ifndef SEVQ_SERVER_CALLS_CALLS_H
#define SEVQ_SERVER_CALLS_CALLS_H

#include "server/http/request.h"

sevq_handler sevq_events_post; /* events.c */
sevq_handler sevq_events_peek;
sevq_handler sevq_events_find;
sevq_handler sevq_events_withdraw;
sevq_handler sevq_events_purge;
sevq_handler sevq_drain_post;  /* drain.c */
sevq_handler sevq_leases_post; /* leases.c */
sevq_handler sevq_leases_ack;
sevq_handler sevq_leases_nack;
sevq_handler sevq_leases_extend;
sevq_handler sevq_wait_get;    /* wait.c */
sevq_handler sevq_stream_get;  /* stream.c */
sevq_handler sevq_history_get; /* history.c */
sevq_handler sevq_dead_letters_get;
sevq_handler sevq_dead_letters_requeue;
sevq_handler sevq_hooks_wake;   /* hooks.c */
sevq_handler sevq_consume_post; /* consume.c */
sevq_handler sevq_sessions_get; /* sessions.c */
sevq_handler sevq_route_post;   /* route_call.c */
sevq_handler sevq_stats_get;    /* stats.c */
sevq_handler sevq_metrics_get;  /* metrics.c */
sevq_handler sevq_health_live;  /* health.c */
sevq_handler sevq_health_ready;
sevq_handler sevq_health_version;

#endif
