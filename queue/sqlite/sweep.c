/*
 * sweep.c - removes outcomes past their time, oldest first, with the events they settled; and,
 * while room is short, before their time.
 *
 * The events of one outcome are scattered: between two events of a session stand the events of all
 * other sessions that came meanwhile. If they were removed outcome by outcome, every page would be
 * written once for nearly every row in it. So the sweep works in rounds: it gathers what the oldest
 * outcomes have settled, removes those events in id order, page by page, and then the outcomes. It
 * works in steps of a few hundred rows between commits; each step that removes is one transaction.
 *
 * An outcome is removed after its events, never before: without its outcome an event would be
 * pending again. A round that a crash or a full disk interrupts leaves outcomes whose events are
 * gone already; the next round gathers them again. Outcomes that settle nothing (leases, moves)
 * stay as long as one of their events is stored, so that an event keeps its whole timeline, and go
 * in a round after that.
 *
 * The newest rows go like the others. The table newest keeps their ids and time, written in the
 * same transaction, so that ids are never given twice and times never go back.
 *
 * While room is short (disk.c) a round takes the oldest of what is settled, as much of it as gives
 * the room that is wanted. Dead letters, which somebody may still want, are skipped until nothing
 * else is left; what then goes is counted as lost.
 */
#include "queue/sqlite/sweep.h"

#include <stdlib.h>

#include "queue/sqlite/checkpoint.h"
#include "queue/sqlite/ids.h"
#include "queue/sqlite/outcome_rows.h"
#include "queue/sqlite/row.h"
#include "queue/sqlite/session_rows.h"
#include "queue/sqlite/transaction.h"

/* events and outcomes; the last outcome that is gathered may exceed it */
#define ROUND_ROWS 16384
#define SHORT_ROUND_ROWS_MIN 16 /* while room is short */
#define OUTCOMES_A_STEP 100     /* few, because their index by session makes each expensive */
/* of text that one step removes: all of its pages are written to the WAL */
#define REMOVE_BYTES_MAX (1 << 20)

struct sweep_range {
	int64_t first, last;
	int64_t
	    dead_in; /* its events are, or were, dead letters of this session; 0: they are not */
	bool early;  /* it is removed before its time */
};

/* A round of the sweep. */
struct sweep {
	bool gathered; /* what the round removes is known */
	int64_t after; /* the last outcome that was considered */
	/* since the first outcome was considered: one was skipped; one was removed */
	bool skipped, progressed;
	bool gives_room;         /* room is short, and there are settled events to give it */
	bool takes_dead_letters; /* before their time: nothing else is left */
	/* ranges of events; those before range_at are removed, and of that one the ids before next
	 */
	struct sweep_range *ranges;
	size_t range_count, range_cap;
	uint64_t events;   /* in all ranges */
	int64_t *outcomes; /* ids; those before outcome_at are removed */
	size_t outcome_count, outcome_cap;
	struct sweep_position {
		size_t range_at;
		int64_t next;
		size_t outcome_at;
	} at;
	int64_t sessions[REMOVE_ROWS_MAX]; /* of the events that this step has removed */
	int64_t targets[OUTCOMES_A_STEP];  /* of the moves that it has removed */
	size_t released;                   /* how many targets */
	size_t removed, removed_bytes;     /* of the text of those events */
	size_t dead, lost; /* dead letters among them; those that went before their time */
	/* the same dead letters by their sessions, those that stand together as one */
	struct swept_letters {
		int64_t session;
		struct str key; /* in letter_keys; NULL: it is not known */
		size_t count;
	} letters[REMOVE_ROWS_MAX];
	size_t letter_count;
	struct arena letter_keys;
};

static void
begin_round(struct sweep *round)
{
	round->gathered = false;
	round->range_count = round->outcome_count = 0;
	round->events = 0;
	round->at = (struct sweep_position){ 0 };
}

void
sweep_free(struct sweep *round)
{
	if (round == NULL)
		return;
	arena_clear(&round->letter_keys);
	free(round->ranges);
	free(round->outcomes);
	free(round);
}

/* --- gathering --- */

/* Events that are gathered already do not count as stored. */
static bool
is_past_retention(const struct sqlite_store *store, sqlite3_stmt *oldest,
		  const struct chores *chores)
{
	struct clock_mark mark =
	    clock_marks_of_outcome(&store->marks, sqlite3_column_int64(oldest, 0));
	int64_t proven_ms = row_time(oldest, 1) - mark.ahead_ms - mark.unproven_ms;

	return proven_ms < chores->settled_before_ms ||
	       store->stats.events >
		   chores->pending_count + chores->settled_rows_max + store->sweep->events;
}

