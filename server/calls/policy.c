/*
 * policy.c - GET /v1/policy: which policy is in force, what it says, and what it strands; POST
 * /v1/policy/reload: reads its files again, in earnest or to see what would come of it.
 */
#include "server/calls/policy.h"

#include <assert.h>
#include <stdlib.h>

#include "queue/policy/summary.h"
#include "server/calls/field.h"
#include "server/calls/json.h"
#include "server/calls/stream.h"
#include "server/http/exchange.h"
#include "server/http/reply.h"
#include "server/policy_in_force.h"

#define OK (&(struct reply){ .status = 200 })
#define LIST_MAX 1000 /* a longer list ends there, and "more" is true */

static void
add_last_error(struct buf *out, const struct policy_in_force *force)
{
	const struct error *err = &force->last_error;

	if (err->code == ERROR_NONE) {
		BUF_ADD_LITERAL(out, "null");
		return;
	}
	buf_addf(out, "{\"ts\":%lld,\"detail\":", (long long)force->last_error_ms);
	json_quote(out, str_of(err->detail));
	if (err->line > 0)
		buf_addf(out, ",\"line\":%d,\"column\":%d}", err->line, err->column);
	else
		BUF_ADD_LITERAL(out, ",\"line\":null,\"column\":null}");
}

static void
add_session(struct buf *out, const struct policy_summary *summary)
{
	BUF_ADD_LITERAL(out, ",\"session\":{\"dmScope\":");
	json_quote(out, summary->dm_scope);
	BUF_ADD_LITERAL(out, ",\"scope\":");
	json_quote(out, summary->scope);
	BUF_ADD_LITERAL(out, ",\"mainKey\":");
	json_quote(out, summary->main_key);
	BUF_ADD_LITERAL(out, "}");
}

/* Whether the list goes on; a comma before all items but the first. */
static bool
list_goes_on(struct buf *out, size_t at, size_t count)
{
	if (at == count || at == LIST_MAX)
		return false;
	if (at > 0)
		BUF_ADD_LITERAL(out, ",");
	return true;
}

static void
add_agents(struct buf *out, const struct policy_summary *summary)
{
	BUF_ADD_LITERAL(out, ",\"agents\":{\"ids\":[");
	for (size_t i = 0; list_goes_on(out, i, summary->agent_count); i++)
		json_quote(out, summary->agents[i]);
	BUF_ADD_LITERAL(out, "],\"default\":");
	json_add_text(out, summary->owner);
	BUF_ADD_LITERAL(out, ",\"ownership\":");
	json_add_text(out, summary->ownership);
	BUF_ADD_LITERAL(out, "}");
}

/* The place of the list in the config; "--owner" where only the operator names owners. */
static void
add_where(struct buf *out, const struct allowlist_row *row)
{
	struct buf path = { 0 };

	if (row->pin.where == NULL) {
		BUF_ADD_LITERAL(out, "\"--owner\"");
		return;
	}
	BUF_ADD_LITERAL(&path, "channels.");
	buf_add(&path, row->channel.s, row->channel.len);
	if (row->account.s != NULL) {
		BUF_ADD_LITERAL(&path, ".accounts.");
		buf_add(&path, row->account.s, row->account.len);
	}
	buf_addf(&path, ".%s", row->pin.where);
	json_quote(out, (struct str){ path.data, path.len });
	buf_clear(&path);
}

static void
add_list(struct buf *out, const struct allowlist_row *row)
{
	const struct pin *pin = &row->pin;

	BUF_ADD_LITERAL(out, "{\"channel\":");
	json_quote(out, row->channel);
	BUF_ADD_LITERAL(out, ",\"account\":");
	json_add_text(out, row->account);
	BUF_ADD_LITERAL(out, ",\"where\":");
	add_where(out, row);
	buf_addf(out, ",\"entries\":%zu,\"wildcard\":%s,\"owner\":", pin->entries,
		 pin->kind == PIN_ANYBODY ? "true" : "false");
	json_add_text(out, pin->kind == PIN_OWNER ? pin->owner : STR_NULL);
	BUF_ADD_LITERAL(out, "}");
}

