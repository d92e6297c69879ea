/*
 * dead_letters.c - ends dead letters: enqueues them anew, or discards them.
 *
 * By selector that is two ops: the dead letters are looked up as a page of them, then ended by
 * their ids. One that somebody else has ended in between is passed over.
 */
#include <stdio.h>

#include "server/calls/calls.h"
#include "server/calls/field.h"
#include "server/calls/submit.h"
#include "server/http/reply.h"

#define COUNT(table) (sizeof(table) / sizeof(table)[0])
#define OK (&(struct reply){ .status = 200 })
#define RATE_MAX 1000

/* The body's fields, kept from the first op to the second. */
struct selection {
	struct address address;
	struct str reason; /* prefix; NULL: all */
	struct str cursor; /* of the page that is looked up; NULL: the first */
	struct texts ids;
	bool all, confirm, dry_run;
	size_t rate;               /* a second; 0: all at once */
	request_handler *end_them; /* submits the second op */
	bool more;
};

#define SELECTION_FIELDS                                                                           \
	FIELD_LIST("ids", struct selection, ids, REQUEUE_MAX),                                     \
	    FIELD("sessionKey", TEXT, struct selection, address.session_key),                      \
	    FIELD("agentId", TEXT, struct selection, address.agent_id),                            \
	    FIELD("channel", TEXT, struct selection, address.channel),                             \
	    FIELD("accountId", TEXT, struct selection, address.account_id),                        \
	    FIELD("queueKey", TEXT, struct selection, address.queue_key),                          \
	    FIELD("reason", TEXT, struct selection, reason),                                       \
	    FIELD("all", BOOL, struct selection, all),                                             \
	    FIELD("confirm", BOOL, struct selection, confirm),                                     \
	    FIELD("dryRun", BOOL, struct selection, dry_run)

static void
answer(struct request *request, const char *what, size_t count, size_t passed_over)
{
	const struct selection *selection = request->work->selection;

	buf_addf(reply_begin(request), "{\"%s\":%zu,\"passedOver\":%zu,\"more\":%s,\"dryRun\":%s}",
		 what, count, passed_over, selection->more ? "true" : "false",
		 selection->dry_run ? "true" : "false");
	reply_send(request, OK);
}

/*
 * The page is newest first; what died first is to be delivered first. Its ids move to the request,
 * for the next op.
 */
static void
take_ids(struct request *request)
{
	const struct history_op *history = &request->work->history;
	struct texts *ids = &request->work->selection->ids;
	char digits[24];

	*ids = (struct texts){ arena_alloc(&request->arena, history->count * sizeof(*ids->items)),
			       history->count };
	for (size_t i = 0; i < history->count; i++) {
		snprintf(digits, sizeof(digits), "%lld", (long long)history->items[i].event.id);
		ids->items[history->count - 1 - i] = arena_dup(&request->arena, str_of(digits));
	}
}

static request_handler selected;

static void
look_up(struct request *request)
{
	const struct selection *selection = request->work->selection;
	struct history_op *history = &request->work->history;

	history_op_init(history);
	history->address = selection->address;
	history->reason = selection->reason;
	history->cursor = selection->cursor;
	history->dead_letters = true;
	history->limit = REQUEUE_MAX;
	submit_op(request, selected, NULL);
}

/* Many others may stand before the first that is selected: pages without any are passed over. */
static void
selected(struct request *request)
{
	const struct history_op *history = &request->work->history;
	struct selection *selection = request->work->selection;

	selection->more = history->next_cursor.s != NULL;
	selection->cursor = arena_dup(&request->arena, history->next_cursor);
	bool again = history->count == 0 && selection->more;
	if (!again)
		take_ids(request);
	op_clear(&request->work->op);
	if (again)
		look_up(request);
	else
		selection->end_them(request);
}

/* Exactly one of: ids, a session, all of them. */
static int
check_selection(const struct selection *selection, struct error *err)
{
	const struct address *address = &selection->address;
	bool session = address->session_key.s != NULL || address->agent_id.s != NULL ||
		       address->queue_key.s != NULL;
	int ways = (selection->ids.items != NULL) + session + selection->all;

	if (ways != 1)
		return error_set_field(
		    err, "/ids",
		    "give exactly one of ids, sessionKey (or agentId, or queueKey), and all");
	if (selection->ids.items != NULL && selection->reason.s != NULL)
		return error_set_field(err, "/reason", "goes with a session or all, not with ids");
	return session ? 0 : address_check_optional(address, err);
}

/* much: so much is selected that it is ended only on purpose. */
static void
end_selected(struct request *request, bool much, const char *needs_confirm)
{
	struct selection *selection = request->work->selection;
	struct error err;
	int failed = check_selection(selection, &err);

	if (failed == 0 && much && !selection->confirm && !selection->dry_run)
		failed = error_set_field(&err, "/confirm", "%s", needs_confirm);
	if (failed != 0)
		problem_send(request, &err);
	else if (selection->ids.items != NULL)
		selection->end_them(request);
	else
		look_up(request);
}

static struct selection *
select_by(struct request *request, request_handler *end_them)
{
	struct selection *selection = arena_alloc(&request->arena, sizeof(*selection));

	selection->end_them = end_them;
	request->work->selection = selection;
	return selection;
}

/* --- POST /v1/dead-letters/requeue --- */

static const struct field requeue_fields[] = {
	SELECTION_FIELDS,
	FIELD_RANGE("ratePerSecond", SIZE, struct selection, rate, 1, RATE_MAX),
};

static void
answer_requeue(struct request *request)
{
	const struct requeue_op *requeue = &request->work->requeue;

	answer(request, "requeued", requeue->requeued, requeue->passed_over);
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

void
dead_letters_requeue(struct request *request)
{
	struct selection *selection = select_by(request, requeue_ids);

	if (body_read(request, requeue_fields, COUNT(requeue_fields), selection, NULL) == 0)
		end_selected(request, selection->all,
			     "all dead letters are requeued only with \"confirm\":true");
}

/* --- DELETE /v1/dead-letters --- */

static const struct field discard_fields[] = { SELECTION_FIELDS };

static void
answer_discard(struct request *request)
{
	const struct discard_op *discard = &request->work->discard;

	answer(request, "discarded", discard->discarded, discard->passed_over);
}

static void
discard_ids(struct request *request)
{
	const struct selection *selection = request->work->selection;
	struct discard_op *discard = &request->work->discard;

	discard_op_init(discard);
	discard->ids = selection->ids.items;
	discard->id_count = selection->ids.count;
	discard->dry_run = selection->dry_run;
	submit_op(request, answer_discard, NULL);
}

void
dead_letters_discard(struct request *request)
{
	struct selection *selection = select_by(request, discard_ids);

	if (body_read(request, discard_fields, COUNT(discard_fields), selection, NULL) == 0)
		end_selected(request, selection->ids.items == NULL,
			     "dead letters that are not named are discarded only with "
			     "\"confirm\":true");
}
