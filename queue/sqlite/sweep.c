/*
 * sweep.c - removes outcomes past their time, oldest first, with the events they settled.
 *
 * The events of one outcome are scattered: between two events of a session stand the events of all
 * other sessions that came meanwhile. If they were removed outcome by outcome, every page would be
 * written once for nearly every row in it. So the sweep works in rounds: it gathers what the oldest
 * outcomes have settled, removes those events in id order, page by page, and then the outcomes. It
 * works in steps of a few hundred rows between commits; each step that removes is one transaction.
 *
 * An outcome is removed after its events, never before: without its outcome an event would be
 * pending again. A round that a crash or a full disk interrupts leaves outcomes whose events are
 * gone already; the next round gathers them again. The newest event stays, so that ids and times
 * never go back.
 */
#include "queue/sqlite/sweep.h"

#include <stdlib.h>

#include "queue/sqlite/ids.h"
#include "queue/sqlite/row.h"
#include "queue/sqlite/session_rows.h"
#include "queue/sqlite/transaction.h"

/* events and outcomes; the last outcome that is gathered may exceed it */
#define ROUND_ROWS 16384
#define OUTCOMES_A_STEP 100 /* few, because their index by session makes each expensive */

struct sweep_range {
	int64_t first, last;
	bool dead; /* its events are, or were, dead letters */
};

/* A round of the sweep. */
struct sweep {
	bool gathered; /* what the round removes is known */
	int64_t after; /* the last outcome that was considered */
	/* ranges of events; those before range_at are removed, and of that one the ids before next
	 */
	struct sweep_range *ranges;
	size_t range_count, range_cap, range_at;
	int64_t next;
	uint64_t events;   /* in all ranges */
	int64_t *outcomes; /* ids; those before outcome_at are removed */
	size_t outcome_count, outcome_cap, outcome_at;
	int64_t sessions[REMOVE_ROWS_MAX]; /* of the events that this step has removed */
	size_t removed;
};

static void
begin_round(struct sweep *round)
{
	round->gathered = false;
	round->range_count = round->range_at = round->outcome_count = round->outcome_at = 0;
	round->events = 0;
	round->next = 0;
}

void
sweep_free(struct sweep *round)
{
	if (round == NULL)
		return;
	free(round->ranges);
	free(round->outcomes);
	free(round);
}

/* --- gathering --- */

/* Events that are gathered already do not count as stored. */
static bool
past_retention(const struct sqlite_store *store, sqlite3_stmt *oldest, const struct chores *chores)
{
	return sqlite3_column_int64(oldest, 1) < chores->settled_before_ms ||
	       store->stats.events >
		   chores->pending_count + chores->settled_rows_max + store->sweep->events;
}

enum sweep_action { STOP, SKIP, REMOVE };

/*
 * What the sweep may do with the outcome: remove it; skip it, because one of its events is still
 * pending; or stop, because it is not past its time, is the newest, or settles the newest event.
 */
static enum sweep_action
decide(struct sqlite_store *store, sqlite3_stmt *oldest, const struct chores *chores)
{
	struct str ids = row_text(oldest, 3), session = row_text(oldest, 7);
	bool settles = sqlite3_column_int(oldest, 2) <= OUTCOME_LAST_SETTLING;
	const char *at = ids.s;
	struct id_range range = { 0 };

	if (sqlite3_column_int64(oldest, 0) >= store->newest.outcome ||
	    !past_retention(store, oldest, chores))
		return STOP;
	while (ids_next(&at, ids.s + ids.len, &range)) {
		if (settles && range.last >= store->newest.event)
			return STOP;
		for (int64_t id = range.first; !settles && id <= range.last; id++)
			if (chores->pending(chores->arg, session, id))
				return SKIP;
	}
	return at != NULL ? REMOVE : SKIP;
}

/* Gathers the outcome; if it settles its events, gathers them too. */
static void
gather_outcome(struct sweep *round, sqlite3_stmt *oldest)
{
	struct str ids = row_text(oldest, 3);
	enum outcome_kind kind = (enum outcome_kind)sqlite3_column_int(oldest, 2);
	bool dead = kind == OUTCOME_DEAD || kind == OUTCOME_EVICTED;
	struct id_range range = { 0 };

	round->outcomes = mem_grow(round->outcomes, &round->outcome_cap, round->outcome_count + 1,
				   sizeof(*round->outcomes));
	round->outcomes[round->outcome_count++] = sqlite3_column_int64(oldest, 0);
	for (const char *at = ids.s;
	     kind <= OUTCOME_LAST_SETTLING && ids_next(&at, ids.s + ids.len, &range);) {
		round->ranges = mem_grow(round->ranges, &round->range_cap, round->range_count + 1,
					 sizeof(*round->ranges));
		round->ranges[round->range_count++] =
		    (struct sweep_range){ range.first, range.last, dead };
		round->events += (uint64_t)(range.last - range.first) + 1;
	}
}

/* Considers the next outcome. */
static enum sweep_action
gather_next(struct sqlite_store *store, const struct chores *chores)
{
	sqlite3_stmt *oldest = store->statement[STATEMENT_OLDEST_OUTCOME];
	enum sweep_action action = STOP;

	sqlite3_bind_int64(oldest, 1, store->sweep->after);
	if (sqlite3_step(oldest) == SQLITE_ROW)
		action = decide(store, oldest, chores);
	if (action == REMOVE)
		gather_outcome(store->sweep, oldest);
	if (action != STOP)
		store->sweep->after = sqlite3_column_int64(oldest, 0);
	sqlite3_reset(oldest);
	return action;
}