static void
add_lists(struct buf *out, const struct policy_summary *summary)
{
	BUF_ADD_LITERAL(out, ",\"allowlists\":[");
	for (size_t i = 0; list_goes_on(out, i, summary->list_count); i++)
		add_list(out, &summary->lists[i]);
	buf_addf(out, "],\"bindings\":%zu,\"timezone\":", summary->bindings);
	json_add_text(out, summary->timezone);
	BUF_ADD_LITERAL(out, ",\"warnings\":[");
	for (size_t i = 0; list_goes_on(out, i, summary->warning_count); i++)
		json_quote(out, summary->warnings[i]);
	BUF_ADD_LITERAL(out, "]");
}

/* The files beside the config itself. They are fewer than LIST_MAX. */
static void
add_includes(struct buf *out, const struct policy_source *source)
{
	size_t added = 0;

	BUF_ADD_LITERAL(out, ",\"includes\":[");
	for (size_t i = 0; i < source->count; i++)
		if (source->files[i] != source->config &&
		    list_goes_on(out, added++, source->count + 1))
			json_quote(out, str_of(source->files[i]));
	BUF_ADD_LITERAL(out, "]");
}

static void
add_strands(struct buf *out, struct strands strands)
{
	BUF_ADD_LITERAL(out, ",\"stranded\":");
	json_add_strands(out, strands);
}

void
policy_get(struct request *request)
{
	const struct calls *calls = calls_of(request);
	const struct policy_in_force *force = calls->policy;
	const struct policy_summary *summary = engine_policy(calls->engine);

	if (query_read(request, NULL, 0, NULL, NULL) != 0)
		return;
	struct buf *out = reply_begin(request);
	BUF_ADD_LITERAL(out, "{\"file\":");
	json_add_text(out, str_of(force->source.config));
	BUF_ADD_LITERAL(out, ",\"hash\":");
	json_add_text(out, policy_in_force_hash(force));
	buf_addf(out,
		 ",\"loadedAt\":%lld,\"reloads\":%llu,\"lastError\":", (long long)force->loaded_ms,
		 (unsigned long long)force->reloads);
	add_last_error(out, force);
	add_session(out, summary);
	add_agents(out, summary);
	add_lists(out, summary);
	add_includes(out, &force->source);
	add_strands(out, engine_strands(calls->engine));
	buf_addf(out, ",\"more\":%s}",
		 summary->agent_count > LIST_MAX || summary->list_count > LIST_MAX ? "true"
										   : "false");
	reply_send(request, OK);
}

/* --- POST /v1/policy/reload --- */

struct policy_reload {
	struct request *request; /* NULL: none is under way */
	bool dry_run, begun, gone, changed;
	struct error error;           /* why it has failed */
	char hash[TEXT_SHA256_BYTES]; /* of the files that were read; "": there are none */
};

struct policy_reload *
policy_reload_new(void)
{
	return mem_alloc(sizeof(struct policy_reload));
}

void
policy_reload_free(struct policy_reload *reload)
{
	assert(reload == NULL || reload->request == NULL);
	free(reload);
}

static const struct field reload_fields[] = {
	FIELD("dryRun", BOOL, struct policy_reload, dry_run),
};

void
policy_reload_post(struct request *request)
{
	struct calls *calls = calls_of(request);
	struct policy_reload asked = { .request = request };
	struct error err;

	if (body_read(request, reload_fields, 1, &asked, NULL) != 0)
		return;
	if (calls->reload->request != NULL) {
		error_set(&err, ERROR_CONFLICT, "another reload is under way");
		problem_send(request, &err);
		return;
	}
	*calls->reload = asked;
	request->state = calls->reload;
	exchange_pend(request);
}

void
policy_reload_hung_up(struct request *request)
{
	((struct policy_reload *)request->state)->gone = true;
}

