/*
 * history.c - pages of history: what happened to events, newest first.
 *
 * A page walks the outcomes backwards and adds a row for each event of an outcome that matches the
 * query. It stops after a bounded number of rows, and of bytes of their texts, whether they match
 * or not. Times ascend with ids only between two jumps of the wall clock, so the walk goes from
 * clock mark to clock mark, and through each only as far as times in question can stand there.
 */
#include "queue/sqlite/history.h"

#include "queue/sqlite/lookup.h"
#include "queue/sqlite/moved_rows.h"
#include "queue/sqlite/row.h"
#include "queue/sqlite/transaction.h"

#define MARK_COSTS_OUTCOMES 20 /* as much as going on to the next clock mark costs */

/* A page that is being made. */
struct page {
	struct sqlite_store *store;
	const struct history_query *query;
	history_row *each;
	void *arg;
	int64_t session;                  /* 0: all */
	size_t outcomes;                  /* read, whether they match or not */
	size_t rows, events;              /* rows added; events read */
	size_t text_bytes;                /* of these events */
	int64_t more_outcome, more_event; /* the cursor of the next page; 0: none */
};

/* Ends the page; the next page begins with this event of the outcome, or, with 0, before it. */
static void
end_page_before(struct page *page, int64_t outcome, int64_t event)
{
	page->more_outcome = outcome;
	page->more_event = event + 1;
}

/* Adds a row, or ends the page before it when that would be too much for the answer. */
static void
add_row(struct page *page, const struct store_outcome *outcome, const struct system_event *event)
{
	struct store_outcome one = *outcome;
	int64_t id = event->id;

	one.ids = &id;
	one.count = 1;
	if (page->each(page->arg, event, &one))
		page->rows++;
	else
		end_page_before(page, outcome->id, id);
}

/*
 * Adds the event in that place of the outcome, if it is stored, undamaged and from the right
 * source.
 */
static int
add_event(struct page *page, const struct store_outcome *outcome, size_t at)
{
	sqlite3_stmt *read = page->store->statement[STATEMENT_READ_EVENT];
	struct arena arena = { 0 };
	struct system_event event;

	sqlite3_bind_int64(read, 1, outcome->ids[at]);
	int rc = sqlite3_step(read);
	if (rc == SQLITE_ROW)
		page->text_bytes += row_text(read, EVENT_TEXT_COLUMN).len;
	if (rc == SQLITE_ROW &&
	    moved_rows_read_event(page->store, read, false, &arena, &event) == 0 &&
	    (page->query->source.s == NULL || str_eq(event.source, page->query->source))) {
		event.attempts = outcome->counts != NULL ? (int)outcome->counts[at] : 0;
		add_row(page, outcome, &event);
	}
	sqlite3_reset(read);
	arena_clear(&arena);
	return rc == SQLITE_ROW ? SQLITE_DONE : rc;
}

static bool
page_full(const struct page *page)
{
	return page->rows == page->query->limit || page->events >= page->query->looks ||
	       page->text_bytes >= page->query->text_bytes;
}

/* Adds the events of one outcome, newest first, from the cursor on. */
static int
add_outcome(struct page *page, const struct store_outcome *outcome)
{
	const struct history_query *query = page->query;
	int rc = SQLITE_DONE;

	for (size_t i = outcome->count; rc == SQLITE_DONE && page->more_outcome == 0 && i > 0;
	     i--) {
		if (outcome->id == query->before_outcome &&
		    outcome->ids[i - 1] >= query->before_event)
			continue;
		if (page_full(page)) {
			end_page_before(page, outcome->id, outcome->ids[i - 1]);
			break;
		}
		page->events++;
		rc = add_event(page, outcome, i - 1);
	}
	return rc;
}

/* Conditions are checked here and not in SQL, so that rows that do not match count as read. */
static bool
matches_query(const struct page *page, sqlite3_stmt *row)
{
	const struct history_query *query = page->query;
	int kind = sqlite3_column_int(row, 2);

	if (page->session != 0 && sqlite3_column_int64(row, 8) != page->session)
		return false;
	return query->dead_letters ||
	       (query->kind != 0 ? kind == (int)query->kind : kind <= OUTCOME_LAST_SETTLING);
}

static bool
has_reason(const struct history_query *query, const struct store_outcome *outcome)
{
	return query->reason.s == NULL ||
	       (outcome->detail.s != NULL && str_starts(outcome->detail, query->reason));
}

static int
add_outcome_row(struct page *page, sqlite3_stmt *row)
{
	struct arena arena = { 0 };
	struct store_outcome outcome;
	int rc = SQLITE_CORRUPT;

	if (row_read_outcome(row, &arena, &outcome) == 0)
		rc = moved_rows_name(page->store, &arena, &outcome);
	if (rc == SQLITE_DONE && has_reason(page->query, &outcome))
		rc = add_outcome(page, &outcome);
	arena_clear(&arena);
	return rc;
}

