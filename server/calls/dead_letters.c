/*
 * dead_letters.c - enqueues dead letters anew.
 *
 * By selector that is two ops: the dead letters are looked up as a page of them, then requeued by
 * their ids. One that is requeued by someone else in between is passed over.
 */
#include <stdio.h>

#include "server/calls/calls.h"
#include "server/calls/field.h"
#include "server/calls/submit.h"
#include "server/http/reply.h"

#define COUNT(table) (sizeof(table) / sizeof(table)[0])
#define OK (&(struct reply){ .status = 200 })
#define RATE_MAX 1000

/* POST /v1/dead-letters/requeue */

/* The body's fields, kept from the first op to the second. */
struct selection {
	struct address address;
	struct texts ids;
	bool all, confirm, dry_run;
	size_t rate; /* a second; 0: all at once */
	bool more;
};

static const struct field requeue_fields[] = {
	FIELD_LIST("ids", struct selection, ids, REQUEUE_MAX),
	FIELD("sessionKey", TEXT, struct selection, address.session_key),
	FIELD("agentId", TEXT, struct selection, address.agent_id),
	FIELD("channel", TEXT, struct selection, address.channel),
	FIELD("accountId", TEXT, struct selection, address.account_id),
	FIELD("all", BOOL, struct selection, all),
	FIELD("confirm", BOOL, struct selection, confirm),
	FIELD("dryRun", BOOL, struct selection, dry_run),
	FIELD_RANGE("ratePerSecond", SIZE, struct selection, rate, 1, RATE_MAX),
};

static void
answer_requeue(struct request *request)
{
	const struct requeue_op *requeue = &request->work->requeue;
	struct buf *out = reply_begin(request);

	buf_addf(out, "{\"requeued\":%zu,\"passedOver\":%zu,\"more\":%s,\"dryRun\":%s}",
		 requeue->requeued, requeue->passed_over,
		 request->work->selection->more ? "true" : "false",
		 requeue->dry_run ? "true" : "false");
	reply_send(request, OK);
}

static void
requeue_ids(struct request *request)
{
	const struct selection *selection = request->work->selection;
	struct requeue_op *requeue = &request->work->requeue;

	requeue_op_init(requeue);
	requeue->ids = selection->ids.items;
	requeue->id_count = selection->ids.count;
	requeue->dry_run = selection->dry_run;
	requeue->spacing_ms = selection->rate > 0 ? (int64_t)(1000 / selection->rate) : 0;
	submit_op(request, answer_requeue, NULL);
}

/*
 * The page is newest first; what died first is to be delivered first. Its ids move to the request,
 * for the next op.
 */
static void
selected(struct request *request)
{
	const struct history_op *history = &request->work->history;
	struct selection *selection = request->work->selection;
	char digits[24];

	selection->more = history->next_cursor.s != NULL;
	selection->ids =
	    (struct texts){ arena_alloc(&request->arena,
					history->count * sizeof(*selection->ids.items)),
			    history->count };
	for (size_t i = 0; i < history->count; i++) {
		snprintf(digits, sizeof(digits), "%lld", (long long)history->items[i].event.id);
		selection->ids.items[history->count - 1 - i] =
		    arena_dup(&request->arena, str_of(digits));
	}
	op_clear(&request->work->op);
	requeue_ids(request);
}

static void
select_and_requeue(struct request *request)
{
	struct history_op *history = &request->work->history;

	history_op_init(history);
	history->address = request->work->selection->address;
	history->dead_letters = true;
	history->limit = REQUEUE_MAX;
	submit_op(request, selected, NULL);
}

/* Exactly one of: ids, a session, all of them; and all of them only on purpose. */
static int
check_selection(const struct selection *selection, struct error *err)
{
	bool session =
	    selection->address.session_key.s != NULL || selection->address.agent_id.s != NULL;
	int ways = (selection->ids.items != NULL) + session + selection->all;

	if (ways != 1)
		return error_set_field(err, "/ids",
				       "give exactly one of ids, sessionKey (or agentId), and all");
	if (selection->all && !selection->confirm && !selection->dry_run)
		return error_set_field(err, "/confirm",
				       "all dead letters are requeued only with \"confirm\":true");
	return 0;
}

void
dead_letters_requeue(struct request *request)
{
	struct selection *selection = arena_alloc(&request->arena, sizeof(*selection));
	struct error err;

	request->work->selection = selection;
	if (body_read(request, requeue_fields, COUNT(requeue_fields), selection, NULL) != 0)
		return;
	if (check_selection(selection, &err) != 0)
		problem_send(request, &err);
	else if (selection->ids.items != NULL)
		requeue_ids(request);
	else
		select_and_requeue(request);
}
