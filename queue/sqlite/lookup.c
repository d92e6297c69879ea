/*
 * lookup.c - what is stored about a lease, an event, an idempotency key.
 *
 * Outcomes have no index by event, which would cost every drain and ack a row for each of its
 * events. The timeline of an event, and what became of a lease, are found among the outcomes of the
 * session, from the first on that can be meant: within one clock mark the times of outcomes ascend
 * with their ids. An event may outlast any number of outcomes, so a walk ends after a bounded
 * number of rows and says where it goes on (queue/store.h).
 */
#include "queue/sqlite/lookup.h"

#include "queue/sqlite/moved_rows.h"
#include "queue/sqlite/row.h"
#include "queue/sqlite/transaction.h"

/* A list of ids costs as much as looking at one row more for each of these bytes. */
#define IDS_BYTES_A_ROW 256

/* One lookup of a call, and whom its results go to. */
struct lookup_call {
	struct sqlite_store *store;
	const struct lookup *lookup;
	size_t index;
	lookup_found *each;
	void *arg;
	struct way *way;
};

/* How far a walk has come. */
struct way {
	size_t looked_at;
	int64_t session, from; /* where it goes on */
};

static bool
report(const struct lookup_call *call, const struct found *found)
{
	return call->each(call->arg, call->index, found);
}

/* --- walks --- */

/*
 * Reports the row's outcome if the lookup is about it. SQLITE_ROW: the walk goes on; SQLITE_OK: in
 * another session (call->way); SQLITE_DONE: nothing more is wanted.
 */
typedef int visit_row(const struct lookup_call *call, sqlite3_stmt *row, struct arena *arena);

/* Visits rows. SQLITE_ROW: there are more, and *next is the id of the first of them. */
static int
visit_rows(const struct lookup_call *call, sqlite3_stmt *row, visit_row *visit, int64_t *next)
{
	size_t *looked_at = &call->way->looked_at;
	int rc;

	while ((rc = sqlite3_step(row)) == SQLITE_ROW && *looked_at < call->lookup->rows) {
		struct arena arena = { 0 };

		*looked_at += 1 + (size_t)sqlite3_column_bytes(row, 3) / IDS_BYTES_A_ROW;
		rc = visit(call, row, &arena);
		arena_clear(&arena);
		if (rc != SQLITE_ROW)
			break;
	}
	if (rc == SQLITE_ROW)
		*next = sqlite3_column_int64(row, 0);
	sqlite3_reset(row);
	return rc;
}

static int
walk_session(const struct lookup_call *call, visit_row *visit, int64_t *next)
{
	sqlite3_stmt *row = call->store->statement[STATEMENT_SESSION_OUTCOMES];
	int rc = SQLITE_OK;

	while (rc == SQLITE_OK) {
		sqlite3_bind_int64(row, 1, call->way->session);
		sqlite3_bind_int64(row, 2, call->way->from);
		rc = visit_rows(call, row, visit, next);
	}
	return rc;
}

/* Ends the walk, with where it goes on. */
static int
end_walk(const struct lookup_call *call, int rc, int64_t next)
{
	if (rc == SQLITE_ROW || rc == SQLITE_DONE)
		report(call, &(struct found){ .next = &next });
	return rc == SQLITE_ROW ? SQLITE_DONE : rc;
}

/* --- leases --- */

/* Whether the outcome may have removed events from the lease, or is the lease. */
static bool
is_about_lease(sqlite3_stmt *row, int64_t lease)
{
	int kind = sqlite3_column_int(row, 2);
	bool takes_leased = kind == OUTCOME_CONSUMED || kind == OUTCOME_WITHDRAWN ||
			    kind == OUTCOME_PURGED || kind == OUTCOME_REPLACED;

	return takes_leased || sqlite3_column_int64(row, 0) == lease ||
	       (sqlite3_column_int64(row, 4) == lease && kind != OUTCOME_EXTENDED);
}

static int
visit_for_lease(const struct lookup_call *call, sqlite3_stmt *row, struct arena *arena)
{
	struct store_outcome outcome;

	if (!is_about_lease(row, call->lookup->id))
		return SQLITE_ROW;
	if (row_read_outcome(row, arena, &outcome) < 0)
		return SQLITE_CORRUPT;
	return report(call, &(struct found){ .outcome = &outcome }) ? SQLITE_ROW : SQLITE_DONE;
}

static int
lookup_lease(const struct lookup_call *call)
{
	const struct lookup *lookup = call->lookup;
	sqlite3_stmt *find = call->store->statement[STATEMENT_SESSION_OF_LEASE];
	int64_t next = 0;

	sqlite3_bind_int64(find, 1, lookup->id);
	int rc = sqlite3_step(find);
	call->way->session = rc == SQLITE_ROW ? sqlite3_column_int64(find, 0) : 0;
	call->way->from = lookup->from > 0 ? lookup->from : lookup->id;
	sqlite3_reset(find);
	if (rc == SQLITE_ROW)
		rc = walk_session(call, visit_for_lease, &next);
	return end_walk(call, rc, next);
}

/* --- timelines --- */

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