/* Ends the page because it has read enough; the next page begins after this row. */
static int
end_page_after(struct page *page, sqlite3_stmt *row)
{
	struct arena arena = { 0 };
	struct store_outcome outcome;
	int rc = row_read_outcome(row, &arena, &outcome) == 0 ? SQLITE_DONE : SQLITE_CORRUPT;

	if (rc == SQLITE_DONE) {
		page->more_outcome = outcome.id;
		page->more_event = outcome.ids[0];
	}
	arena_clear(&arena);
	return rc;
}

/* Adds the rows of one clock mark, down to its first outcome. */
static int
fill_page(struct page *page, sqlite3_stmt *row, int64_t first)
{
	int rc;

	while ((rc = sqlite3_step(row)) == SQLITE_ROW) {
		if (sqlite3_column_int64(row, 0) < first ||
		    sqlite3_column_int64(row, 1) < page->query->since_ms)
			return SQLITE_DONE; /* times descend with ids */
		if (matches_query(page, row) && (rc = add_outcome_row(page, row)) != SQLITE_DONE)
			return rc;
		if (page->more_outcome != 0)
			return SQLITE_DONE;
		if (++page->outcomes >= page->query->looks)
			return end_page_after(page, row);
	}
	return rc;
}

/* The id of the newest outcome of the range that the page may show. */
static int64_t
newest_shown(const struct page *page, struct outcome_range range)
{
	const struct history_query *query = page->query;
	int64_t newest = range.end - 1;

	if (query->until_ms > 0 && query->until_ms < INT64_MAX)
		newest = lookup_outcome_since(page->store, range, query->until_ms + 1) - 1;
	if (query->before_outcome > 0 && query->before_outcome < newest)
		newest = query->before_outcome;
	return newest;
}

/* Sets page->session; it stays 0 when there is no such session. */
static int
find_session(struct page *page)
{
	sqlite3_stmt *find = page->store->statement[STATEMENT_FIND_SESSION];

	row_bind_text(find, 1, page->query->session_key);
	int rc = sqlite3_step(find);
	if (rc == SQLITE_ROW)
		page->session = sqlite3_column_int64(find, 0);
	sqlite3_reset(find);
	return rc == SQLITE_ROW ? SQLITE_DONE : rc;
}

/* Walks the outcomes of one clock mark. The search for its times counts as outcomes read. */
static int
walk_mark(struct page *page, struct outcome_range range)
{
	enum statement which = page->query->dead_letters ? STATEMENT_DEAD_LETTERS
			       : page->session != 0      ? STATEMENT_SESSION_HISTORY
							 : STATEMENT_HISTORY;
	sqlite3_stmt *row = page->store->statement[which];
	int64_t newest = newest_shown(page, range);

	page->outcomes += MARK_COSTS_OUTCOMES;
	if (newest < range.first)
		return SQLITE_DONE;
	sqlite3_bind_int64(row, 1, newest);
	if (which == STATEMENT_SESSION_HISTORY)
		sqlite3_bind_int64(row, 2, page->session);
	int rc = fill_page(page, row, range.first);
	sqlite3_reset(row);
	return rc;
}

static int
make_page(struct page *page)
{
	const struct history_query *query = page->query;
	int rc = query->session_key.s != NULL ? find_session(page) : SQLITE_DONE;

	if (rc != SQLITE_DONE || (query->session_key.s != NULL && page->session == 0))
		return rc;
	size_t index =
	    query->before_outcome > 0
		? clock_marks_index_of_outcome(&page->store->marks, query->before_outcome)
		: page->store->marks.count;
	do {
		struct outcome_range range = lookup_range_of_mark(page->store, index);

		rc = walk_mark(page, range);
		if (page->more_outcome == 0 && index > 0 && page->outcomes >= page->query->looks)
			end_page_before(page, range.first, 0);
	} while (rc == SQLITE_DONE && page->more_outcome == 0 && index-- > 0);
	return rc;
}

void
sqlite_history(struct store *base, const struct history_query *query, history_row *each,
	       history_done *done, void *arg)
{
	struct page page = {
		.store = (struct sqlite_store *)base, .query = query, .each = each, .arg = arg
	};
	struct error err;

	transaction_begin_read(page.store);
	int rc = make_page(&page);
	if (rc != SQLITE_DONE)
		transaction_fail_read(page.store, &err);
	transaction_end_read(page.store);
	done(arg, page.more_outcome, page.more_event, page.text_bytes,
	     rc == SQLITE_DONE ? NULL : &err);
}
