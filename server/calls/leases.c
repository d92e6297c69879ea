/*
 * leases.c - take under a lease, and what becomes of it: ack, nack, extend, release; who holds
 * what.
 */
#include "server/calls/askers.h"
#include "server/calls/calls.h"
#include "server/calls/field.h"
#include "server/calls/idempotency.h"
#include "server/calls/json.h"
#include "server/calls/submit.h"
#include "server/http/reply.h"

#define COUNT(table) (sizeof(table) / sizeof(table)[0])
#define OK (&(struct reply){ .status = 200 })

/* POST /v1/leases */

static const struct field take_fields[] = {
	FIELD("sessionKey", TEXT, struct lease_take_op, address.session_key),
	FIELD("agentId", TEXT, struct lease_take_op, address.agent_id),
	FIELD("channel", TEXT, struct lease_take_op, address.channel),
	FIELD("accountId", TEXT, struct lease_take_op, address.account_id),
	FIELD_RANGE("limit", SIZE, struct lease_take_op, limit, 1, ANSWER_EVENTS_MAX),
	FIELD_RANGE("leaseMs", INT64, struct lease_take_op, lease_ms, 1, LEASE_MS_MAX),
	FIELD("contextKeyPrefix", TEXT, struct lease_take_op, context_key_prefix),
	FIELD_RANGE("consumer", TEXT, struct lease_take_op, consumer, 0, CONSUMER_BYTES_MAX),
	FIELD("exclusive", BOOL, struct lease_take_op, exclusive),
	FIELD("exact", BOOL, struct lease_take_op, exact),
	FIELD("format", FORMAT, struct lease_take_op, prompt),
	FIELD("execCompletions", EXEC_COMPLETIONS, struct lease_take_op, exec_completions),
};

static void
begin_take(struct buf *out, const struct lease_take_op *take)
{
	if (take->lease_id > 0) {
		BUF_ADD_LITERAL(out, "{\"leaseId\":\"");
		buf_add_int(out, take->lease_id);
		BUF_ADD_LITERAL(out, "\",\"sessionKey\":");
	} else
		BUF_ADD_LITERAL(out, "{\"leaseId\":null,\"sessionKey\":");
	json_quote(out, take->session_key);
	BUF_ADD_LITERAL(out, ",\"expiresAt\":");
	json_add_time(out, take->until_ms);
	BUF_ADD_LITERAL(out, ",\"events\":[");
}

static bool
add_events(struct request *request, struct buf *out, struct reply_at *at)
{
	const struct lease_take_op *take = &request->work->lease_take;

	if (at->item == 0)
		begin_take(out, take);
	if (!json_add_events(out, &take->taken, at))
		return false;
	BUF_ADD_LITERAL(out, "],\"remaining\":");
	buf_add_int(out, (long long)take->remaining);
	if (!take->prompt)
		BUF_ADD_LITERAL(out, "}");
	return true;
}

static bool
add_block(struct request *request, struct buf *out, struct reply_at *at)
{
	return json_add_block(out, &request->work->lease_take.taken, request->work->zone, at);
}

static bool
add_left_out(struct request *request, struct buf *out, struct reply_at *at)
{
	if (!json_add_left_out(out, &request->work->lease_take.taken, at))
		return false;
	BUF_ADD_LITERAL(out, "}");
	return true;
}

static void
note_asked(struct request *request)
{
	const struct lease_take_op *take = &request->work->lease_take;

	if (!take->op.idempotency.replayed)
		askers_note(calls_of(request)->askers,
			    &(struct asked){ .kind = ASKER_LEASE,
					     .rule = take->op.rule,
					     .key = asked_key(&take->address),
					     .queue_key = take->session_key,
					     .consumer = take->consumer,
					     .token = request->caller.name },
			    take->taken.count);
}

static void
answer_take(struct request *request)
{
	static reply_part *const plain[] = { add_events, NULL };
	static reply_part *const prompt[] = { add_events, add_block, add_left_out, NULL };
	struct reply reply = { .status = 200 };

	note_asked(request);
	idempotency_note_replay(request, &reply);
	if (request->work->lease_take.prompt)
		submit_keep_zone(request);
	reply_send_parts(request, &reply, request->work->lease_take.prompt ? prompt : plain);
}

