/*
 * consumers.c - GET /v1/consumers: who has asked for events lately, under which key.
 */
#include "server/calls/askers.h"
#include "server/calls/calls.h"
#include "server/calls/field.h"
#include "server/calls/json.h"
#include "server/http/reply.h"

struct consumers_query {
	struct str asked_key, queue_key;
	size_t limit;
};

static const struct field parameters[] = {
	FIELD("askedKey", TEXT, struct consumers_query, asked_key),
	FIELD("queueKey", TEXT, struct consumers_query, queue_key),
	FIELD_RANGE("limit", SIZE, struct consumers_query, limit, 1, ASKERS_MAX),
};

static bool
passes(const struct request *request, const struct consumers_query *query,
       const struct asked *asked)
{
	return caller_may_touch(&request->caller, asked->queue_key) &&
	       (query->asked_key.s == NULL || str_eq(asked->key, query->asked_key)) &&
	       (query->queue_key.s == NULL || str_eq(asked->queue_key, query->queue_key));
}

static void
add_asker(struct buf *out, const struct asker *asker)
{
	static const char *const kinds[] = { [ASKER_DRAIN] = "drain",
					     [ASKER_LEASE] = "lease",
					     [ASKER_CONSUME] = "consume",
					     [ASKER_WAIT] = "wait" };
	const struct asked *asked = &asker->asked;

	BUF_ADD_LITERAL(out, "{\"askedKey\":");
	json_quote(out, asked->key);
	BUF_ADD_LITERAL(out, ",\"queueKey\":");
	json_quote(out, asked->queue_key);
	buf_addf(out, ",\"rule\":\"%s\",\"kind\":\"%s\",\"consumer\":", rule_name(asked->rule),
		 kinds[asked->kind]);
	json_add_text(out, asked->consumer);
	BUF_ADD_LITERAL(out, ",\"token\":");
	json_add_text(out, asked->token);
	buf_addf(out, ",\"lastTs\":%lld,\"waitingNow\":%zu,\"taken\":%llu}",
		 (long long)asker->last_ts_ms, asker->waiting, (unsigned long long)asker->taken);
}

void
consumers_get(struct request *request)
{
	const struct askers *askers = calls_of(request)->askers;
	struct consumers_query query = { .limit = ASKERS_MAX };
	const struct asker *asker = NULL;
	const char *before = "";
	struct buf *out;

	if (query_read(request, parameters, sizeof(parameters) / sizeof(parameters[0]), &query,
		       NULL) != 0)
		return;
	out = reply_begin(request);
	BUF_ADD_LITERAL(out, "{\"consumers\":[");
	while (query.limit > 0 && (asker = askers_next(askers, asker)) != NULL) {
		if (!passes(request, &query, &asker->asked))
			continue;
		buf_adds(out, before);
		add_asker(out, asker);
		before = ",";
		query.limit--;
	}
	BUF_ADD_LITERAL(out, "]}");
	reply_send(request, &(struct reply){ .status = 200 });
}
