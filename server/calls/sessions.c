/*
 * sessions.c - GET /v1/sessions: what is queued where.
 */
#include "server/calls/askers.h"
#include "server/calls/calls.h"
#include "server/calls/field.h"
#include "server/calls/json.h"
#include "server/calls/stream.h"
#include "server/calls/submit.h"
#include "server/http/reply.h"

static const struct field parameters[] = {
	FIELD("sessionKey", TEXT, struct sessions_op, address.session_key),
	FIELD("agentId", TEXT, struct sessions_op, address.agent_id),
	FIELD("channel", TEXT, struct sessions_op, address.channel),
	FIELD("accountId", TEXT, struct sessions_op, address.account_id),
	FIELD("queueKey", TEXT, struct sessions_op, address.queue_key),
	FIELD("prefix", TEXT, struct sessions_op, prefix),
	FIELD("contains", TEXT, struct sessions_op, contains),
	FIELD("problem", PROBLEM, struct sessions_op, problems),
	FIELD_RANGE("minAgeMs", INT64, struct sessions_op, min_age_ms, 0, INT64_MAX),
	FIELD("sort", SORT, struct sessions_op, sort),
	FIELD_RANGE("limit", SIZE, struct sessions_op, limit, 1, SESSIONS_PAGE_MAX),
	FIELD("cursor", TEXT, struct sessions_op, cursor),
};

/* Who is told of it, and who has taken something last. */
static void
add_askers(const struct calls *calls, struct str key, struct buf *out)
{
	const struct asker *taker = askers_last_taker(calls->askers, key);

	buf_addf(out, ",\"streams\":%zu,\"lastTakenTs\":", streams_following(calls->streams, key));
	json_add_time(out, taker != NULL ? taker->taken_ts_ms : 0);
	BUF_ADD_LITERAL(out, ",\"lastTakenBy\":");
	json_add_text(out, taker != NULL ? taker->asked.consumer : STR_NULL);
	BUF_ADD_LITERAL(out, "}");
}

static void
answer(struct request *request)
{
	const struct sessions_op *sessions = &request->work->sessions;
	const struct calls *calls = calls_of(request);
	struct buf *out = reply_begin(request);

	BUF_ADD_LITERAL(out, "{\"sessions\":[");
	for (size_t i = 0; i < sessions->count; i++) {
		const struct session *session = &sessions->sessions[i];

		if (i > 0)
			BUF_ADD_LITERAL(out, ",");
		json_add_session(out, session);
		add_askers(calls, session->session_key, out);
	}
	buf_addf(out, "],\"total\":%zu,\"nextCursor\":", sessions->total);
	json_add_text(out, sessions->next_cursor);
	BUF_ADD_LITERAL(out, "}");
	reply_send(request, &(struct reply){ .status = 200 });
}

void
sessions_get(struct request *request)
{
	struct sessions_op *sessions = &request->work->sessions;

	sessions_op_init(sessions);
	sessions->sort = SORT_KEY;
	sessions->limit = SESSIONS_PAGE_DEFAULT;
	if (query_read(request, parameters, sizeof(parameters) / sizeof(parameters[0]), sessions,
		       NULL) == 0)
		submit_op(request, answer, NULL);
}
