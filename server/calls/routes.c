/*
 * routes.c - the table of calls.
 */
#include "server/calls/routes.h"

#include <assert.h>
#include <string.h>

#include "server/calls/calls.h"
#include "server/calls/hooks.h"
#include "server/calls/submit.h"

/* clang-format off */
static const struct call table[] = {
	{ HTTP_POST,   "/v1/events",      SCOPE_PRODUCE, .handle = events_post,     .takes_body = true, .takes_lines = true, .by_agent = true },
	{ HTTP_GET,    "/v1/events",      SCOPE_READ,    .handle = events_peek, .by_agent = true },
	{ HTTP_DELETE, "/v1/events",      SCOPE_ADMIN,   .handle = events_purge, .by_agent = true },
	{ HTTP_GET,    "/v1/events/{id}", SCOPE_READ,    .handle = events_find, .by_agent = true },
	{ HTTP_DELETE, "/v1/events/{id}", SCOPE_PRODUCE, .handle = events_withdraw, .by_agent = true },
	{ HTTP_POST,   "/v1/drain",       SCOPE_CONSUME, .handle = drain_post,      .takes_body = true, .by_agent = true },
	{ HTTP_POST,   "/v1/consume",     SCOPE_CONSUME, .handle = consume_post,    .takes_body = true, .by_agent = true },
	{ HTTP_POST,   "/v1/leases",      SCOPE_CONSUME, .handle = leases_post,     .takes_body = true, .by_agent = true },
	{ HTTP_GET,    "/v1/leases",      SCOPE_READ,    .handle = leases_get, .by_agent = true },
	{ HTTP_GET,    "/v1/leases/{id}", SCOPE_READ,    .handle = leases_get_one, .by_agent = true },
	{ HTTP_POST,   "/v1/leases/{id}/ack", SCOPE_CONSUME, .handle = leases_ack,  .takes_body = true, .by_agent = true },
	{ HTTP_POST,   "/v1/leases/{id}/nack", SCOPE_CONSUME, .handle = leases_nack, .takes_body = true, .by_agent = true },
	{ HTTP_POST,   "/v1/leases/{id}/extend", SCOPE_CONSUME, .handle = leases_extend, .takes_body = true, .by_agent = true },
	{ HTTP_POST,   "/v1/leases/release", SCOPE_CONSUME, .handle = leases_release, .takes_body = true, .by_agent = true },
	{ HTTP_GET,    "/v1/wait",        SCOPE_CONSUME, .handle = wait_get, .hung_up = wait_hung_up, .free = wait_free, .by_agent = true },
	{ HTTP_GET,    "/v1/stream",      SCOPE_READ,    .handle = stream_get,      .bulky = true, .drained = stream_drained, .free = stream_free, .by_agent = true },
	{ HTTP_GET,    "/v1/history",     SCOPE_READ,    .handle = history_get, .by_agent = true },
	{ HTTP_GET,    "/v1/dead-letters", SCOPE_READ,   .handle = dead_letters_get, .by_agent = true },
	{ HTTP_DELETE, "/v1/dead-letters", SCOPE_ADMIN,  .handle = dead_letters_discard, .takes_body = true, .by_agent = true },
	{ HTTP_POST,   "/v1/dead-letters/requeue", SCOPE_ADMIN, .handle = dead_letters_requeue, .takes_body = true, .by_agent = true },
	{ HTTP_POST,   HOOK_PATH,    SCOPE_PRODUCE, .handle = hooks_wake,      .takes_body = true, .takes_any = true, .by_agent = true },
	{ HTTP_GET,    "/v1/sessions",    SCOPE_READ,    .handle = sessions_get, .by_agent = true },
	{ HTTP_GET,    "/v1/consumers",   SCOPE_READ,    .handle = consumers_get,   .bulky = true, .by_agent = true },
	{ HTTP_POST,   "/v1/route",       SCOPE_READ,    .handle = route_post,      .takes_body = true, .by_agent = true },
	{ HTTP_GET,    "/v1/policy",      SCOPE_READ,    .handle = policy_get,      .bulky = true },
	{ HTTP_POST,   "/v1/policy/reload", SCOPE_ADMIN, .handle = policy_reload_post, .takes_body = true, .hung_up = policy_reload_hung_up, .free = policy_reload_over },
	{ HTTP_POST,   "/v1/rekey",       SCOPE_ADMIN,   .handle = rekey_post,      .takes_body = true },
	{ HTTP_POST,   "/v1/backups",     SCOPE_ADMIN,   .handle = backups_post,    .takes_body = true },
	{ HTTP_GET,    "/v1/backups",     SCOPE_ADMIN,   .handle = backups_get },
	{ HTTP_POST,   "/v1/page-codes",  SCOPE_READ,    .handle = page_codes_post, .takes_body = true, .by_agent = true },
	{ HTTP_POST,   "/v1/page-sessions", SCOPE_NONE,  .handle = page_sessions_post, .takes_body = true },
	{ HTTP_GET,    "/v1/whoami",      SCOPE_ANY,     .handle = whoami_get, .by_agent = true },
	{ HTTP_GET,    "/v1/stats",       SCOPE_READ,    .handle = stats_get },
	{ HTTP_GET,    "/metrics",        SCOPE_READ,    .handle = metrics_get },
	{ HTTP_GET,    "/livez",          SCOPE_NONE,    .handle = health_live },
	{ HTTP_GET,    "/readyz",         SCOPE_NONE,    .handle = health_ready },
	{ HTTP_GET,    "/healthz",        SCOPE_NONE,    .handle = health_checks, .minds_token = true },
	{ HTTP_GET,    "/version",        SCOPE_NONE,    .handle = health_version },
	{ HTTP_GET,    "/openapi.json",   SCOPE_NONE,    .handle = openapi_get },
	{ HTTP_GET,    "/",               SCOPE_NONE,    .handle = page_get },
	{ HTTP_GET,    "/ui/{id}",        SCOPE_NONE,    .handle = page_get },
};
/* clang-format on */

