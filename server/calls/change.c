/* change.c - asks the engine and the policy how they are. */
#include "server/calls/change.h"

#include <string.h>

#include "server/calls/json.h"
#include "server/policy_in_force.h"

struct server_now
server_now(const struct calls *calls)
{
	const struct policy_source *source = &calls->policy->source;
	struct server_now now = { .strands = engine_strands(calls->engine) };
	struct error err;

	now.ready = !calls->http.closing && engine_ready(calls->engine, &err);
	if (source->count > 0)
		memcpy(now.policy_hash, source->hash, sizeof(now.policy_hash));
	return now;
}

bool
server_now_same(const struct server_now *a, const struct server_now *b)
{
	return a->ready == b->ready && a->strands.sessions == b->strands.sessions &&
	       a->strands.events == b->strands.events &&
	       a->strands.complete == b->strands.complete &&
	       strcmp(a->policy_hash, b->policy_hash) == 0;
}

void
server_now_add(struct buf *out, const struct server_now *now, bool own)
{
	buf_addf(out, "{\"ready\":%s,\"policyHash\":", now->ready ? "true" : "false");
	json_add_text(out, own || *now->policy_hash == '\0' ? STR_NULL : str_of(now->policy_hash));
	BUF_ADD_LITERAL(out, ",\"stranded\":");
	if (own)
		BUF_ADD_LITERAL(out, "null");
	else
		json_add_strands(out, now->strands);
	BUF_ADD_LITERAL(out, "}");
}

void
change_add(struct buf *out, const struct engine *engine, struct str queue_key)
{
	struct queue_figures queue = engine_figures(engine, queue_key);

	BUF_ADD_LITERAL(out, "{\"queueKey\":");
	json_quote(out, queue_key);
	buf_addf(out,
		 ",\"depth\":%zu,\"ready\":%zu,\"leased\":%zu,\"delayed\":%zu,\"readySinceTs\":",
		 queue.depth, queue.ready, queue.leased, queue.delayed);
	json_add_time(out, queue.ready_since_ts_ms);
	buf_addf(out, ",\"waiters\":%zu,\"routesTo\":", queue.waiters);
	json_add_text(out, queue.routes_to);
	BUF_ADD_LITERAL(out, "}");
}