void
policy_reload_over(struct request *request)
{
	struct policy_reload *reload = request->state;

	if (reload->dry_run)
		engine_end_trial(calls_of(request)->engine);
	reload->request = NULL;
}

bool
policy_reload_is_due(const struct calls *calls)
{
	return calls->reload->request != NULL && !calls->reload->begun;
}

static int
begin_trial(struct calls *calls, struct policy_reload *reload)
{
	struct policy_source source;
	struct policy *policy;

	if (policy_in_force_read(calls->policy, &policy, &source, &reload->error) != 0)
		return -1;
	reload->changed = !policy_source_same(&source, &calls->policy->source);
	memcpy(reload->hash, source.hash, sizeof(reload->hash));
	policy_source_clear(&source);
	engine_try_policy(calls->engine, policy);
	return 0;
}

static int
begin_reload(struct calls *calls, struct policy_reload *reload)
{
	if (policy_in_force_reload(calls->policy, &reload->changed, &reload->error) != 0)
		return -1;
	memcpy(reload->hash, calls->policy->source.hash, sizeof(reload->hash));
	return 0;
}

void
policy_reload_begin(struct calls *calls)
{
	struct policy_reload *reload = calls->reload;

	reload->begun = true;
	reload->error = (struct error){ 0 };
	if (reload->dry_run)
		begin_trial(calls, reload);
	else
		begin_reload(calls, reload);
}

static void
add_would_strand(struct buf *out, const struct trial *trial)
{
	BUF_ADD_LITERAL(out, ",\"wouldStrand\":[");
	for (size_t i = 0; i < trial->count; i++) {
		buf_adds(out, i > 0 ? ",{\"queueKey\":" : "{\"queueKey\":");
		json_quote(out, trial->items[i].queue_key);
		BUF_ADD_LITERAL(out, ",\"to\":");
		json_add_text(out, trial->items[i].to);
		buf_addf(out, ",\"events\":%zu}", trial->items[i].events);
	}
	BUF_ADD_LITERAL(out, "]");
}

static void
answer_reload(struct request *request)
{
	const struct calls *calls = calls_of(request);
	const struct policy_reload *reload = request->state;
	const struct trial *trial = engine_trial(calls->engine);
	struct buf *out = reply_begin(request);

	buf_addf(out, "{\"changed\":%s,\"hash\":", reload->changed ? "true" : "false");
	json_add_text(out, reload->hash[0] != '\0' ? str_of(reload->hash) : STR_NULL);
	buf_addf(out, ",\"loadedAt\":%lld", (long long)calls->policy->loaded_ms);
	add_strands(out, reload->dry_run ? trial->strands : engine_strands(calls->engine));
	if (reload->dry_run)
		add_would_strand(out, trial);
	BUF_ADD_LITERAL(out, "}");
	reply_send(request, OK);
}

/* A detail of the config's reader is "policy FILE: why" or "FILE: why", FILE an absolute path. */
static void
fail_reload(struct request *request)
{
	const struct policy_reload *reload = request->state;
	struct error err = reload->error;
	const char *detail = err.detail, *end;
	struct str file = STR_NULL;

	if (strncmp(detail, "policy /", 8) == 0)
		detail += 7;
	end = detail[0] == '/' ? strstr(detail, ": ") : NULL;
	if (end != NULL) {
		file = (struct str){ detail, (size_t)(end - detail) };
		detail = end + 2;
	}
	err.code = ERROR_POLICY_INVALID;
	problem_send_file(request, &err, file, detail);
}

static bool
is_judged(const struct calls *calls)
{
	return calls->reload->dry_run ? engine_trial(calls->engine)->strands.complete
				      : engine_strands(calls->engine).complete;
}

void
policy_reload_end(struct calls *calls)
{
	struct policy_reload *reload = calls->reload;

	if (reload->request == NULL)
		return;
	if (reload->error.code != ERROR_NONE)
		exchange_complete(reload->request, fail_reload);
	else if (reload->gone || (reload->begun && is_judged(calls)))
		exchange_complete(reload->request, answer_reload);
}
