/*
 * health.c - livez, readyz, healthz, version: for monitors, without a token.
 *
 * livez: the loop turns. readyz: an event could be stored now. healthz: several checks, each ok,
 * degraded (the server works, but somebody should look) or down. It answers 503 only for down: what
 * is degraded does not get well by a restart.
 */
#include "queue/clock.h"
#include "server/calls/calls.h"
#include "server/calls/field.h"
#include "server/calls/json.h"
#include "server/http/reply.h"
#include "server/policy_in_force.h"

static void
answer(struct request *request, const char *json)
{
	if (query_read(request, NULL, 0, NULL, NULL) != 0)
		return;
	buf_adds(reply_begin(request), json);
	reply_send(request, &(struct reply){ .status = 200 });
}

/* The loop turns. */
void
health_live(struct request *request)
{
	answer(request, "{\"status\":\"ok\"}");
}

/* An event could be taken now. */
void
health_ready(struct request *request)
{
	struct error err;

	if (request->http->closing)
		error_set(&err, ERROR_CLOSING, "the server is shutting down");
	else if (engine_ready(calls_of(request)->engine, &err)) {
		answer(request, "{\"status\":\"ok\"}");
		return;
	}
	problem_send(request, &err);
}

/* --- healthz --- */

enum health { HEALTH_OK, HEALTH_DEGRADED, HEALTH_DOWN };

/* Sets why->detail, for the operator, unless all is well. */
typedef enum health health_check(const struct calls *calls, struct error *why);

static bool
disk_is_full(const struct calls *calls, struct error *why)
{
	return !engine_ready(calls->engine, why) && why->code == ERROR_STORAGE_FULL;
}

static enum health
check_server(const struct calls *calls, struct error *why)
{
	if (calls->http.closing)
		error_set(why, ERROR_CLOSING, "the server is shutting down");
	else if (engine_ready(calls->engine, why) || why->code == ERROR_STORAGE_FULL)
		return HEALTH_OK;
	return HEALTH_DOWN;
}

/* Events are refused, but they can be taken and acknowledged. */
static enum health
check_disk(const struct calls *calls, struct error *why)
{
	return disk_is_full(calls, why) ? HEALTH_DEGRADED : HEALTH_OK;
}

static enum health
check_damage(const struct calls *calls, struct error *why)
{
	uint64_t damaged = engine_store(calls->engine)->damaged_reads;

	if (damaged == 0)
		return HEALTH_OK;
	error_set(why, ERROR_STORAGE_CORRUPT,
		  "rows were found damaged (%llu times): the log names the events; run sevqd check",
		  (unsigned long long)damaged);
	return HEALTH_DEGRADED;
}

static enum health
check_policy(const struct calls *calls, struct error *why)
{
	const struct error *last = &calls->policy->last_error;

	if (last->code == ERROR_NONE)
		return HEALTH_OK;
	if (last->line > 0)
		error_set(why, ERROR_CONFIG,
			  "not adopted, the one before stays: %s (line %d, column %d)",
			  last->detail, last->line, last->column);
	else
		error_set(why, ERROR_CONFIG, "not adopted, the one before stays: %s", last->detail);
	return HEALTH_DEGRADED;
}

static enum health
check_stranded(const struct calls *calls, struct error *why)
{
	struct strands strands = engine_strands(calls->engine);

	if (!strands.complete || strands.events == 0)
		return HEALTH_OK;
	error_set(why, ERROR_CONFLICT,
		  "pending events that the policy leads nobody to: %zu; sevq rekey moves them",
		  strands.events);
	return HEALTH_DEGRADED;
}

static enum health
check_backup(const struct calls *calls, struct error *why)
{
	const struct store_backup *backup = &engine_store(calls->engine)->backup;

	if (backup->state != BACKUP_FAILED)
		return HEALTH_OK;
	error_set(why, ERROR_STORAGE_FAILED, "the last one failed: %s", backup->error.detail);
	return HEALTH_DEGRADED;
}

static enum health
check_reload(const struct calls *calls, struct error *why)
{
	if (!calls->reload_failed)
		return HEALTH_OK;
	error_set(why, ERROR_CONFIG,
		  "options, tokens or TLS files are wrong and stay as they were: see the log");
	return HEALTH_DEGRADED;
}

static enum health
check_certificate(const struct calls *calls, struct error *why)
{
	uint64_t expires_ms = calls->http.stats.tls_expires_ms;

	if (expires_ms == 0 || expires_ms > (uint64_t)clock_now().wall_ms)
		return HEALTH_OK;
	error_set(why, ERROR_CONFIG, "it has expired: renew it and send SIGHUP");
	return HEALTH_DEGRADED;
}

static const struct {
	const char *name;
	health_check *check;
} checks[] = {
	{ "server", check_server },     { "disk", check_disk },
	{ "damage", check_damage },     { "policy", check_policy },
	{ "stranded", check_stranded }, { "backup", check_backup },
	{ "reload", check_reload },     { "certificate", check_certificate },
};

/* Every check, and how they are together; the details are for whoever may read of everything. */
void
health_checks(struct request *request)
{
	static const char *const words[] = { "ok", "degraded", "down" };
	bool detailed = (request->scopes & SCOPE_READ) != 0 && request->caller.agents.s == NULL;
	enum health worst = HEALTH_OK;

	if (query_read(request, NULL, 0, NULL, NULL) != 0)
		return;
	struct buf *out = reply_begin(request);
	BUF_ADD_LITERAL(out, "{\"checks\":[");
	for (size_t i = 0; i < sizeof(checks) / sizeof(checks[0]); i++) {
		struct error why = { 0 };
		enum health found = checks[i].check(calls_of(request), &why);

		worst = found > worst ? found : worst;
		buf_addf(out, "%s{\"name\":\"%s\",\"status\":\"%s\",\"detail\":", i > 0 ? "," : "",
			 checks[i].name, words[found]);
		json_add_text(out, found != HEALTH_OK && detailed ? str_of(why.detail) : STR_NULL);
		BUF_ADD_LITERAL(out, "}");
	}
	buf_addf(out, "],\"status\":\"%s\"}", words[worst]);
	reply_send(request, &(struct reply){ .status = worst == HEALTH_DOWN ? 503 : 200 });
}

void
health_version(struct request *request)
{
	answer(request, "{\"version\":\"" SEVQ_VERSION "\"}");
}