void
leases_post(struct request *request)
{
	struct lease_take_op *take = &request->work->lease_take;

	lease_take_op_init(take);
	if (idempotency_key_set(request, 'l') == 0 &&
	    body_read(request, take_fields, COUNT(take_fields), take, &take->address) == 0)
		submit_op(request, answer_take, NULL);
}

/* GET /v1/leases, GET /v1/leases/{id} */

static const struct field list_parameters[] = {
	FIELD("queueKey", TEXT, struct lease_list_op, address.queue_key),
	FIELD("consumer", TEXT, struct lease_list_op, consumer),
	FIELD_RANGE("limit", SIZE, struct lease_list_op, limit, 1, LEASES_PAGE_MAX),
	FIELD("cursor", TEXT, struct lease_list_op, cursor),
};

/* Everything but the closing brace. */
static void
add_lease(struct buf *out, const struct lease_listed *lease)
{
	buf_addf(out, "{\"leaseId\":\"%lld\",\"sessionKey\":", (long long)lease->id);
	json_quote(out, lease->session_key);
	BUF_ADD_LITERAL(out, ",\"consumer\":");
	json_add_text(out, lease->consumer);
	buf_addf(out, ",\"exclusive\":%s,\"expiresAt\":%lld,\"leased\":%zu",
		 lease->exclusive ? "true" : "false", (long long)lease->until_ms, lease->count);
}

static void
answer_list(struct request *request)
{
	const struct lease_list_op *list = &request->work->lease_list;
	struct buf *out = reply_begin(request);

	BUF_ADD_LITERAL(out, "{\"leases\":[");
	for (size_t i = 0; i < list->count; i++) {
		buf_adds(out, i > 0 ? "," : "");
		add_lease(out, &list->leases[i]);
		BUF_ADD_LITERAL(out, "}");
	}
	BUF_ADD_LITERAL(out, "],\"nextCursor\":");
	json_add_text(out, list->next_cursor);
	BUF_ADD_LITERAL(out, "}");
	reply_send(request, OK);
}

static void
answer_find(struct request *request)
{
	const struct lease_listed *lease = &request->work->lease_list.leases[0];
	struct buf *out = reply_begin(request);

	add_lease(out, lease);
	for (size_t i = 0; i < lease->count; i++)
		buf_addf(out, i > 0 ? ",\"%lld\"" : ",\"ids\":[\"%lld\"", (long long)lease->ids[i]);
	BUF_ADD_LITERAL(out, "]}");
	reply_send(request, OK);
}

void
leases_get(struct request *request)
{
	struct lease_list_op *list = &request->work->lease_list;

	lease_list_op_init(list);
	list->limit = LEASES_PAGE_DEFAULT;
	if (query_read(request, list_parameters, COUNT(list_parameters), list, NULL) == 0)
		submit_op(request, answer_list, NULL);
}

void
leases_get_one(struct request *request)
{
	struct lease_list_op *list = &request->work->lease_list;

	lease_list_op_init(list);
	list->lease = request->id;
	if (query_read(request, NULL, 0, NULL, NULL) == 0)
		submit_op(request, answer_find, NULL);
}

/* POST /v1/leases/{id}/ack, nack, extend */

/* The body's fields, before they become an op. */
struct lease_change_body {
	struct texts ids;
	int64_t delay_ms, lease_ms;
	struct str reason;
	bool count_attempt;
};

#define IDS FIELD_LIST("ids", struct lease_change_body, ids, ANSWER_EVENTS_MAX)

static const struct field ack_fields[] = { IDS };

static const struct field nack_fields[] = {
	IDS,
	FIELD_RANGE("delayMs", INT64, struct lease_change_body, delay_ms, 0, DELAY_MS_MAX),
	FIELD_RANGE("reason", TEXT, struct lease_change_body, reason, 0, REASON_BYTES_MAX),
	FIELD("countAttempt", BOOL, struct lease_change_body, count_attempt),
};