static bool
any_event_stored(struct sqlite_store *store, struct id_range range)
{
	sqlite3_stmt *any = store->statement[STATEMENT_ANY_EVENT];

	sqlite3_bind_int64(any, 1, range.first);
	sqlite3_bind_int64(any, 2, range.last);
	int rc = sqlite3_step(any);
	sqlite3_reset(any);
	return rc != SQLITE_DONE; /* also if it cannot be read */
}

/* Whether the list of ids is readable, and none of the events is stored. */
static bool
events_are_gone(struct sqlite_store *store, struct str ids)
{
	const char *at = ids.s;
	struct id_range range = { 0 };

	while (ids_next(&at, ids.s + ids.len, &range))
		if (any_event_stored(store, range))
			return false;
	return at != NULL;
}

static bool
is_id_list(struct str ids)
{
	const char *at = ids.s;
	struct id_range range = { 0 };

	while (ids_next(&at, ids.s + ids.len, &range))
		continue;
	return at != NULL;
}

/* Whether the outcome has made dead letters that have not ended. */
static bool
has_dead_letters(struct sqlite_store *store, sqlite3_stmt *oldest)
{
	enum outcome_kind kind = (enum outcome_kind)sqlite3_column_int(oldest, 2);
	sqlite3_stmt *any = store->statement[STATEMENT_ANY_DEAD_LETTER];

	if (!outcome_makes_dead_letters(kind))
		return false;
	sqlite3_bind_int64(any, 1, sqlite3_column_int64(oldest, 0));
	int rc = sqlite3_step(any);
	sqlite3_reset(any);
	return rc != SQLITE_DONE;
}

enum sweep_action { STOP, SKIP, REMOVE, REMOVE_EARLY };

/*
 * What the sweep may do with the outcome: remove it; skip it, because it is part of the timeline of
 * an event that is stored, or damaged; or stop, because it is not past its time.
 */
static enum sweep_action
decide(struct sqlite_store *store, sqlite3_stmt *oldest, const struct chores *chores)
{
	struct str ids = row_text(oldest, 3);
	bool settles = sqlite3_column_int(oldest, 2) <= OUTCOME_LAST_SETTLING;

	if (!settles && events_are_gone(store, ids))
		return REMOVE;
	bool due = is_past_retention(store, oldest, chores);
	if (!due && !store->sweep->gives_room)
		return STOP;
	if (!settles || !is_id_list(ids))
		return SKIP;
	if (!due && !store->sweep->takes_dead_letters && has_dead_letters(store, oldest))
		return SKIP;
	return due ? REMOVE : REMOVE_EARLY;
}

