/*
 * sqlite_history.c - looking back: what was said about a lease, an event, an idempotency key; pages of what happened.
 *
 * Outcomes carry no index by event. An event's timeline is found from its time (outcomes ascend in time as in id) within its
 * session; a page of history walks outcomes backwards. Both stop after a bounded number of rows.
 */
#include "queue/sqlite/sqlite_private.h"

#include <stdlib.h>

#define PAGE_OUTCOMES_MAX 2000 /* rows that one page looks at */
#define PAGE_EVENTS_MAX 20000

/* --- lookups -------------------------------------------------------------------------------------------------------- */

/* One lookup and who asked. */
struct asked {
	struct sqlite_store *store;
	size_t index;
	sevq_lookup_found *each;
	void *arg;
};

static bool
names(const struct sevq_store_outcome *outcome, int64_t event)
{
	for (size_t i = 0; i < outcome->count; i++)
		if (outcome->ids[i] == event)
			return true;
	return false;
}

/* Gives the outcomes that the statement yields, or only those that name the event (0: all), up to the one that settles it. */
static int
give_outcomes(const struct asked *asked, sqlite3_stmt *row, int64_t event, enum sevq_outcome_kind *settled)
{
	int rc = SQLITE_ROW;
	while (*settled == 0 && (rc = sqlite3_step(row)) == SQLITE_ROW) {
		struct sevq_arena arena = { 0 };
		struct sevq_store_outcome outcome;
		if (sevq_sqlite_outcome(row, &arena, &outcome) < 0) {
			rc = SQLITE_CORRUPT;
		} else if (event == 0 || names(&outcome, event)) {
			asked->each(asked->arg, asked->index, &(struct sevq_found){ .outcome = &outcome });
			if (event != 0 && outcome.kind <= SEVQ_OUTCOME_LAST_SETTLING)
				*settled = outcome.kind;
		}
		sevq_arena_clear(&arena);
		if (rc != SQLITE_ROW)
			break;
	}
	sqlite3_reset(row);
	return rc == SQLITE_ROW ? SQLITE_DONE : rc;
}

static int
lookup_lease(const struct asked *asked, const struct sevq_lookup *lookup)
{
	sqlite3_stmt *row = asked->store->statement[STATEMENT_LEASE_OUTCOMES];
	enum sevq_outcome_kind settled = 0;
	sqlite3_bind_int64(row, 1, lookup->id);
	return give_outcomes(asked, row, 0, &settled);
}

/* The first outcome with a time of at least ts: by halving, because both ascend. */
static int64_t
outcome_since(struct sqlite_store *store, int64_t ts_ms)
{
	sqlite3_stmt *row = store->statement[STATEMENT_OUTCOME_SINCE];
	int64_t low = 0, high = store->ends.outcome + 1;
	while (low < high) {
		int64_t mid = low + (high - low) / 2, id = high;
		bool before = false;
		sqlite3_bind_int64(row, 1, mid);
		if (sqlite3_step(row) == SQLITE_ROW) {
			id = sqlite3_column_int64(row, 0);
			before = sqlite3_column_int64(row, 1) < ts_ms;
		}
		sqlite3_reset(row);
		if (before)
			low = id + 1;
		else
			high = mid;
	}
	return low;
}

/* Gives the event; SQLITE_DONE with *ts_ms 0 when it is not there. */
static int
lookup_event(const struct asked *asked, const struct sevq_lookup *lookup, int64_t *ts_ms)
{
	sqlite3_stmt *read = asked->store->statement[STATEMENT_READ_EVENT];
	struct sevq_arena arena = { 0 };
	struct sevq_event event;
	*ts_ms = 0;
	sqlite3_bind_int64(read, 1, lookup->id);
	int rc = sqlite3_step(read);
	if (rc == SQLITE_ROW && sevq_sqlite_event(asked->store, read, &arena, &event) < 0)
		rc = SQLITE_CORRUPT;
	if (rc == SQLITE_ROW) {
		*ts_ms = event.ts_ms;
		asked->each(asked->arg, asked->index, &(struct sevq_found){ .event = &event });
	}
	sqlite3_reset(read);
	sevq_arena_clear(&arena);
	return rc == SQLITE_ROW ? SQLITE_DONE : rc;
}

static int
lookup_timeline(const struct asked *asked, const struct sevq_lookup *lookup)
{
	sqlite3_stmt *row = asked->store->statement[STATEMENT_SESSION_OUTCOMES];
	enum sevq_outcome_kind settled = 0;
	int64_t ts_ms;
	int rc = lookup_event(asked, lookup, &ts_ms);
	if (rc != SQLITE_DONE || ts_ms == 0)
		return rc;
	sqlite3_bind_int64(row, 1, lookup->id);
	sqlite3_bind_int64(row, 2, outcome_since(asked->store, ts_ms));
	rc = give_outcomes(asked, row, lookup->id, &settled);
	if (rc != SQLITE_DONE || (settled != SEVQ_OUTCOME_DEAD && settled != SEVQ_OUTCOME_EVICTED))
		return rc;
	settled = 0;
	return give_outcomes(asked, asked->store->statement[STATEMENT_REQUEUED], lookup->id, &settled);
}