static int
by_first(const void *a, const void *b)
{
	const struct sweep_range *x = a, *y = b;

	return (x->first > y->first) - (x->first < y->first);
}

static size_t
gathered_rows(const struct sweep *round)
{
	return (size_t)round->events + round->outcome_count;
}

/* Does one step of gathering. */
static void
gather(struct sqlite_store *store, const struct chores *chores)
{
	struct sweep *round = store->sweep;
	size_t enough = gathered_rows(round) + REMOVE_ROWS_MAX;

	for (size_t looks = 0;
	     !round->gathered && looks < REMOVE_ROWS_MAX && gathered_rows(round) < enough; looks++)
		round->gathered =
		    gather_next(store, chores) == STOP || gathered_rows(round) >= ROUND_ROWS;
	if (round->gathered && round->range_count > 0)
		qsort(round->ranges, round->range_count, sizeof(*round->ranges), by_first);
}

/* --- removing --- */

static int
remove_event(struct sqlite_store *store, int64_t id)
{
	sqlite3_stmt *remove = store->statement[STATEMENT_REMOVE_EVENT];

	sqlite3_bind_int64(remove, 1, id);
	int rc = sqlite3_step(remove);
	int64_t session = rc == SQLITE_ROW ? sqlite3_column_int64(remove, 0) : 0;
	if (rc == SQLITE_ROW)
		rc = sqlite3_step(remove);
	sqlite3_reset(remove);
	if (rc != SQLITE_DONE || session == 0)
		return rc == SQLITE_DONE ? SQLITE_OK : rc;
	store->sweep->sessions[store->sweep->removed++] = session;
	if (!session_rows_remove_event(store, session))
		return SQLITE_OK;
	sqlite3_bind_int64(store->statement[STATEMENT_REMOVE_SESSION], 1, session);
	return transaction_run(store->statement[STATEMENT_REMOVE_SESSION]);
}

/* A dead letter is removed with its event. */
static int
remove_dead_letter(struct sqlite_store *store, int64_t id)
{
	sqlite3_bind_int64(store->statement[STATEMENT_REMOVE_DEAD_LETTER], 1, id);
	return transaction_run(store->statement[STATEMENT_REMOVE_DEAD_LETTER]);
}

/* Removes the next few events. */
static int
remove_events(struct sqlite_store *store)
{
	struct sweep *round = store->sweep;
	int rc = SQLITE_OK;

	for (size_t i = 0;
	     rc == SQLITE_OK && i < REMOVE_ROWS_MAX && round->range_at < round->range_count; i++) {
		const struct sweep_range *range = &round->ranges[round->range_at];

		if (round->next < range->first)
			round->next = range->first;
		rc = remove_event(store, round->next);
		if (rc == SQLITE_OK && range->dead)
			rc = remove_dead_letter(store, round->next);
		if (round->next++ == range->last)
			round->range_at++;
	}
	return rc;
}

static int
remove_outcomes(struct sqlite_store *store)
{
	struct sweep *round = store->sweep;
	sqlite3_stmt *remove = store->statement[STATEMENT_REMOVE_OUTCOME];
	int rc = SQLITE_OK;

	for (size_t i = 0;
	     rc == SQLITE_OK && i < OUTCOMES_A_STEP && round->outcome_at < round->outcome_count;
	     i++) {
		sqlite3_bind_int64(remove, 1, round->outcomes[round->outcome_at++]);
		rc = transaction_run(remove);
	}
	return rc;
}

/* The rollback has brought the rows back; counts them again. */
static void
restore_counts(struct sqlite_store *store)
{
	for (size_t i = 0; i < store->sweep->removed; i++)
		session_rows_add_event(store, store->sweep->sessions[i]);
}

/* Does one step of removing. False: the disk does not let us. */
static bool
remove_step(struct sqlite_store *store)
{
	struct sweep *round = store->sweep;
	/* reported to nobody: a later step tries again, and ready reports a broken store */
	struct error err;
	size_t outcomes_before = round->outcome_at;

	round->removed = 0;
	int rc = transaction_begin(store);
	if (rc == SQLITE_OK)
		rc = round->range_at < round->range_count ? remove_events(store)
							  : remove_outcomes(store);
	if (transaction_end(store, rc, &err) < 0) {
		restore_counts(store);
		return false;
	}
	store->stats.swept += round->removed;
	store->stats.outcomes -= round->outcome_at - outcomes_before;
	return true;
}

bool
sweep_step(struct sqlite_store *store, const struct chores *chores)
{
	bool more;

	if (store->sweep == NULL)
		store->sweep = mem_alloc(sizeof(*store->sweep));
	struct sweep *round = store->sweep;
	if (!round->gathered) {
		gather(store, chores);
		more = !round->gathered || round->outcome_count > 0;
	} else {
		more = remove_step(store);
		if (round->outcome_at == round->outcome_count)
			begin_round(round);
	}
	if (!more) { /* the next round begins with the oldest outcome again */
		sweep_free(round);
		store->sweep = NULL;
	}
	return more;
}
