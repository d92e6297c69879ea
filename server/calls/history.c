/*
 * history.c - what happened to events: pages of it, and dead letters, which can be enqueued anew.
 *
 * Requeue by selector is two ops: the dead letters are looked up as a page of them, then requeued by their ids. One that is
 * requeued by someone else in between is passed over.
 */
#include "server/calls/calls.h"

#include <stdio.h>

#include "server/calls/field.h"
#include "server/calls/json.h"
#include "server/http/reply.h"

#define COUNT(table) (sizeof(table) / sizeof(table)[0])
#define OK (&(struct sevq_reply){ .status = 200 })
#define RATE_MAX 1000

static void
answer_page(struct sevq_request *request)
{
	const struct sevq_history *history = &request->history;
	struct sevq_buf *out = sevq_reply_begin(request);

	SEVQ_ADD(out, "{\"events\":[");
	for (size_t i = 0; i < history->count; i++) {
		sevq_buf_adds(out, i > 0 ? ",{\"event\":" : "{\"event\":");
		sevq_json_add_event(out, &history->items[i].event);
		SEVQ_ADD(out, ",\"outcome\":");
		sevq_json_add_entry(out, &history->items[i].end);
		SEVQ_ADD(out, "}");
	}
	SEVQ_ADD(out, "],\"nextCursor\":");
	sevq_json_add_text(out, history->next_cursor);
	SEVQ_ADD(out, "}");
	sevq_reply_send(request, OK);
}

/* GET /v1/history */

struct page {
	struct sevq_address address;
	struct sevq_str state, source, cursor;
	int64_t since_ms, until_ms;
	size_t limit;
};

#define PAGE_PARAMETERS                                                                                                            \
	SEVQ_FIELD("sessionKey", TEXT, struct page, address.session_key),                                                          \
	    SEVQ_FIELD("agentId", TEXT, struct page, address.agent_id), SEVQ_FIELD("channel", TEXT, struct page, address.channel), \
	    SEVQ_FIELD("accountId", TEXT, struct page, address.account_id),                                                        \
	    SEVQ_FIELD_RANGE("limit", SIZE, struct page, limit, 1, SEVQ_HISTORY_PAGE_MAX),                                         \
	    SEVQ_FIELD("cursor", TEXT, struct page, cursor)

static const struct sevq_field history_parameters[] = {
	PAGE_PARAMETERS,
	SEVQ_FIELD("state", TEXT, struct page, state),
	SEVQ_FIELD("source", TEXT, struct page, source),
	SEVQ_FIELD_RANGE("since", INT64, struct page, since_ms, 0, INT64_MAX),
	SEVQ_FIELD_RANGE("until", INT64, struct page, until_ms, 0, INT64_MAX),
};

static const struct sevq_field dead_letters_parameters[] = { PAGE_PARAMETERS };

/* An agent alone means its main session, as everywhere. */
static void
name_session(struct sevq_address *address)
{
	if (address->session_key.s == NULL && address->agent_id.s != NULL)
		address->session_key = SEVQ_STR("main");
}

/* The outcomes by which an event can have ended. */
static int
read_state(struct sevq_str state, enum sevq_outcome_kind *ret, struct sevq_error *err)
{
	if (state.s == NULL)
		return 0;
	for (enum sevq_outcome_kind kind = SEVQ_OUTCOME_DRAINED; kind <= SEVQ_OUTCOME_LAST_SETTLING; kind++)
		if (sevq_str_eq(state, sevq_str(sevq_outcome_name(kind)))) {
			*ret = kind;
			return 0;
		}
	return sevq_fail_field(err, "state",
			       "must be drained, consumed, withdrawn, purged, replaced, evicted, acked, expired or dead");
}

static void
get_page(struct sevq_request *request, const struct sevq_field *parameters, size_t count, bool dead_letters)
{
	struct sevq_history *history = &request->history;
	struct page page = { .limit = SEVQ_HISTORY_PAGE_DEFAULT };
	struct sevq_error err;

	sevq_history_init(history);
	if (sevq_query_read(request, parameters, count, &page, NULL) != 0)
		return;
	if (read_state(page.state, &history->kind, &err) != 0) {
		sevq_problem_send(request, &err);
		return;
	}
	name_session(&page.address);
	history->address = page.address;
	history->source = page.source;
	history->dead_letters = dead_letters;
	history->since_ms = page.since_ms;
	history->until_ms = page.until_ms;
	history->limit = page.limit;
	history->cursor = page.cursor;
	sevq_request_submit(request, answer_page, NULL);
}

void
sevq_history_get(struct sevq_request *request)
{
	get_page(request, history_parameters, COUNT(history_parameters), false);
}