static int
lookup_key(const struct asked *asked, const struct sevq_lookup *lookup)
{
	sqlite3_stmt *row = asked->store->statement[STATEMENT_FIND_KEY];
	sevq_sqlite_bind_text(row, 1, lookup->key);
	int rc = sqlite3_step(row);
	if (rc == SQLITE_ROW) {
		struct sevq_store_key key = { .key = lookup->key,
					      .ts_ms = sqlite3_column_int64(row, 0),
					      .request = (uint64_t)sqlite3_column_int64(row, 1),
					      .answer = sevq_sqlite_text(row, 2) };
		asked->each(asked->arg, asked->index, &(struct sevq_found){ .key = &key });
	}
	sqlite3_reset(row);
	return rc == SQLITE_ROW ? SQLITE_DONE : rc;
}

static int
look_up(const struct asked *asked, const struct sevq_lookup *lookup)
{
	int64_t ts_ms;
	switch (lookup->kind) {
	case SEVQ_LOOKUP_NONE:
		break;
	case SEVQ_LOOKUP_EVENT:
		return lookup_event(asked, lookup, &ts_ms);
	case SEVQ_LOOKUP_TIMELINE:
		return lookup_timeline(asked, lookup);
	case SEVQ_LOOKUP_LEASE:
		return lookup_lease(asked, lookup);
	case SEVQ_LOOKUP_KEY:
		return lookup_key(asked, lookup);
	}
	return SQLITE_DONE;
}

void
sevq_sqlite_lookup(struct sevq_store *base, const struct sevq_lookup *lookups, size_t count, sevq_lookup_found *each,
		   sevq_read_done *done, void *arg)
{
	struct sqlite_store *store = (struct sqlite_store *)base;
	struct sevq_error err;
	int rc = SQLITE_DONE;
	for (size_t i = 0; rc == SQLITE_DONE && i < count; i++)
		rc = look_up(&(struct asked){ store, i, each, arg }, &lookups[i]);
	if (rc != SQLITE_DONE)
		sevq_sqlite_fail(store, &err, SEVQ_STORAGE_FAILED, "cannot read");
	done(arg, rc == SQLITE_DONE ? NULL : &err);
}

/* --- history -------------------------------------------------------------------------------------------------------- */

/* A page while it is being made. */
struct page {
	struct sqlite_store *store;
	const struct sevq_history_query *query;
	sevq_history_row *each;
	void *arg;
	struct sevq_arena arena;
	int64_t *requeued; /* dead letters that are none any more, ascending */
	size_t requeued_count;
	size_t rows, events;              /* given; looked at */
	int64_t more_outcome, more_event; /* where the next page goes on */
};

static int
by_value(const void *a, const void *b)
{
	int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
	return (x > y) - (x < y);
}

/* The statement for this query: only the conditions that it has. */
static sqlite3_stmt *
prepare(struct page *page)
{
	const struct sevq_history_query *query = page->query;
	struct sevq_buf text = { 0 };
	sqlite3_stmt *row = NULL;
	sevq_buf_adds(&text,
		      "SELECT id, ts, kind, events, lease, until, detail FROM outcome WHERE id <= ?1 AND ts >= ?2 AND ts <= ?3");
	if (query->session_key.s != NULL)
		sevq_buf_adds(&text, " AND session = (SELECT id FROM session WHERE key = ?4)");
	if (query->dead_letters)
		sevq_buf_adds(&text, " AND kind IN (6, 9)");
	else if (query->kind != 0)
		sevq_buf_addf(&text, " AND kind = %d", (int)query->kind);
	else
		sevq_buf_addf(&text, " AND kind <= %d", SEVQ_OUTCOME_LAST_SETTLING);
	sevq_buf_addf(&text, " ORDER BY id DESC LIMIT %d", PAGE_OUTCOMES_MAX);
	sevq_buf_add(&text, "", 1);
	if (sqlite3_prepare_v2(page->store->db, text.data, -1, &row, NULL) == SQLITE_OK) {
		sqlite3_bind_int64(row, 1, query->before_outcome > 0 ? query->before_outcome : INT64_MAX);
		sqlite3_bind_int64(row, 2, query->since_ms);
		sqlite3_bind_int64(row, 3, query->until_ms > 0 ? query->until_ms : INT64_MAX);
		if (query->session_key.s != NULL)
			sevq_sqlite_bind_text(row, 4, query->session_key);
	}
	sevq_buf_clear(&text);
	return row;
}