/* Reports the event, if it is stored. */
static int
lookup_event(const struct lookup_call *call)
{
	sqlite3_stmt *read = call->store->statement[STATEMENT_READ_EVENT];
	struct arena arena = { 0 };
	struct system_event event;

	sqlite3_bind_int64(read, 1, call->lookup->id);
	int rc = sqlite3_step(read);
	if (rc == SQLITE_ROW &&
	    moved_rows_read_event(call->store, read, call->lookup->as_stored, &arena, &event) < 0)
		report(call, &(struct found){ .damaged = true });
	else if (rc == SQLITE_ROW)
		report(call, &(struct found){ .event = &event });
	sqlite3_reset(read);
	arena_clear(&arena);
	return rc == SQLITE_ROW ? SQLITE_DONE : rc;
}

static int
visit_for_event(const struct lookup_call *call, sqlite3_stmt *row, struct arena *arena)
{
	struct store_outcome outcome;
	int named = row_read_outcome_of(row, call->lookup->id, arena, &outcome);

	if (named < 0)
		return SQLITE_CORRUPT;
	if (named == 0)
		return SQLITE_ROW;
	int rc = moved_rows_name(call->store, arena, &outcome);
	if (rc != SQLITE_DONE || !report(call, &(struct found){ .outcome = &outcome }))
		return rc;
	if (outcome.kind != OUTCOME_MOVED)
		return SQLITE_ROW;
	call->way->session = outcome.target_row;
	call->way->from = outcome.id + 1;
	return SQLITE_OK;
}

/* The id of the first outcome that may be about the event, by its time. */
static int64_t
first_outcome_of(struct sqlite_store *store, int64_t event, int64_t ts_ms)
{
	size_t index = clock_marks_index_of_event(&store->marks, event);

	return lookup_outcome_since(store, lookup_range_of_mark(store, index), ts_ms);
}

/*
 * What follows when the walk has ended: that the dead letter was requeued or discarded, and the
 * event itself.
 */
static int
finish_timeline(const struct lookup_call *call)
{
	sqlite3_stmt *row = call->store->statement[STATEMENT_END_OF_DEAD_LETTER];
	int64_t next;

	call->way->looked_at = 0;
	sqlite3_bind_int64(row, 1, call->lookup->id);
	int rc = visit_rows(call, row, visit_for_event, &next);
	return rc == SQLITE_DONE ? lookup_event(call) : rc;
}

static int
lookup_timeline(const struct lookup_call *call)
{
	const struct lookup *lookup = call->lookup;
	sqlite3_stmt *place = call->store->statement[STATEMENT_PLACE_OF_EVENT];
	int64_t next = 0;

	sqlite3_bind_int64(place, 1, lookup->id);
	int rc = sqlite3_step(place);
	int64_t first = rc == SQLITE_ROW ? sqlite3_column_int64(place, 0) : 0;
	int64_t ts_ms = rc == SQLITE_ROW ? row_time(place, 1) : 0;
	sqlite3_reset(place);
	if (rc != SQLITE_ROW)
		return end_walk(call, rc, 0);
	call->way->from =
	    lookup->from > 0 ? lookup->from : first_outcome_of(call->store, lookup->id, ts_ms);
	rc = moved_rows_session(call->store, lookup->id, first, call->way->from,
				&call->way->session);
	if (rc == SQLITE_DONE)
		rc = walk_session(call, visit_for_event, &next);
	if (rc == SQLITE_DONE)
		rc = finish_timeline(call);
	return end_walk(call, rc, next);
}

/* --- the others --- */

static int
lookup_dead_letter(const struct lookup_call *call)
{
	sqlite3_stmt *row = call->store->statement[STATEMENT_IS_DEAD_LETTER];

	sqlite3_bind_int64(row, 1, call->lookup->id);
	int rc = sqlite3_step(row);
	sqlite3_reset(row);
	return rc == SQLITE_ROW ? lookup_event(call) : rc;
}

static int
lookup_key(const struct lookup_call *call)
{
	sqlite3_stmt *row = call->store->statement[STATEMENT_FIND_KEY];

	row_bind_text(row, 1, call->lookup->key);
	int rc = sqlite3_step(row);
	if (rc == SQLITE_ROW) {
		struct store_key key = { .key = call->lookup->key,
					 .request = (uint64_t)sqlite3_column_int64(row, 0),
					 .answer = row_text(row, 1) };

		report(call, &(struct found){ .key = &key });
	}
	sqlite3_reset(row);
	return rc == SQLITE_ROW ? SQLITE_DONE : rc;
}

static int
look_up_one(const struct lookup_call *call)
{
	switch (call->lookup->kind) {
	case LOOKUP_NONE:
		break;
	case LOOKUP_EVENT:
		return lookup_event(call);
	case LOOKUP_TIMELINE:
		return lookup_timeline(call);
	case LOOKUP_LEASE:
		return lookup_lease(call);
	case LOOKUP_DEAD:
		return lookup_dead_letter(call);
	case LOOKUP_KEY:
		return lookup_key(call);
	}
	return SQLITE_DONE;
}

/* What is damaged fails this lookup, and not the others of the call. */
static int
look_up(const struct lookup_call *call)
{
	int rc = look_up_one(call);

	if (rc != SQLITE_CORRUPT)
		return rc;
	row_note_damage(call->store, call->lookup->kind == LOOKUP_LEASE ? 0 : call->lookup->id);
	report(call, &(struct found){ .damaged = true });
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
		rc = look_up(
		    &(struct lookup_call){ store, &lookups[i], i, each, arg, &(struct way){ 0 } });
	if (rc != SQLITE_DONE)
		transaction_fail_read(store, &err);
	transaction_end_read(store);
	done(arg, rc == SQLITE_DONE ? NULL : &err);
}
