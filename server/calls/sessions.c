/*
 * sessions.c - GET /v1/sessions: what is queued where.
 */
#include "server/calls/calls.h"

#include "server/calls/field.h"
#include "server/calls/json.h"
#include "server/http/reply.h"

static const struct sevq_field parameters[] = {
	SEVQ_FIELD("sessionKey", TEXT, struct sevq_sessions, address.session_key),
	SEVQ_FIELD("agentId", TEXT, struct sevq_sessions, address.agent_id),
	SEVQ_FIELD("channel", TEXT, struct sevq_sessions, address.channel),
	SEVQ_FIELD("accountId", TEXT, struct sevq_sessions, address.account_id),
	SEVQ_FIELD("prefix", TEXT, struct sevq_sessions, prefix),
	SEVQ_FIELD_RANGE("minAgeMs", INT64, struct sevq_sessions, min_age_ms, 0, INT64_MAX),
	SEVQ_FIELD("sort", SORT, struct sevq_sessions, sort),
	SEVQ_FIELD_RANGE("limit", SIZE, struct sevq_sessions, limit, 1, SEVQ_SESSIONS_PAGE_MAX),
	SEVQ_FIELD("cursor", TEXT, struct sevq_sessions, cursor),
};

static void
answer(struct sevq_request *request)
{
	const struct sevq_sessions *sessions = &request->sessions;
	struct sevq_buf *out = sevq_reply_begin(request);

	SEVQ_ADD(out, "{\"sessions\":[");
	for (size_t i = 0; i < sessions->count; i++) {
		if (i > 0)
			SEVQ_ADD(out, ",");
		sevq_json_add_session(out, &sessions->sessions[i]);
	}
	sevq_buf_addf(out, "],\"total\":%zu,\"nextCursor\":", sessions->total);
	sevq_json_add_text(out, sessions->next_cursor);
	SEVQ_ADD(out, "}");
	sevq_reply_send(request, &(struct sevq_reply){ .status = 200 });
}

void
sevq_sessions_get(struct sevq_request *request)
{
	struct sevq_sessions *sessions = &request->sessions;

	sevq_sessions_init(sessions);
	sessions->sort = SEVQ_SORT_KEY;
	sessions->limit = SEVQ_SESSIONS_PAGE_DEFAULT;
	if (sevq_query_read(request, parameters, sizeof parameters / sizeof parameters[0], sessions, NULL) == 0)
		sevq_request_submit(request, answer, NULL);
}