static const struct field extend_fields[] = {
	IDS,
	FIELD_RANGE("leaseMs", INT64, struct lease_change_body, lease_ms, 1, LEASE_MS_MAX),
};

static void
add_gone(struct buf *out, const struct lease_change_op *lease)
{
	BUF_ADD_LITERAL(out, ",\"gone\":[");
	for (size_t i = 0; i < lease->gone_count; i++) {
		buf_adds(out, i > 0 ? ",\"" : "\"");
		buf_add_int(out, (long long)lease->gone[i]);
		BUF_ADD_LITERAL(out, "\"");
	}
	BUF_ADD_LITERAL(out, "]");
}

static void
answer_change(struct request *request)
{
	static const char *const words[] = { [LEASE_ACK] = ",\"acked\":",
					     [LEASE_NACK] = ",\"nacked\":",
					     [LEASE_EXTEND] = ",\"extended\":" };
	const struct lease_change_op *lease = &request->work->lease_change;
	struct buf *out = reply_begin(request);

	BUF_ADD_LITERAL(out, "{\"leaseId\":");
	json_quote(out, lease->lease);
	buf_adds(out, words[lease->action]);
	buf_add_int(out, (long long)lease->changed);
	if (lease->action == LEASE_NACK)
		buf_addf(out, ",\"dead\":%zu", lease->dead);
	if (lease->action == LEASE_EXTEND)
		buf_addf(out, ",\"expiresAt\":%lld", (long long)lease->until_ms);
	BUF_ADD_LITERAL(out, ",\"remaining\":");
	buf_add_int(out, (long long)lease->left);
	add_gone(out, lease);
	BUF_ADD_LITERAL(out, "}");
	reply_send(request, OK);
}

/* Everything in the body is optional, and so is the body. */
static void
change(struct request *request, enum lease_action action, const struct field *fields, size_t count)
{
	struct lease_change_op *lease = &request->work->lease_change;
	struct lease_change_body body;

	lease_change_op_init(lease, action);
	body = (struct lease_change_body){ .lease_ms = lease->lease_ms,
					   .count_attempt = lease->count_attempt };
	if (request->body.len > 0 && body_read(request, fields, count, &body, NULL) != 0)
		return;
	lease->lease = request->id;
	lease->ids = body.ids.items;
	lease->id_count = body.ids.count;
	lease->delay_ms = body.delay_ms;
	lease->lease_ms = body.lease_ms;
	lease->reason = body.reason;
	lease->count_attempt = body.count_attempt;
	submit_op(request, answer_change, NULL);
}

void
leases_ack(struct request *request)
{
	change(request, LEASE_ACK, ack_fields, COUNT(ack_fields));
}

void
leases_nack(struct request *request)
{
	change(request, LEASE_NACK, nack_fields, COUNT(nack_fields));
}

void
leases_extend(struct request *request)
{
	change(request, LEASE_EXTEND, extend_fields, COUNT(extend_fields));
}

/* POST /v1/leases/release */

static const struct field release_fields[] = {
	FIELD_ROW("consumer", TEXT, true, offsetof(struct lease_release_op, consumer), 1,
		  CONSUMER_BYTES_MAX),
};

static void
answer_release(struct request *request)
{
	const struct lease_release_op *release = &request->work->lease_release;
	struct buf *out = reply_begin(request);

	BUF_ADD_LITERAL(out, "{\"consumer\":");
	json_quote(out, release->consumer);
	buf_addf(out, ",\"leases\":%zu,\"released\":%zu,\"more\":%s}", release->leases,
		 release->events, release->more ? "true" : "false");
	reply_send(request, OK);
}

void
leases_release(struct request *request)
{
	struct lease_release_op *release = &request->work->lease_release;

	lease_release_op_init(release);
	if (body_read(request, release_fields, COUNT(release_fields), release, NULL) == 0)
		submit_op(request, answer_release, NULL);
}
