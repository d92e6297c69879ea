/*
 * history.c - looking back: what was said about a lease, an event, an idempotency key; pages of
 * what happened.
 *
 * Outcomes carry no index by event. An event's timeline is found from its time (outcomes ascend in
 * time as in id) within its session; a page of history walks outcomes backwards. Both stop after a
 * bounded number of rows.
 */
#include "queue/sqlite/private.h"

#define PAGE_OUTCOMES_MAX 20000 /* rows that one page looks at */
#define PAGE_EVENTS_MAX 20000

/* --- lookups --- */

/* One lookup and who asked. */
struct asked {
	struct sqlite_store *store;
	size_t index;
	lookup_found *each;
	void *arg;
};

static bool
names(const struct store_outcome *outcome, int64_t event)
{
	for (size_t i = 0; i < outcome->count; i++)
		if (outcome->ids[i] == event)
			return true;
	return false;
}

/*
 * Gives the outcomes that the statement yields and that name the event, up to the one that settles
 * it.
 */
static int
give_outcomes(const struct asked *asked, sqlite3_stmt *row, int64_t event,
	      enum outcome_kind *settled)
{
	int rc = SQLITE_ROW;

	while (*settled == 0 && (rc = sqlite3_step(row)) == SQLITE_ROW) {
		struct arena arena = { 0 };
		struct store_outcome outcome;

		if (sqlite_outcome(row, &arena, &outcome) < 0) {
			rc = SQLITE_CORRUPT;
		} else if (names(&outcome, event)) {
			asked->each(asked->arg, asked->index,
				    &(struct found){ .outcome = &outcome });
			if (outcome.kind <= OUTCOME_LAST_SETTLING)
				*settled = outcome.kind;
		}
		arena_clear(&arena);
		if (rc != SQLITE_ROW)
			break;
	}
	sqlite3_reset(row);
	return rc == SQLITE_ROW ? SQLITE_DONE : rc;
}

/* A lease while what became of its events is read. */
struct lent {
	struct arena arena;
	const int64_t *ids; /* ascending */
	bool *left;         /* which of them are the lease's no more */
	size_t count, held;
};

/* Takes the outcome's events out of the lease; false: none was in it. */
static bool
leave(struct lent *lent, const struct store_outcome *outcome)
{
	size_t before = lent->held;

	for (size_t i = 0, j = 0; i < lent->count && j < outcome->count;) {
		if (lent->ids[i] == outcome->ids[j] && !lent->left[i]) {
			lent->left[i] = true;
			lent->held--;
		}
		if (lent->ids[i] < outcome->ids[j])
			i++;
		else
			j++;
	}
	return lent->held < before;
}

/* The lease itself comes first. */
static bool
concerns(struct lent *lent, const struct store_outcome *outcome)
{
	if (lent->ids != NULL)
		return leave(lent, outcome);
	lent->count = lent->held = outcome->count;
	lent->ids = memcpy(arena_alloc(&lent->arena, outcome->count * sizeof(*lent->ids)),
			   outcome->ids, outcome->count * sizeof(*lent->ids));
	lent->left = arena_alloc(&lent->arena, outcome->count);
	return true;
}

/*
 * Until the lease is empty: what happens to its events afterwards is nothing to it. They leave it
 * by what is done under the lease, or because somebody takes them whoever has them.
 */
