/*
 * routes.c - the table of calls.
 */
#include "server/calls/routes.h"

#include <assert.h>
#include <string.h>

#include "server/calls/calls.h"
#include "server/calls/hooks.h"
#include "server/calls/metrics.h"

/* clang-format off */
const struct sevq_call sevq_calls[SEVQ_CALLS] = {
	{ HTTP_POST,   "/v1/events",      SEVQ_SCOPE_PRODUCE, .handle = sevq_events_post,     .takes_body = true, .takes_lines = true },
	{ HTTP_GET,    "/v1/events",      SEVQ_SCOPE_READ,    .handle = sevq_events_peek,     .bulky = true },
	{ HTTP_DELETE, "/v1/events",      SEVQ_SCOPE_ADMIN,   .handle = sevq_events_purge },
	{ HTTP_GET,    "/v1/events/{id}", SEVQ_SCOPE_READ,    .handle = sevq_events_find },
	{ HTTP_DELETE, "/v1/events/{id}", SEVQ_SCOPE_PRODUCE, .handle = sevq_events_withdraw },
	{ HTTP_POST,   "/v1/drain",       SEVQ_SCOPE_CONSUME, .handle = sevq_drain_post,      .takes_body = true, .bulky = true },
	{ HTTP_POST,   "/v1/consume",     SEVQ_SCOPE_CONSUME, .handle = sevq_consume_post,    .takes_body = true, .bulky = true },
	{ HTTP_POST,   "/v1/leases",      SEVQ_SCOPE_CONSUME, .handle = sevq_leases_post,     .takes_body = true, .bulky = true },
	{ HTTP_POST,   "/v1/leases/{id}/ack", SEVQ_SCOPE_CONSUME, .handle = sevq_leases_ack,  .takes_body = true },
	{ HTTP_POST,   "/v1/leases/{id}/nack", SEVQ_SCOPE_CONSUME, .handle = sevq_leases_nack, .takes_body = true },
	{ HTTP_POST,   "/v1/leases/{id}/extend", SEVQ_SCOPE_CONSUME, .handle = sevq_leases_extend, .takes_body = true },
	{ HTTP_GET,    "/v1/wait",        SEVQ_SCOPE_CONSUME, .handle = sevq_wait_get },
	{ HTTP_GET,    "/v1/stream",      SEVQ_SCOPE_READ,    .handle = sevq_stream_get,      .bulky = true },
	{ HTTP_GET,    "/v1/history",     SEVQ_SCOPE_READ,    .handle = sevq_history_get,     .bulky = true },
	{ HTTP_GET,    "/v1/dead-letters", SEVQ_SCOPE_READ,   .handle = sevq_dead_letters_get, .bulky = true },
	{ HTTP_POST,   "/v1/dead-letters/requeue", SEVQ_SCOPE_ADMIN, .handle = sevq_dead_letters_requeue, .takes_body = true },
	{ HTTP_POST,   SEVQ_HOOK_PATH,    SEVQ_SCOPE_PRODUCE, .handle = sevq_hooks_wake,      .takes_body = true, .takes_any = true },
	{ HTTP_GET,    "/v1/sessions",    SEVQ_SCOPE_READ,    .handle = sevq_sessions_get,    .bulky = true },
	{ HTTP_POST,   "/v1/route",       SEVQ_SCOPE_READ,    .handle = sevq_route_post,      .takes_body = true },
	{ HTTP_GET,    "/v1/stats",       SEVQ_SCOPE_READ,    .handle = sevq_stats_get },
	{ HTTP_GET,    "/metrics",        SEVQ_SCOPE_READ,    .handle = sevq_metrics_get },
	{ HTTP_GET,    "/livez",          SEVQ_SCOPE_NONE,    .handle = sevq_health_live },
	{ HTTP_GET,    "/readyz",         SEVQ_SCOPE_NONE,    .handle = sevq_health_ready },
	{ HTTP_GET,    "/healthz",        SEVQ_SCOPE_NONE,    .handle = sevq_health_ready },
	{ HTTP_GET,    "/version",        SEVQ_SCOPE_NONE,    .handle = sevq_health_version },
};
/* clang-format on */

static_assert(SEVQ_CALLS <= SEVQ_CALLS_MAX, "every call is counted");

/* One segment, not empty, stands for "{id}". */
static bool
matches(const char *pattern, struct sevq_str path, struct sevq_str *id)
{
	size_t before = strcspn(pattern, "{"), after;
	const char *end;

	if (pattern[before] == '\0')
		return path.len == before && memcmp(path.s, pattern, before) == 0;
	end = pattern + before + sizeof("{id}") - 1;
	after = strlen(end);
	if (path.len <= before + after || memcmp(path.s, pattern, before) != 0 ||
	    memcmp(path.s + path.len - after, end, after) != 0)
		return false;
	*id = (struct sevq_str){ path.s + before, path.len - before - after };
	return memchr(id->s, '/', id->len) == NULL;
}

static void
allow_method(char allow[64], uint8_t method)
{
	const char *name = llhttp_method_name(method);

	strcat(allow, *allow != '\0' ? ", " : "");
	strcat(allow, method == HTTP_GET ? "GET, HEAD" : name);
}

const struct sevq_call *
sevq_routes_find(uint8_t method, struct sevq_str path, struct sevq_str *id, char allow[64], struct sevq_error *err)
{
	uint8_t wanted = method == HTTP_HEAD ? HTTP_GET : method;

	*allow = '\0';
	for (size_t i = 0; i < SEVQ_CALLS; i++) {
		if (!matches(sevq_calls[i].path, path, id))
			continue;
		if (sevq_calls[i].method == wanted)
			return &sevq_calls[i];
		allow_method(allow, sevq_calls[i].method);
	}
	if (*allow == '\0')
		sevq_fail(err, SEVQ_NOT_FOUND, "no such path");
	else
		sevq_fail(err, SEVQ_METHOD_NOT_ALLOWED, "the path has %s", allow);
	return NULL;
}
