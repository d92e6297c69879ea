/* history.c - what happened to events: pages of it, and of dead letters. */
#include "server/calls/calls.h"
#include "server/calls/field.h"
#include "server/calls/json.h"
#include "server/calls/submit.h"
#include "server/http/reply.h"

#define COUNT(table) (sizeof(table) / sizeof(table)[0])
#define OK (&(struct reply){ .status = 200 })

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

/* The outcomes by which an event can have ended, or been moved, or discarded as a dead letter. */
static int
read_state(struct str state, enum outcome_kind *ret, struct error *err)
{
	if (state.s == NULL)
		return 0;
	for (enum outcome_kind kind = OUTCOME_DRAINED; kind < OUTCOME_COUNT; kind++)
		if ((kind <= OUTCOME_LAST_SETTLING || kind == OUTCOME_MOVED ||
		     kind == OUTCOME_DISCARDED) &&
		    str_eq(state, str_of(outcome_name(kind)))) {
			*ret = kind;
			return 0;
		}
	return error_set_field(err, "state",
			       "must be drained, consumed, withdrawn, purged, replaced, evicted, "
			       "acked, expired, dead, moved or discarded");
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
