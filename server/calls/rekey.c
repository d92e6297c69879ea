/* rekey.c - POST /v1/rekey: moves the events of stranded queues to where their keys lead now. */
#include "server/calls/calls.h"
#include "server/calls/field.h"
#include "server/calls/json.h"
#include "server/calls/submit.h"
#include "server/http/reply.h"

#define COUNT(table) (sizeof(table) / sizeof(table)[0])
#define OK (&(struct reply){ .status = 200 })

struct rekey_body {
	struct str queue_key;
	bool dry_run, confirm;
	size_t limit;
};

static const struct field fields[] = {
	FIELD("queueKey", TEXT, struct rekey_body, queue_key),
	FIELD("dryRun", BOOL, struct rekey_body, dry_run),
	FIELD("confirm", BOOL, struct rekey_body, confirm),
	FIELD_RANGE("limit", SIZE, struct rekey_body, limit, 1, REKEY_EVENTS_MAX),
};

static void
add_queue(struct buf *out, const struct rekeyed *queue)
{
	BUF_ADD_LITERAL(out, "{\"from\":");
	json_quote(out, queue->from);
	BUF_ADD_LITERAL(out, ",\"to\":");
	json_add_text(out, queue->to);
	buf_addf(out, ",\"rule\":\"%s\",\"moved\":%zu,\"leased\":%zu}", rule_name(queue->rule),
		 queue->moved, queue->leased);
}

static bool
add_queues(struct request *request, struct buf *out, struct reply_at *at)
{
	const struct rekey_op *rekey = &request->work->rekey;

	if (at->item == 0)
		buf_addf(out,
			 "{\"dryRun\":%s,\"moved\":%zu,\"leased\":%zu,\"more\":%s,\"sessions\":[",
			 rekey->dry_run ? "true" : "false", rekey->moved, rekey->leased,
			 rekey->more ? "true" : "false");
	for (; at->item < rekey->count; at->item++) {
		if (reply_is_full(out))
			return false;
		buf_adds(out, at->item > 0 ? "," : "");
		add_queue(out, &rekey->queues[at->item]);
	}
	BUF_ADD_LITERAL(out, "]}");
	return true;
}

static void
answer(struct request *request)
{
	static reply_part *const parts[] = { add_queues, NULL };

	reply_send_parts(request, OK, parts);
}

static int
check(const struct rekey_body *body, struct error *err)
{
	if (body->queue_key.s != NULL &&
	    (body->queue_key.len == 0 || body->queue_key.len > SESSION_KEY_BYTES_MAX))
		return error_set_field(err, "/queueKey", "must be 1 to %d bytes long",
				       SESSION_KEY_BYTES_MAX);
	if (body->queue_key.s == NULL && !body->dry_run && !body->confirm)
		return error_set_field(err, "/confirm",
				       "all stranded queues are moved only with \"confirm\":true");
	return 0;
}

void
rekey_post(struct request *request)
{
	struct rekey_op *rekey = &request->work->rekey;
	struct rekey_body body = { .limit = REKEY_EVENTS_MAX };
	struct error err;

	rekey_op_init(rekey);
	if (body_read(request, fields, COUNT(fields), &body, NULL) != 0)
		return;
	if (check(&body, &err) != 0) {
		problem_send(request, &err);
		return;
	}
	rekey->queue_key = body.queue_key;
	rekey->dry_run = body.dry_run;
	rekey->limit = body.limit;
	submit_op(request, answer, NULL);
}