static int
load_requeued(struct page *page)
{
	sqlite3_stmt *row = page->store->statement[STATEMENT_REQUEUED];
	struct sevq_buf ids = { 0 };
	int rc;
	while ((rc = sqlite3_step(row)) == SQLITE_ROW) {
		struct sevq_store_outcome outcome;
		if (sevq_sqlite_outcome(row, &page->arena, &outcome) < 0) {
			rc = SQLITE_CORRUPT;
			break;
		}
		sevq_buf_add(&ids, outcome.ids, outcome.count * sizeof *outcome.ids);
	}
	sqlite3_reset(row);
	page->requeued_count = ids.len / sizeof *page->requeued;
	page->requeued = sevq_arena_alloc(&page->arena, ids.len + 1);
	if (ids.len > 0)
		memcpy(page->requeued, ids.data, ids.len);
	qsort(page->requeued, page->requeued_count, sizeof *page->requeued, by_value);
	sevq_buf_clear(&ids);
	return rc;
}

static int
give_event(struct page *page, const struct sevq_store_outcome *outcome, int64_t id)
{
	sqlite3_stmt *read = page->store->statement[STATEMENT_READ_EVENT];
	struct sevq_arena arena = { 0 };
	struct sevq_event event;
	if (page->query->dead_letters && bsearch(&id, page->requeued, page->requeued_count, sizeof id, by_value) != NULL)
		return SQLITE_DONE;
	sqlite3_bind_int64(read, 1, id);
	int rc = sqlite3_step(read);
	if (rc == SQLITE_ROW && sevq_sqlite_event(page->store, read, &arena, &event) < 0)
		rc = SQLITE_CORRUPT;
	if (rc == SQLITE_ROW && (page->query->source.s == NULL || sevq_str_eq(event.source, page->query->source))) {
		struct sevq_store_outcome one = *outcome;
		one.ids = &id;
		one.count = 1;
		page->each(page->arg, &event, &one);
		page->rows++;
	}
	sqlite3_reset(read);
	sevq_arena_clear(&arena);
	return rc == SQLITE_ROW ? SQLITE_DONE : rc;
}

static bool
page_full(const struct page *page)
{
	return page->rows == page->query->limit || page->events >= PAGE_EVENTS_MAX;
}

/* The events of one outcome, newest first, from where the cursor stands. */
static int
give_outcome(struct page *page, const struct sevq_store_outcome *outcome)
{
	const struct sevq_history_query *query = page->query;
	int rc = SQLITE_DONE;
	for (size_t i = outcome->count; rc == SQLITE_DONE && i > 0; i--) {
		if (outcome->id == query->before_outcome && outcome->ids[i - 1] >= query->before_event)
			continue;
		if (page_full(page)) {
			page->more_outcome = outcome->id;
			page->more_event = outcome->ids[i - 1] + 1;
			break;
		}
		page->events++;
		rc = give_event(page, outcome, outcome->ids[i - 1]);
	}
	return rc;
}

static int
give_page(struct page *page, sqlite3_stmt *row)
{
	int rc = SQLITE_ERROR;
	int64_t last = 0;
	size_t seen = 0;
	while (row != NULL && (rc = sqlite3_step(row)) == SQLITE_ROW) {
		struct sevq_arena arena = { 0 };
		struct sevq_store_outcome outcome;
		seen++;
		rc = sevq_sqlite_outcome(row, &arena, &outcome) == 0 ? give_outcome(page, &outcome) : SQLITE_CORRUPT;
		last = outcome.id;
		sevq_arena_clear(&arena);
		if (rc != SQLITE_DONE || page->more_outcome != 0)
			return rc;
	}
	if (seen == PAGE_OUTCOMES_MAX) {
		page->more_outcome = last;
		page->more_event = 1; /* nothing of that one is left */
	}
	return rc;
}

void
sevq_sqlite_history(struct sevq_store *base, const struct sevq_history_query *query, sevq_history_row *each,
		    sevq_history_done *done, void *arg)
{
	struct page page = { .store = (struct sqlite_store *)base, .query = query, .each = each, .arg = arg };
	struct sevq_error err;
	int rc = query->dead_letters ? load_requeued(&page) : SQLITE_DONE;
	if (rc == SQLITE_DONE) {
		sqlite3_stmt *row = prepare(&page);
		rc = give_page(&page, row);
		sqlite3_finalize(row);
	}
	if (rc != SQLITE_DONE)
		sevq_sqlite_fail(page.store, &err, SEVQ_STORAGE_FAILED, "cannot read");
	sevq_arena_clear(&page.arena);
	done(arg, page.more_outcome, page.more_event, rc == SQLITE_DONE ? NULL : &err);
}