void
sevq_dead_letters_get(struct sevq_request *request)
{
	get_page(request, dead_letters_parameters, COUNT(dead_letters_parameters), true);
}

/* POST /v1/dead-letters/requeue */

/* What the body says, kept from the first op to the second. */
struct sevq_selection {
	struct sevq_address address;
	struct sevq_texts ids;
	bool all, confirm, dry_run;
	size_t rate; /* a second; 0: all at once */
	bool more;
};

static const struct sevq_field requeue_fields[] = {
	SEVQ_FIELD_LIST("ids", struct sevq_selection, ids, SEVQ_REQUEUE_MAX),
	SEVQ_FIELD("sessionKey", TEXT, struct sevq_selection, address.session_key),
	SEVQ_FIELD("agentId", TEXT, struct sevq_selection, address.agent_id),
	SEVQ_FIELD("channel", TEXT, struct sevq_selection, address.channel),
	SEVQ_FIELD("accountId", TEXT, struct sevq_selection, address.account_id),
	SEVQ_FIELD("all", BOOL, struct sevq_selection, all),
	SEVQ_FIELD("confirm", BOOL, struct sevq_selection, confirm),
	SEVQ_FIELD("dryRun", BOOL, struct sevq_selection, dry_run),
	SEVQ_FIELD_RANGE("ratePerSecond", SIZE, struct sevq_selection, rate, 1, RATE_MAX),
};

static void
answer_requeue(struct sevq_request *request)
{
	const struct sevq_requeue *requeue = &request->requeue;
	struct sevq_buf *out = sevq_reply_begin(request);

	sevq_buf_addf(out, "{\"requeued\":%zu,\"passedOver\":%zu,\"more\":%s,\"dryRun\":%s}", requeue->requeued,
		      requeue->passed_over, request->selection->more ? "true" : "false", requeue->dry_run ? "true" : "false");
	sevq_reply_send(request, OK);
}

static void
requeue_ids(struct sevq_request *request)
{
	const struct sevq_selection *selection = request->selection;
	struct sevq_requeue *requeue = &request->requeue;

	sevq_requeue_init(requeue);
	requeue->ids = selection->ids.items;
	requeue->id_count = selection->ids.count;
	requeue->dry_run = selection->dry_run;
	requeue->spacing_ms = selection->rate > 0 ? (int64_t)(1000 / selection->rate) : 0;
	sevq_request_submit(request, answer_requeue, NULL);
}

/* The page is newest first; what died first is to be delivered first. Its ids move to the request, for the next op. */
static void
selected(struct sevq_request *request)
{
	const struct sevq_history *history = &request->history;
	struct sevq_selection *selection = request->selection;
	char digits[24];

	selection->more = history->next_cursor.s != NULL;
	selection->ids =
	    (struct sevq_texts){ sevq_arena_alloc(&request->arena, history->count * sizeof *selection->ids.items), history->count };
	for (size_t i = 0; i < history->count; i++) {
		snprintf(digits, sizeof digits, "%lld", (long long)history->items[i].event.id);
		selection->ids.items[history->count - 1 - i] = sevq_arena_dup(&request->arena, sevq_str(digits));
	}
	sevq_op_clear(&request->op);
	requeue_ids(request);
}

static void
select_and_requeue(struct sevq_request *request)
{
	struct sevq_history *history = &request->history;

	sevq_history_init(history);
	history->address = request->selection->address;
	name_session(&history->address);
	history->dead_letters = true;
	history->limit = SEVQ_REQUEUE_MAX;
	sevq_request_submit(request, selected, NULL);
}

/* Exactly one of: ids, a session, all of them; and all of them only on purpose. */
static int
check_selection(const struct sevq_selection *selection, struct sevq_error *err)
{
	bool session = selection->address.session_key.s != NULL || selection->address.agent_id.s != NULL;
	int ways = (selection->ids.items != NULL) + session + selection->all;

	if (ways != 1)
		return sevq_fail_field(err, "/ids", "give exactly one of ids, sessionKey (or agentId), and all");
	if (selection->all && !selection->confirm && !selection->dry_run)
		return sevq_fail_field(err, "/confirm", "all dead letters are requeued only with \"confirm\":true");
	return 0;
}

void
sevq_dead_letters_requeue(struct sevq_request *request)
{
	struct sevq_selection *selection = sevq_arena_alloc(&request->arena, sizeof *selection);
	struct sevq_error err;

	request->selection = selection;
	if (sevq_body_read(request, requeue_fields, COUNT(requeue_fields), selection, NULL) != 0)
		return;
	if (check_selection(selection, &err) != 0)
		sevq_problem_send(request, &err);
	else if (selection->ids.items != NULL)
		requeue_ids(request);
	else
		select_and_requeue(request);
}
