/*
 * lookup.c - what is stored about a lease, an event, an idempotency key.
 *
 * Outcomes have no index by event. An event's timeline is found among the outcomes of its session,
 * from the event's time on (within one clock mark the times of outcomes ascend with their ids), and
 * the search stops after a bounded number of rows.
 */
#include "queue/sqlite/lookup.h"

#include "queue/sqlite/row.h"
#include "queue/sqlite/transaction.h"

/* One lookup of a call, and whom its results go to. */
struct lookup_call {
	struct sqlite_store *store;
	size_t index;
	lookup_found *each;
	void *arg;
};

static bool
names_event(const struct store_outcome *outcome, int64_t event)
{
	for (size_t i = 0; i < outcome->count; i++)
		if (outcome->ids[i] == event)
			return true;
	return false;
}

/*
 * Reports those of the statement's outcomes that name the event, up to the one that settles it;
 * sets *settled to its kind.
 */
static int
report_outcomes(const struct lookup_call *call, sqlite3_stmt *row, int64_t event,
		enum outcome_kind *settled)
{
	int rc = SQLITE_ROW;

	while (*settled == 0 && (rc = sqlite3_step(row)) == SQLITE_ROW) {
		struct arena arena = { 0 };
		struct store_outcome outcome;

		if (row_read_outcome(row, &arena, &outcome) < 0) {
			rc = SQLITE_CORRUPT;
		} else if (names_event(&outcome, event)) {
			call->each(call->arg, call->index, &(struct found){ .outcome = &outcome });
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

/* The events of a lease, while the outcomes after it are read. */
struct leased_events {
	struct arena arena;
	const int64_t *ids; /* ascending; NULL: the lease itself was not read yet */
	bool *removed;      /* which of them have left the lease */
	size_t count, held;
};

/* Takes the outcome's events out of the lease. False: none of them was in it. */
static bool
remove_from_lease(struct leased_events *lease, const struct store_outcome *outcome)
{
	size_t before = lease->held;

	for (size_t i = 0, j = 0; i < lease->count && j < outcome->count;) {
		if (lease->ids[i] == outcome->ids[j] && !lease->removed[i]) {
			lease->removed[i] = true;
			lease->held--;
		}
		if (lease->ids[i] < outcome->ids[j])
			i++;
		else
			j++;
	}
	return lease->held < before;
}

/*
 * Applies the next outcome to the lease; the first one is the lease itself. False: the outcome is
 * not about the lease's events.
 */
static bool
apply_to_lease(struct leased_events *lease, const struct store_outcome *outcome)
{
	if (lease->ids != NULL)
		return remove_from_lease(lease, outcome);
	lease->count = lease->held = outcome->count;
	lease->ids = memcpy(arena_alloc(&lease->arena, outcome->count * sizeof(*lease->ids)),
			    outcome->ids, outcome->count * sizeof(*lease->ids));
	lease->removed = arena_alloc(&lease->arena, outcome->count);
	return true;
}

/*
 * Reports the lease, then the outcomes that took events out of it: those that name the lease, and
 * those that take events whether they are leased or not. Stops once the lease is empty; what
 * happens to its events afterwards is not about the lease.
 */
static int
lookup_lease(const struct lookup_call *call, const struct lookup *lookup)
{
	sqlite3_stmt *row = call->store->statement[STATEMENT_LEASE_OUTCOMES];
	struct leased_events lease = { .ids = NULL };
	int rc = SQLITE_ROW;

	sqlite3_bind_int64(row, 1, lookup->id);
	while (rc == SQLITE_ROW && (lease.ids == NULL || lease.held > 0) &&
	       (rc = sqlite3_step(row)) == SQLITE_ROW) {
		struct arena arena = { 0 };
		struct store_outcome outcome;

		if (row_read_outcome(row, &arena, &outcome) < 0)
			rc = SQLITE_CORRUPT;
		else if (apply_to_lease(&lease, &outcome))
			call->each(call->arg, call->index, &(struct found){ .outcome = &outcome });
		arena_clear(&arena);
	}
	sqlite3_reset(row);
	arena_clear(&lease.arena);
	return rc == SQLITE_ROW ? SQLITE_DONE : rc;
}

struct outcome_range
lookup_range_of_mark(const struct sqlite_store *store, size_t index)
{
	const struct clock_marks *marks = &store->marks;

	return (struct outcome_range){ index > 0 ? marks->items[index - 1].outcome : 0,
				       index < marks->count ? marks->items[index].outcome
							    : store->newest.outcome + 1 };
}

/* A binary search: ids and times ascend together. */
int64_t
lookup_outcome_since(struct sqlite_store *store, struct outcome_range range, int64_t ts_ms)
{
	sqlite3_stmt *row = store->statement[STATEMENT_OUTCOME_SINCE];
	int64_t low = range.first, high = range.end;

	while (low < high) {
		int64_t mid = low + (high - low) / 2, id = high;
		bool before = false;

		sqlite3_bind_int64(row, 1, mid);
		if (sqlite3_step(row) == SQLITE_ROW) {
			id = sqlite3_column_int64(row, 0);
			before = id < high && sqlite3_column_int64(row, 1) < ts_ms;
		}
		sqlite3_reset(row);
		if (before)
			low = id + 1;
		else
			high = mid;
	}
	return low;
}

/* Reports the event and sets *ts_ms; SQLITE_DONE and 0 when it is not stored. */
static int
lookup_event(const struct lookup_call *call, const struct lookup *lookup, int64_t *ts_ms)
{
	sqlite3_stmt *read = call->store->statement[STATEMENT_READ_EVENT];
	struct arena arena = { 0 };
	struct system_event event;

	*ts_ms = 0;
	sqlite3_bind_int64(read, 1, lookup->id);
	int rc = sqlite3_step(read);
	if (rc == SQLITE_ROW && row_read_event(call->store, read, &arena, &event) < 0)
		rc = SQLITE_CORRUPT;
	if (rc == SQLITE_ROW) {
		*ts_ms = event.ts_ms;
		call->each(call->arg, call->index, &(struct found){ .event = &event });
	}
	sqlite3_reset(read);
	arena_clear(&arena);
	return rc == SQLITE_ROW ? SQLITE_DONE : rc;
}

/* The id of the first outcome that may be about the event, by its time. */
static int64_t
first_outcome_of(struct sqlite_store *store, int64_t event, int64_t ts_ms)
{
	size_t index = clock_marks_index_of_event(&store->marks, event);

	return lookup_outcome_since(store, lookup_range_of_mark(store, index), ts_ms);
}

static int
lookup_timeline(const struct lookup_call *call, const struct lookup *lookup)
{
	sqlite3_stmt *row = call->store->statement[STATEMENT_SESSION_OUTCOMES];
	enum outcome_kind settled = 0;
	int64_t ts_ms;
	int rc = lookup_event(call, lookup, &ts_ms);

	if (rc != SQLITE_DONE || ts_ms == 0)
		return rc;
	sqlite3_bind_int64(row, 1, lookup->id);
	sqlite3_bind_int64(row, 2, first_outcome_of(call->store, lookup->id, ts_ms));
	rc = report_outcomes(call, row, lookup->id, &settled);
	if (rc != SQLITE_DONE || (settled != OUTCOME_DEAD && settled != OUTCOME_EVICTED))
		return rc;
	settled = 0;
	row = call->store->statement[STATEMENT_REQUEUED];
	sqlite3_bind_int64(row, 1, lookup->id);
	return report_outcomes(call, row, lookup->id, &settled);
}

static int
lookup_dead_letter(const struct lookup_call *call, const struct lookup *lookup)
{
	sqlite3_stmt *row = call->store->statement[STATEMENT_IS_DEAD_LETTER];
	int64_t ts_ms;

	sqlite3_bind_int64(row, 1, lookup->id);
	int rc = sqlite3_step(row);
	sqlite3_reset(row);
	return rc == SQLITE_ROW ? lookup_event(call, lookup, &ts_ms) : rc;
}

static int
lookup_key(const struct lookup_call *call, const struct lookup *lookup)
{
	sqlite3_stmt *row = call->store->statement[STATEMENT_FIND_KEY];

	row_bind_text(row, 1, lookup->key);
	int rc = sqlite3_step(row);
	if (rc == SQLITE_ROW) {
		struct store_key key = { .key = lookup->key,
					 .request = (uint64_t)sqlite3_column_int64(row, 0),
					 .answer = row_text(row, 1) };

		call->each(call->arg, call->index, &(struct found){ .key = &key });
	}
	sqlite3_reset(row);
	return rc == SQLITE_ROW ? SQLITE_DONE : rc;
}

static int
look_up_one(const struct lookup_call *call, const struct lookup *lookup)
{
	int64_t ts_ms;

	switch (lookup->kind) {
	case LOOKUP_NONE:
		break;
	case LOOKUP_EVENT:
		return lookup_event(call, lookup, &ts_ms);
	case LOOKUP_TIMELINE:
		return lookup_timeline(call, lookup);
	case LOOKUP_LEASE:
		return lookup_lease(call, lookup);
	case LOOKUP_DEAD:
		return lookup_dead_letter(call, lookup);
	case LOOKUP_KEY:
		return lookup_key(call, lookup);
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

	transaction_begin_read(store);
	for (size_t i = 0; rc == SQLITE_DONE && i < count; i++)
		rc = look_up_one(&(struct lookup_call){ store, i, each, arg }, &lookups[i]);
	if (rc != SQLITE_DONE)
		transaction_fail(store, &err, ERROR_STORAGE_FAILED, "cannot read");
	transaction_end_read(store);
	done(arg, rc == SQLITE_DONE ? NULL : &err);
}
