/*
 * calls.h - the handlers of the API, one file for each resource, and what they share.
 *
 * A handler is given a request that is well-formed, for us, allowed, and whose body is complete and
 * of the right type.
 * Not here: which call is whose (routes), how an op is submitted (submit), anything of sockets and
 * framing (server/http/).
 */
#ifndef SERVER_CALLS_CALLS_H
#define SERVER_CALLS_CALLS_H

#include <stddef.h>

#include "queue/engine.h"
#include "schema/json.h"
#include "server/http/http.h"

/* Counted by calls. All uint64_t, since start; streams is as of now. */
struct call_stats {
	uint64_t streams, streams_opened, streams_refused, streams_dropped, wakes_sent,
	    wakes_gathered; /* gathered: now */
	uint64_t changes_sent, changes_gathered;
	uint64_t waiters_refused;
	uint64_t last_backup_ms; /* of the newest that succeeded; 0: none is known */
	/* turns of the loop, and of them those that used more than LONG_TURN_US */
	uint64_t turns, long_turns;
	uint64_t turn_us_max; /* of processor time, since the start or the last reload */
};
#define LONG_TURN_US 10000

struct waits;
struct streams;
struct askers;
struct policy_in_force;
struct policy_reload;
struct backups;

/* int64_t as in the options that they come from. */
struct call_limits {
	int64_t batch_events_max, waiters_max, streams_max;
	int64_t stream_buffer_bytes, stream_ping_ms;
	/* of the engine and the store: only told */
	int64_t pending_max, pending_total_max, sessions_max, db_bytes_max, db_free_bytes_min;
	bool drop_unknown_delivery; /* as OpenClaw does; else such a field is refused */
	bool no_page;
};

/* One, owned by serve. HTTP knows only the part that is its own. */
struct calls {
	struct http http;
	struct engine *engine;
	struct call_limits limits;
	struct call_stats stats;
	struct waits *waits;     /* wait.h */
	struct streams *streams; /* stream.h */
	struct askers *askers;   /* askers.h */
	struct policy_in_force *policy;
	struct policy_reload *reload; /* policy.h */
	struct backups *backups;      /* backups.h */
	struct json
	    doc; /* the body that a handler reads; kept so that the next need not allocate */
	int64_t started_ms; /* on clock_coarse_ms */
	int64_t started_wall_ms;
	bool reload_failed; /* options, tokens or TLS files, the last time they were read again */
};

static inline struct calls *
calls_of(const struct request *request)
{
	return (struct calls *)(void *)((char *)request->http - offsetof(struct calls, http));
}

request_handler events_post; /* enqueue.c */
request_handler events_peek; /* events.c */
request_handler events_find;
request_handler events_withdraw;
request_handler events_purge;
request_handler drain_post;  /* drain.c */
request_handler leases_post; /* leases.c */
request_handler leases_get;
request_handler leases_get_one;
request_handler leases_ack;
request_handler leases_nack;
request_handler leases_extend;
request_handler leases_release;
request_handler wait_get; /* wait.c */
request_handler wait_hung_up;
request_handler wait_free;
request_handler stream_get; /* stream.c */
request_handler stream_drained;
request_handler stream_free;
request_handler history_get; /* history.c */
request_handler dead_letters_get;
request_handler dead_letters_requeue; /* dead_letters.c */
request_handler dead_letters_discard;
request_handler hooks_wake;    /* hooks.c */
request_handler consume_post;  /* consume.c */
request_handler consumers_get; /* consumers.c */
request_handler sessions_get;  /* sessions.c */
request_handler whoami_get;    /* whoami.c */
request_handler route_post;    /* route.c */
request_handler policy_get;    /* policy.c */
request_handler rekey_post;    /* rekey.c */
request_handler policy_reload_post;
request_handler policy_reload_hung_up;
request_handler policy_reload_over;
request_handler backups_post; /* backups.c */
request_handler backups_get;
request_handler page_get;        /* page.c */
request_handler page_codes_post; /* page_access.c */
request_handler page_sessions_post;
request_handler openapi_get; /* openapi.c */
request_handler stats_get;   /* stats.c */
request_handler metrics_get; /* metrics.c */
request_handler health_live; /* health.c */
request_handler health_ready;
request_handler health_checks;
request_handler health_version;

#endif
