/*
 * whoami.c - GET /v1/whoami: what the token of the call is good for.
 */
#include "server/calls/calls.h"
#include "server/calls/field.h"
#include "server/calls/json.h"
#include "server/http/reply.h"

/* The agents are ids, ",a,b,"; NULL: all of them, told as null. */
static void
add_agents(struct buf *out, struct str agents)
{
	const char *before = "[";

	if (agents.s == NULL) {
		BUF_ADD_LITERAL(out, "null");
		return;
	}
	for (size_t at = 1; at < agents.len;) {
		const char *comma = memchr(agents.s + at, ',', agents.len - at);
		size_t end = (size_t)(comma - agents.s);

		buf_adds(out, before);
		json_quote(out, (struct str){ agents.s + at, end - at });
		before = ",";
		at = end + 1;
	}
	BUF_ADD_LITERAL(out, "]");
}

void
whoami_get(struct request *request)
{
	struct buf *out;

	if (query_read(request, NULL, 0, NULL, NULL) != 0)
		return;
	out = reply_begin(request);
	BUF_ADD_LITERAL(out, "{\"name\":");
	json_add_text(out, request->caller.name);
	BUF_ADD_LITERAL(out, ",\"scopes\":");
	json_add_scopes(out, request->scopes);
	BUF_ADD_LITERAL(out, ",\"agents\":");
	add_agents(out, request->caller.agents);
	BUF_ADD_LITERAL(out, "}");
	reply_send(request, &(struct reply){ .status = 200 });
}
