/*
 * history.c - what happened to events: pages of it, and dead letters, which can be enqueued anew.
 *
 * Requeue by selector is two ops: the dead letters are looked up as a page of them, then requeued
 * by their ids. One that is requeued by someone else in between is passed over.
 */
#include <stdio.h>

#include "server/calls/calls.h"
#include "server/calls/field.h"
#include "server/calls/json.h"
#include "server/calls/submit.h"
#include "server/http/reply.h"

#define COUNT(table) (sizeof(table) / sizeof(table)[0])
#define OK (&(struct reply){ .status = 200 })
#define RATE_MAX 1000

static bool
add_items(struct request *request, struct buf *out, struct reply_at *at)
{
	const struct history_op *history = &request->work->history;

	if (at->item == 0)
		BUF_ADD_LITERAL(out, "{\"events\":[");
	for (; at->item < history->count; at->item++) {
		if (reply_is_full(out))
			return false;
		buf_adds(out, at->item > 0 ? ",{\"event\":" : "{\"event\":");
		json_add_event(out, &history->items[at->item].event);
		BUF_ADD_LITERAL(out, ",\"outcome\":");
		json_add_entry(out, &history->items[at->item].end);
		BUF_ADD_LITERAL(out, "}");
	}
	BUF_ADD_LITERAL(out, "],\"nextCursor\":");
	json_add_text(out, history->next_cursor);
	BUF_ADD_LITERAL(out, "}");
	return true;
}

static void
answer_page(struct request *request)
{
	static reply_part *const parts[] = { add_items, NULL };

	reply_send_parts(request, OK, parts);
}

/* GET /v1/history */

struct page_query {
	struct address address;
	struct str state, source, reason, cursor;
	int64_t since_ms, until_ms;
	size_t limit;
};

#define PAGE_PARAMETERS                                                                            \
	FIELD("sessionKey", TEXT, struct page_query, address.session_key),                         \
	    FIELD("agentId", TEXT, struct page_query, address.agent_id),                           \
	    FIELD("channel", TEXT, struct page_query, address.channel),                            \
	    FIELD("accountId", TEXT, struct page_query, address.account_id),                       \
	    FIELD("queueKey", TEXT, struct page_query, address.queue_key),                         \
	    FIELD_RANGE("limit", SIZE, struct page_query, limit, 1, HISTORY_PAGE_MAX),             \
	    FIELD("reason", TEXT, struct page_query, reason),                                      \
	    FIELD("cursor", TEXT, struct page_query, cursor)

static const struct field history_parameters[] = {
	PAGE_PARAMETERS,
	FIELD("state", TEXT, struct page_query, state),
	FIELD("source", TEXT, struct page_query, source),
	FIELD_RANGE("since", INT64, struct page_query, since_ms, 0, INT64_MAX),
	FIELD_RANGE("until", INT64, struct page_query, until_ms, 0, INT64_MAX),
};

static const struct field dead_letters_parameters[] = { PAGE_PARAMETERS };

/* An agent alone means its main session, as everywhere. */
static void
name_session(struct address *address)
{
	if (address->session_key.s == NULL && address->agent_id.s != NULL)
		address->session_key = STR("main");
}

/* The outcomes by which an event can have ended, or been moved. */
static int
read_state(struct str state, enum outcome_kind *ret, struct error *err)
{
	if (state.s == NULL)
		return 0;
	for (enum outcome_kind kind = OUTCOME_DRAINED; kind < OUTCOME_COUNT; kind++)
		if ((kind <= OUTCOME_LAST_SETTLING || kind == OUTCOME_MOVED) &&
		    str_eq(state, str_of(outcome_name(kind)))) {
			*ret = kind;
			return 0;
		}
	return error_set_field(err, "state",
			       "must be drained, consumed, withdrawn, purged, replaced, evicted, "
			       "acked, expired, dead or moved");
}

static void
get_page(struct request *request, const struct field *parameters, size_t count, bool dead_letters)
{
	struct history_op *history = &request->work->history;
	struct page_query query = { .limit = HISTORY_PAGE_DEFAULT };
	struct error err;

	history_op_init(history);
	if (query_read(request, parameters, count, &query, NULL) != 0)
		return;
	if (read_state(query.state, &history->kind, &err) != 0) {
		problem_send(request, &err);
		return;
	}
	name_session(&query.address);
	history->address = query.address;
	history->source = query.source;
	history->reason = query.reason;
	history->dead_letters = dead_letters;
	history->since_ms = query.since_ms;
	history->until_ms = query.until_ms;
	history->limit = query.limit;
	history->cursor = query.cursor;
	submit_op(request, answer_page, NULL);
}

void
history_get(struct request *request)
{
	get_page(request, history_parameters, COUNT(history_parameters), false);
}

void
dead_letters_get(struct request *request)
{
	get_page(request, dead_letters_parameters, COUNT(dead_letters_parameters), true);
}

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
	name_session(&history->address);
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