#define ROUTES (sizeof(table) / sizeof(table[0]))

static_assert(ROUTES <= HTTP_CALLS_MAX, "every call is counted");

/* "{id}" stands for one segment that is not empty. */
static bool
matches(const char *pattern, struct str path, struct str *id)
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
	*id = (struct str){ path.s + before, path.len - before - after };
	return memchr(id->s, '/', id->len) == NULL;
}

static void
allow_method(char allow[64], uint8_t method)
{
	const char *name = llhttp_method_name(method);

	strcat(allow, *allow != '\0' ? ", " : "");
	strcat(allow, method == HTTP_GET ? "GET, HEAD" : name);
}

static const struct call *
find(uint8_t method, struct str path, struct str *id, char allow[64], struct error *err)
{
	uint8_t wanted = method == HTTP_HEAD ? HTTP_GET : method;

	*allow = '\0';
	for (size_t i = 0; i < ROUTES; i++) {
		if (!matches(table[i].path, path, id))
			continue;
		if (table[i].method == wanted)
			return &table[i];
		allow_method(allow, table[i].method);
	}
	if (*allow == '\0' && hooks_explain(path) != NULL)
		error_set(err, ERROR_NOT_FOUND, "%s", hooks_explain(path));
	else if (*allow == '\0')
		error_set(err, ERROR_NOT_FOUND, "no such path");
	else
		error_set(err, ERROR_METHOD_NOT_ALLOWED, "the path has %s", allow);
	return NULL;
}

const struct http_calls routes = {
	.table = table,
	.count = ROUTES,
	.find = find,
	.webhook = &hooks_webhook,
	.work_bytes = sizeof(struct work),
	.clear = submit_clear,
	.held_bytes = submit_held_bytes,
};