static int
lookup_lease(const struct asked *asked, const struct lookup *lookup)
{
	sqlite3_stmt *row = asked->store->statement[STATEMENT_LEASE_OUTCOMES];
	struct lent lent = { .ids = NULL };
	int rc = SQLITE_ROW;

	sqlite3_bind_int64(row, 1, lookup->id);
	while (rc == SQLITE_ROW && (lent.ids == NULL || lent.held > 0) &&
	       (rc = sqlite3_step(row)) == SQLITE_ROW) {
		struct arena arena = { 0 };
		struct store_outcome outcome;

		if (sqlite_outcome(row, &arena, &outcome) < 0)
			rc = SQLITE_CORRUPT;
		else if (concerns(&lent, &outcome))
			asked->each(asked->arg, asked->index,
				    &(struct found){ .outcome = &outcome });
		arena_clear(&arena);
	}
	sqlite3_reset(row);
	arena_clear(&lent.arena);
	return rc == SQLITE_ROW ? SQLITE_DONE : rc;
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
lookup_event(const struct asked *asked, const struct lookup *lookup, int64_t *ts_ms)
{
	sqlite3_stmt *read = asked->store->statement[STATEMENT_READ_EVENT];
	struct arena arena = { 0 };
	struct system_event event;

	*ts_ms = 0;
	sqlite3_bind_int64(read, 1, lookup->id);
	int rc = sqlite3_step(read);
	if (rc == SQLITE_ROW && sqlite_event(asked->store, read, &arena, &event) < 0)
		rc = SQLITE_CORRUPT;
	if (rc == SQLITE_ROW) {
		*ts_ms = event.ts_ms;
		asked->each(asked->arg, asked->index, &(struct found){ .event = &event });
	}
	sqlite3_reset(read);
	arena_clear(&arena);
	return rc == SQLITE_ROW ? SQLITE_DONE : rc;
}

static int
lookup_timeline(const struct asked *asked, const struct lookup *lookup)
{
	sqlite3_stmt *row = asked->store->statement[STATEMENT_SESSION_OUTCOMES];
	enum outcome_kind settled = 0;
	int64_t ts_ms;
	int rc = lookup_event(asked, lookup, &ts_ms);

	if (rc != SQLITE_DONE || ts_ms == 0)
		return rc;
	sqlite3_bind_int64(row, 1, lookup->id);
	sqlite3_bind_int64(row, 2, outcome_since(asked->store, ts_ms));
	rc = give_outcomes(asked, row, lookup->id, &settled);
	if (rc != SQLITE_DONE || (settled != OUTCOME_DEAD && settled != OUTCOME_EVICTED))
		return rc;
	settled = 0;
	row = asked->store->statement[STATEMENT_REQUEUED];
	sqlite3_bind_int64(row, 1, lookup->id);
	return give_outcomes(asked, row, lookup->id, &settled);
}

static int
lookup_dead_letter(const struct asked *asked, const struct lookup *lookup)
{
	sqlite3_stmt *row = asked->store->statement[STATEMENT_IS_DEAD_LETTER];
	int64_t ts_ms;

	sqlite3_bind_int64(row, 1, lookup->id);
	int rc = sqlite3_step(row);
	sqlite3_reset(row);
	return rc == SQLITE_ROW ? lookup_event(asked, lookup, &ts_ms) : rc;
}

static int
lookup_key(const struct asked *asked, const struct lookup *lookup)
{
	sqlite3_stmt *row = asked->store->statement[STATEMENT_FIND_KEY];

	sqlite_bind_text(row, 1, lookup->key);
	int rc = sqlite3_step(row);
	if (rc == SQLITE_ROW) {
		struct store_key key = { .key = lookup->key,
					 .request = (uint64_t)sqlite3_column_int64(row, 0),
					 .answer = sqlite_text(row, 1) };

		asked->each(asked->arg, asked->index, &(struct found){ .key = &key });
	}
	sqlite3_reset(row);
	return rc == SQLITE_ROW ? SQLITE_DONE : rc;
}

static int
look_up(const struct asked *asked, const struct lookup *lookup)
{
	int64_t ts_ms;

	switch (lookup->kind) {
	case LOOKUP_NONE:
		break;
	case LOOKUP_EVENT:
		return lookup_event(asked, lookup, &ts_ms);
	case LOOKUP_TIMELINE:
		return lookup_timeline(asked, lookup);
	case LOOKUP_LEASE:
		return lookup_lease(asked, lookup);
	case LOOKUP_DEAD:
		return lookup_dead_letter(asked, lookup);
	case LOOKUP_KEY:
		return lookup_key(asked, lookup);
	}
	return SQLITE_DONE;
}

void
sqlite_lookup(struct store *base, const struct lookup *lookups, size_t count, lookup_found *each,
	      read_done *done, void *arg)
{
	struct sqlite_store *store = (struct sqlite_store *)base;
	struct error err;
	int rc = SQLITE_DONE;

	sqlite_begin_reading(store);
	for (size_t i = 0; rc == SQLITE_DONE && i < count; i++)
		rc = look_up(&(struct asked){ store, i, each, arg }, &lookups[i]);
	if (rc != SQLITE_DONE)
		sqlite_fail(store, &err, ERROR_STORAGE_FAILED, "cannot read");
	sqlite_end_reading(store);
	done(arg, rc == SQLITE_DONE ? NULL : &err);
}

/* --- history --- */

/* A page while it is being made. */
struct page {
	struct sqlite_store *store;
	const struct history_query *query;
	history_row *each;
	void *arg;
	int64_t session;                  /* 0: all */
	size_t rows, events, text_bytes;  /* given; looked at; in those given */
	int64_t more_outcome, more_event; /* where the next page goes on */
};

/* The next page begins with this event. */
static void
stop_before(struct page *page, const struct store_outcome *outcome, int64_t id)
{
	page->more_outcome = outcome->id;
	page->more_event = id + 1;
}

/* Gives the row, unless it has too much text for what is on the page already. */
static void
give(struct page *page, const struct store_outcome *outcome, const struct system_event *event)
{
	struct store_outcome one = *outcome;
	int64_t id = event->id;

	if (page->rows > 0 && page->text_bytes + event->text.len > ANSWER_TEXT_BYTES_MAX) {
		stop_before(page, outcome, id);
		return;
	}
	one.ids = &id;
	one.count = 1;
	page->each(page->arg, event, &one);
	page->rows++;
	page->text_bytes += event->text.len;
}

/* The event in that place of the outcome. */
static int
give_event(struct page *page, const struct store_outcome *outcome, size_t at)
{
	sqlite3_stmt *read = page->store->statement[STATEMENT_READ_EVENT];
	struct arena arena = { 0 };
	struct system_event event;

	sqlite3_bind_int64(read, 1, outcome->ids[at]);
	int rc = sqlite3_step(read);
	if (rc == SQLITE_ROW && sqlite_event(page->store, read, &arena, &event) < 0)
		rc = SQLITE_CORRUPT;
	if (rc == SQLITE_ROW &&
	    (page->query->source.s == NULL || str_eq(event.source, page->query->source))) {
		event.attempts = outcome->attempts != NULL ? outcome->attempts[at] : 0;
		give(page, outcome, &event);
	}
	sqlite3_reset(read);
	arena_clear(&arena);
	return rc == SQLITE_ROW ? SQLITE_DONE : rc;
}

static bool
page_full(const struct page *page)
{
	return page->rows == page->query->limit || page->events >= PAGE_EVENTS_MAX;
}

/* The events of one outcome, newest first, from where the cursor stands. */
static int
give_outcome(struct page *page, const struct store_outcome *outcome)
{
	const struct history_query *query = page->query;
	int rc = SQLITE_DONE;

	for (size_t i = outcome->count; rc == SQLITE_DONE && page->more_outcome == 0 && i > 0;
	     i--) {
		if (outcome->id == query->before_outcome &&
		    outcome->ids[i - 1] >= query->before_event)
			continue;
		if (page_full(page)) {
			stop_before(page, outcome, outcome->ids[i - 1]);
			break;
		}
		page->events++;
		rc = give_event(page, outcome, i - 1);
	}
	return rc;
}

/* Conditions are looked at here and not in SQL, so that rows that do not meet them count too. */
static bool
asked_for(const struct page *page, sqlite3_stmt *row)
{
	const struct history_query *query = page->query;
	int kind = sqlite3_column_int(row, 2);

	if (page->session != 0 && sqlite3_column_int64(row, 7) != page->session)
		return false;
	return query->dead_letters ||
	       (query->kind != 0 ? kind == (int)query->kind : kind <= OUTCOME_LAST_SETTLING);
}

/* A JSON array of numbers, one an event; null: all 0. */
static int
read_attempts(sqlite3_stmt *row, struct arena *arena, struct store_outcome *outcome)
{
	struct json json = { 0 };
	struct str text = sqlite_text(row, 8);
	size_t count = 0;
	int64_t number;

	if (text.s == NULL)
		return 0;
	uint8_t *attempts = arena_alloc(arena, outcome->count + 1);
	if (json_scan(&json, text.s, text.len, NULL) == 0)
		for (size_t t = json_first(&json, 0); t != 0 && count <= outcome->count;
		     t = json_next(&json, 0, t))
			attempts[count++] = json_int64(&json, t, &number) ? (uint8_t)number : 0;
	json_clear(&json);
	outcome->attempts = attempts;
	return count == outcome->count ? 0 : -1;
}

static int
give_row(struct page *page, sqlite3_stmt *row)
{
	struct arena arena = { 0 };
	struct store_outcome outcome;
	int rc = SQLITE_CORRUPT;

	if (sqlite_outcome(row, &arena, &outcome) == 0 && read_attempts(row, &arena, &outcome) == 0)
		rc = give_outcome(page, &outcome);
	arena_clear(&arena);
	return rc;
}

/* The page has looked at enough; the next one goes on behind this row. */
static int
stop_after(struct page *page, sqlite3_stmt *row)
{
	struct arena arena = { 0 };
	struct store_outcome outcome;
	int rc = sqlite_outcome(row, &arena, &outcome) == 0 ? SQLITE_DONE : SQLITE_CORRUPT;

	if (rc == SQLITE_DONE) {
		page->more_outcome = outcome.id;
		page->more_event = outcome.ids[0];
	}
	arena_clear(&arena);
	return rc;
}

static int
give_page(struct page *page, sqlite3_stmt *row)
{
	int rc;
	size_t seen = 0;

	while ((rc = sqlite3_step(row)) == SQLITE_ROW) {
		if (sqlite3_column_int64(row, 1) < page->query->since_ms)
			return SQLITE_DONE; /* times descend with the ids */
		if (asked_for(page, row) && (rc = give_row(page, row)) != SQLITE_DONE)
			return rc;
		if (page->more_outcome != 0)
			return SQLITE_DONE;
		if (++seen == PAGE_OUTCOMES_MAX)
			return stop_after(page, row);
	}
	return rc;
}

/* The newest outcome that the page may show. */
static int64_t
newest_outcome(const struct page *page)
{
	const struct history_query *query = page->query;
	int64_t newest = query->before_outcome > 0 ? query->before_outcome : INT64_MAX;

	if (query->until_ms > 0 && query->until_ms < INT64_MAX) {
		int64_t later = outcome_since(page->store, query->until_ms + 1);

		newest = later <= newest ? later - 1 : newest;
	}
	return newest;
}

/* 0: no such session. */
static int
find_session(struct page *page)
{
	sqlite3_stmt *find = page->store->statement[STATEMENT_FIND_SESSION];

	sqlite_bind_text(find, 1, page->query->session_key);
	int rc = sqlite3_step(find);
	if (rc == SQLITE_ROW)
		page->session = sqlite3_column_int64(find, 0);
	sqlite3_reset(find);
	return rc == SQLITE_ROW ? SQLITE_DONE : rc;
}

static int
make_page(struct page *page)
{
	const struct history_query *query = page->query;
	int rc = query->session_key.s != NULL ? find_session(page) : SQLITE_DONE;

	if (rc != SQLITE_DONE || (query->session_key.s != NULL && page->session == 0))
		return rc;
	enum statement which = query->dead_letters  ? STATEMENT_DEAD_LETTERS
			       : page->session != 0 ? STATEMENT_SESSION_HISTORY
						    : STATEMENT_HISTORY;
	sqlite3_stmt *row = page->store->statement[which];
	sqlite3_bind_int64(row, 1, newest_outcome(page));
	if (which == STATEMENT_SESSION_HISTORY)
		sqlite3_bind_int64(row, 2, page->session);
	rc = give_page(page, row);
	sqlite3_reset(row);
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

	sqlite_begin_reading(page.store);
	int rc = make_page(&page);
	if (rc != SQLITE_DONE)
		sqlite_fail(page.store, &err, ERROR_STORAGE_FAILED, "cannot read");
	sqlite_end_reading(page.store);
	done(arg, page.more_outcome, page.more_event, rc == SQLITE_DONE ? NULL : &err);
}