/* Gathers the outcome; if it settles its events, gathers them too. */
static void
gather_outcome(struct sweep *round, sqlite3_stmt *oldest, bool early)
{
	struct str ids = row_text(oldest, 3);
	enum outcome_kind kind = (enum outcome_kind)sqlite3_column_int(oldest, 2);
	bool dead = outcome_makes_dead_letters(kind);
	struct id_range range = { 0 };

	round->outcomes = mem_grow(round->outcomes, &round->outcome_cap, round->outcome_count + 1,
				   sizeof(*round->outcomes));
	round->outcomes[round->outcome_count++] = sqlite3_column_int64(oldest, 0);
	for (const char *at = ids.s;
	     kind <= OUTCOME_LAST_SETTLING && ids_next(&at, ids.s + ids.len, &range);) {
		round->ranges = mem_grow(round->ranges, &round->range_cap, round->range_count + 1,
					 sizeof(*round->ranges));
		round->ranges[round->range_count++] =
		    (struct sweep_range){ range.first, range.last,
					  dead ? sqlite3_column_int64(oldest, 8) : 0, early };
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
	if (action == REMOVE || action == REMOVE_EARLY)
		gather_outcome(store->sweep, oldest, action == REMOVE_EARLY);
	if (action != STOP)
		store->sweep->after = sqlite3_column_int64(oldest, 0);
	store->sweep->skipped = store->sweep->skipped || action == SKIP;
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

/*
 * How many rows a round takes. To give room: as many as give what is wanted if each gives as much
 * as the average, so that no more history goes than has to.
 */
static size_t
round_rows(const struct sqlite_store *store)
{
	if (!store->sweep->gives_room)
		return ROUND_ROWS;
	uint64_t rows = store->stats.events + store->stats.outcomes + 1,
		 wanted = store->short_by / (store->room.used / rows + 1);
	if (wanted < SHORT_ROUND_ROWS_MIN)
		return SHORT_ROUND_ROWS_MIN;
	return wanted < ROUND_ROWS ? (size_t)wanted : ROUND_ROWS;
}

/* Does one step of gathering. */
static void
gather(struct sqlite_store *store, const struct chores *chores)
{
	struct sweep *round = store->sweep;

	round->gives_room = store->short_of_room && store->stats.events > chores->pending_count;
	size_t enough = gathered_rows(round) + REMOVE_ROWS_MAX;

	for (size_t looks = 0;
	     !round->gathered && looks < REMOVE_ROWS_MAX && gathered_rows(round) < enough; looks++)
		round->gathered =
		    gather_next(store, chores) == STOP || gathered_rows(round) >= round_rows(store);
	if (round->gathered && round->range_count > 0)
		qsort(round->ranges, round->range_count, sizeof(*round->ranges), by_first);
}

/* --- removing --- */

static int
remove_session(struct sqlite_store *store, int64_t session)
{
	sqlite3_bind_int64(store->statement[STATEMENT_REMOVE_SESSION], 1, session);
	return transaction_run(store->statement[STATEMENT_REMOVE_SESSION]);
}

static int
remove_event(struct sqlite_store *store, int64_t id)
{
	sqlite3_stmt *remove = store->statement[STATEMENT_REMOVE_EVENT];

	sqlite3_bind_int64(remove, 1, id);
	int rc = sqlite3_step(remove);
	int64_t session = rc == SQLITE_ROW ? sqlite3_column_int64(remove, 0) : 0;
	size_t text_bytes = rc == SQLITE_ROW ? (size_t)sqlite3_column_int64(remove, 1) : 0;
	if (rc == SQLITE_ROW)
		rc = sqlite3_step(remove);
	sqlite3_reset(remove);
	if (rc != SQLITE_DONE || session == 0)
		return rc == SQLITE_DONE ? SQLITE_OK : rc;
	store->sweep->sessions[store->sweep->removed++] = session;
	store->sweep->removed_bytes += text_bytes;
	return session_rows_remove_event(store, session) ? remove_session(store, session)
							 : SQLITE_OK;
}

/* Counts a dead letter of the session, whose key is read while its row is there. */
static void
note_letter(struct sqlite_store *store, int64_t session)
{
	struct sweep *round = store->sweep;
	struct swept_letters *next = &round->letters[round->letter_count];
	sqlite3_stmt *key = store->statement[STATEMENT_SESSION_KEY];

	if (round->letter_count > 0 && next[-1].session == session) {
		next[-1].count++;
		return;
	}
	round->letter_count++;
	*next = (struct swept_letters){ .session = session, .count = 1 };
	sqlite3_bind_int64(key, 1, session);
	if (sqlite3_step(key) == SQLITE_ROW)
		next->key = arena_dup(&round->letter_keys, row_text(key, 0));
	sqlite3_reset(key);
}

/* A dead letter is removed with its event, and before it. */
static int
remove_dead_letter(struct sqlite_store *store, int64_t id, int64_t session, bool early)
{
	sqlite3_stmt *remove = store->statement[STATEMENT_REMOVE_DEAD_LETTER];

	sqlite3_bind_int64(remove, 1, id);
	int rc = sqlite3_step(remove);
	bool dead = rc == SQLITE_ROW && sqlite3_column_int(remove, 0) != 0;
	store->sweep->dead += dead;
	store->sweep->lost += dead && early;
	if (dead)
		note_letter(store, session);
	if (rc == SQLITE_ROW)
		rc = sqlite3_step(remove);
	sqlite3_reset(remove);
	return rc == SQLITE_DONE ? SQLITE_OK : rc;
}

/* Removes the next few events. */
static int
remove_events(struct sqlite_store *store)
{
	struct sweep *round = store->sweep;
	int rc = SQLITE_OK;

	for (size_t i = 0;
	     rc == SQLITE_OK && i < REMOVE_ROWS_MAX && round->removed_bytes < REMOVE_BYTES_MAX &&
	     round->at.range_at < round->range_count;
	     i++) {
		const struct sweep_range *range = &round->ranges[round->at.range_at];

		if (round->at.next < range->first)
			round->at.next = range->first;
		if (range->dead_in != 0)
			rc =
			    remove_dead_letter(store, round->at.next, range->dead_in, range->early);
		if (rc == SQLITE_OK)
			rc = remove_event(store, round->at.next);
		if (round->at.next++ == range->last)
			round->at.range_at++;
	}
	return rc;
}

static int
remove_outcomes(struct sqlite_store *store)
{
	struct sweep *round = store->sweep;
	int rc = SQLITE_OK;

	for (size_t i = 0;
	     rc == SQLITE_OK && i < OUTCOMES_A_STEP && round->at.outcome_at < round->outcome_count;
	     i++) {
		int64_t target;

		rc = outcome_rows_remove(store, round->outcomes[round->at.outcome_at++], &target);
		if (rc != SQLITE_OK || target == 0)
			continue;
		round->targets[round->released++] = target;
		if (session_rows_release(store, target))
			rc = remove_session(store, target);
	}
	return rc;
}

/* Keeps the newest ids and the latest time, whose rows may be among those that are removed. */
static int
keep_newest(struct sqlite_store *store)
{
	sqlite3_stmt *keep = store->statement[STATEMENT_KEEP_NEWEST];
	const struct store_newest *newest = &store->newest;

	if (memcmp(newest, &store->kept, sizeof(*newest)) == 0)
		return SQLITE_OK;
	sqlite3_bind_int64(keep, 1, newest->event);
	sqlite3_bind_int64(keep, 2, newest->outcome);
	sqlite3_bind_int64(keep, 3, newest->ts_ms);
	return transaction_run(keep);
}

/* Counts the events and moves again that the rollback has brought back. */
static void
restore_counts(struct sqlite_store *store)
{
	for (size_t i = 0; i < store->sweep->removed; i++)
		session_rows_add_event(store, store->sweep->sessions[i]);
	for (size_t i = 0; i < store->sweep->released; i++)
		session_rows_hold(store, store->sweep->targets[i]);
}

/* The step is durable: tells the queue of the dead letters that it has removed. */
static void
tell_removed(const struct sweep *round, const struct chores *chores)
{
	for (size_t i = 0; i < round->letter_count; i++)
		if (round->letters[i].key.s != NULL)
			chores->dead_removed(chores->arg, round->letters[i].key,
					     round->letters[i].count);
}

/* Does one step of removing. False: the disk does not let us, and there is no room to make. */
static bool
remove_step(struct sqlite_store *store, const struct chores *chores)
{
	struct sweep *round = store->sweep;
	/* reported to nobody: a later step tries again, and ready reports a broken store */
	struct error err;
	struct sweep_position before = round->at;

	round->removed = round->removed_bytes = round->released = 0;
	round->dead = round->lost = round->letter_count = 0;
	arena_clear(&round->letter_keys);
	int rc = transaction_begin(store);
	if (rc == SQLITE_OK)
		rc = keep_newest(store);
	if (rc == SQLITE_OK)
		rc = round->at.range_at < round->range_count ? remove_events(store)
							     : remove_outcomes(store);
	if (transaction_end(store, rc, &err) < 0) {
		restore_counts(store);
		round->at = before; /* an outcome must not go before the events that it settled */
		return err.code == ERROR_STORAGE_FULL && checkpoint_make_room(store);
	}
	store->kept = store->newest;
	store->stats.swept += round->removed;
	store->stats.dead_letters -= round->dead;
	tell_removed(round, chores);
	store->base.dead_letters_lost += round->lost;
	store->stats.outcomes -= round->at.outcome_at - before.outcome_at;
	round->progressed = true;
	return true;
}

/*
 * No outcome is left to remove. An outcome that was skipped may have lost its last event since, or
 * be that of a dead letter whose turn it is now: then all are considered once more.
 */
static bool
start_over(struct sweep *round)
{
	bool again = round->skipped && round->progressed;
	bool last_resort =
	    round->skipped && !round->progressed && round->gives_room && !round->takes_dead_letters;

	round->takes_dead_letters = last_resort;
	round->skipped = round->progressed = false;
	round->after = 0;
	begin_round(round);
	return again || last_resort;
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
		more = !round->gathered || round->outcome_count > 0 || start_over(round);
	} else {
		more = remove_step(store, chores);
		if (round->at.outcome_at == round->outcome_count)
			begin_round(round);
	}
	if (!more) { /* the next round begins with the oldest outcome again */
		sweep_free(round);
		store->sweep = NULL;
	}
	return more;
}
