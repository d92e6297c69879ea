/*
 * history.c - looking back: what was said about a lease, an event, an idempotency key; pages of
 * what happened.
 *
 * Outcomes carry no index by event. An event's timeline is found from its time (outcomes ascend in
 * time as in id) within its session; a page of history walks outcomes backwards. Both stop after a
 * bounded number of rows.
 */
#include "queue/sqlite/lookup.h"

#include "queue/sqlite/rows.h"
#include "queue/sqlite/transaction.h"

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
int64_t
outcome_since(struct sqlite_store *store, int64_t ts_ms)
{
	sqlite3_stmt *row = store->statement[STATEMENT_OUTCOME_SINCE];
	int64_t low = 0, high = store->newest.outcome + 1;

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
