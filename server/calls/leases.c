/*
 * leases.c - take under a lease, and what becomes of it: ack, nack, extend.
 */
#include "server/calls/calls.h"

#include "server/calls/field.h"
#include "server/calls/idempotency.h"
#include "server/calls/json.h"
#include "server/http/reply.h"
#include "server/server.h"

#define COUNT(table) (sizeof(table) / sizeof(table)[0])
#define OK (&(struct sevq_reply){ .status = 200 })

/* POST /v1/leases */

static const struct sevq_field lend_fields[] = {
	SEVQ_FIELD("sessionKey", TEXT, struct sevq_lend, address.session_key),
	SEVQ_FIELD("agentId", TEXT, struct sevq_lend, address.agent_id),
	SEVQ_FIELD("channel", TEXT, struct sevq_lend, address.channel),
	SEVQ_FIELD("accountId", TEXT, struct sevq_lend, address.account_id),
	SEVQ_FIELD_RANGE("limit", SIZE, struct sevq_lend, limit, 1, SEVQ_ANSWER_EVENTS_MAX),
	SEVQ_FIELD_RANGE("leaseMs", INT64, struct sevq_lend, lease_ms, 1, SEVQ_LEASE_MS_MAX),
	SEVQ_FIELD("contextKeyPrefix", TEXT, struct sevq_lend, context_key_prefix),
	SEVQ_FIELD_RANGE("consumer", TEXT, struct sevq_lend, consumer, 0, SEVQ_CONSUMER_BYTES_MAX),
	SEVQ_FIELD("exclusive", BOOL, struct sevq_lend, exclusive),
	SEVQ_FIELD("format", FORMAT, struct sevq_lend, prompt),
};

static void
answer_lend(struct sevq_request *request)
{
	const struct sevq_lend *lend = &request->lend;
	struct sevq_reply reply = { .status = 200 };
	struct sevq_buf *out = sevq_reply_begin(request);

	if (lend->lease_id > 0) {
		SEVQ_ADD(out, "{\"leaseId\":\"");
		sevq_buf_add_int(out, lend->lease_id);
		SEVQ_ADD(out, "\",\"sessionKey\":");
	} else
		SEVQ_ADD(out, "{\"leaseId\":null,\"sessionKey\":");
	sevq_json_quote(out, lend->session_key);
	SEVQ_ADD(out, ",\"expiresAt\":");
	sevq_json_add_time(out, lend->until_ms);
	SEVQ_ADD(out, ",\"events\":");
	sevq_json_add_events(out, &lend->taken);
	SEVQ_ADD(out, ",\"remaining\":");
	sevq_buf_add_int(out, (long long)lend->remaining);
	if (lend->prompt)
		sevq_json_add_block(out, &lend->taken, sevq_engine_timezone(request->server->engine));
	SEVQ_ADD(out, "}");
	sevq_reply_replayed(request, &reply);
	sevq_reply_send(request, &reply);
}

void
sevq_leases_post(struct sevq_request *request)
{
	struct sevq_lend *lend = &request->lend;

	sevq_lend_init(lend);
	if (sevq_idempotency_set(request, 'l') == 0 &&
	    sevq_body_read(request, lend_fields, COUNT(lend_fields), lend, &lend->address) == 0)
		sevq_request_submit(request, answer_lend, NULL);
}

/* POST /v1/leases/{id}/ack, nack, extend */

/* What the body says, before it becomes an op. */
struct said {
	struct sevq_texts ids;
	int64_t delay_ms, lease_ms;
	struct sevq_str reason;
	bool count_attempt;
};

#define IDS SEVQ_FIELD_LIST("ids", struct said, ids, SEVQ_ANSWER_EVENTS_MAX)

static const struct sevq_field ack_fields[] = { IDS };

static const struct sevq_field nack_fields[] = {
	IDS,
	SEVQ_FIELD_RANGE("delayMs", INT64, struct said, delay_ms, 0, SEVQ_DELAY_MS_MAX),
	SEVQ_FIELD_RANGE("reason", TEXT, struct said, reason, 0, SEVQ_REASON_BYTES_MAX),
	SEVQ_FIELD("countAttempt", BOOL, struct said, count_attempt),
};

static const struct sevq_field extend_fields[] = {
	IDS,
	SEVQ_FIELD_RANGE("leaseMs", INT64, struct said, lease_ms, 1, SEVQ_LEASE_MS_MAX),
};

static void
answer_lease(struct sevq_request *request)
{
	static const char *const words[] = {
		[SEVQ_LEASE_ACK] = ",\"acked\":", [SEVQ_LEASE_NACK] = ",\"nacked\":", [SEVQ_LEASE_EXTEND] = ",\"extended\":"
	};
	const struct sevq_lease_op *lease = &request->lease;
	struct sevq_buf *out = sevq_reply_begin(request);

	SEVQ_ADD(out, "{\"leaseId\":");
	sevq_json_quote(out, lease->lease);
	sevq_buf_adds(out, words[lease->action]);
	sevq_buf_add_int(out, (long long)lease->changed);
	if (lease->action == SEVQ_LEASE_NACK)
		sevq_buf_addf(out, ",\"dead\":%zu", lease->dead);
	if (lease->action == SEVQ_LEASE_EXTEND)
		sevq_buf_addf(out, ",\"expiresAt\":%lld", (long long)lease->until_ms);
	SEVQ_ADD(out, ",\"remaining\":");
	sevq_buf_add_int(out, (long long)lease->left);
	SEVQ_ADD(out, "}");
	sevq_reply_send(request, OK);
}

/* Everything in the body is optional, and so is the body. */
static void
act(struct sevq_request *request, enum sevq_lease_action action, const struct sevq_field *fields, size_t count)
{
	struct sevq_lease_op *lease = &request->lease;
	struct said said;

	sevq_lease_op_init(lease, action);
	said = (struct said){ .lease_ms = lease->lease_ms, .count_attempt = lease->count_attempt };
	if (request->body.len > 0 && sevq_body_read(request, fields, count, &said, NULL) != 0)
		return;
	lease->lease = request->id;
	lease->ids = said.ids.items;
	lease->id_count = said.ids.count;
	lease->delay_ms = said.delay_ms;
	lease->lease_ms = said.lease_ms;
	lease->reason = said.reason;
	lease->count_attempt = said.count_attempt;
	sevq_request_submit(request, answer_lease, NULL);
}

void
sevq_leases_ack(struct sevq_request *request)
{
	act(request, SEVQ_LEASE_ACK, ack_fields, COUNT(ack_fields));
}

void
sevq_leases_nack(struct sevq_request *request)
{
	act(request, SEVQ_LEASE_NACK, nack_fields, COUNT(nack_fields));
}

void
sevq_leases_extend(struct sevq_request *request)
{
	act(request, SEVQ_LEASE_EXTEND, extend_fields, COUNT(extend_fields));
}
