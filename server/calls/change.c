/* change.c - asks the engine and the policy how they are. */
#include "server/calls/change.h"

#include <string.h>

#include "server/calls/json.h"
#include "server/policy_in_force.h"

struct server_state
server_state(const struct calls *calls)
{
	struct str hash = policy_in_force_hash(calls->policy);
	struct server_state state = { .strands = engine_strands(calls->engine) };
	struct error err;

	state.ready = !calls->http.closing && engine_ready(calls->engine, &err);
	if (hash.s != NULL)
		memcpy(state.policy_hash, hash.s, hash.len);
	return state;
}

bool
server_state_same(const struct server_state *a, const struct server_state *b, bool restricted)
{
	return a->ready == b->ready &&
	       (restricted || (a->strands.sessions == b->strands.sessions &&
			       a->strands.events == b->strands.events &&
			       a->strands.complete == b->strands.complete &&
			       strcmp(a->policy_hash, b->policy_hash) == 0));
}

void
server_state_add(struct buf *out, const struct server_state *state, bool restricted)
{
	bool hash = !restricted && *state->policy_hash != '\0';

	buf_addf(out, "{\"ready\":%s,\"policyHash\":", state->ready ? "true" : "false");
	json_add_text(out, hash ? str_of(state->policy_hash) : STR_NULL);
	BUF_ADD_LITERAL(out, ",\"stranded\":");
	if (restricted)
		BUF_ADD_LITERAL(out, "null");
	else
		json_add_strands(out, state->strands);
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
