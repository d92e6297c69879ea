/*
 * memory_store.h - a storage driver in memory, for tests of what stands above it.
 *
 * Here: a driver that keeps events, outcomes and keys in arrays, answers at once or when the test
 * says so, and fails when told to. A test reads and sets the fields; nothing is hidden.
 */
#ifndef TESTS_MEMORY_STORE_H
#define TESTS_MEMORY_STORE_H

#include "queue/store.h"

struct memory_store {
	struct store base;
	struct arena arena; /* holds committed texts */

	struct store_event *events; /* the committed events; session is NULL */
	size_t event_count, event_cap;
	struct store_outcome *outcomes; /* session has the key only */
	size_t outcome_count, outcome_cap;
	struct store_key *keys;
	size_t key_count, key_cap;
	/* one per session that ever had a last context; session has the key only */
	struct store_context *contexts;
	size_t context_count, context_cap;
	struct clock_marks marks;
	int64_t steady_ms; /* as it was stored last; 0: never */
	size_t followed;   /* events that were read with the queue that they were moved to */
	size_t commits, asks, reads, chores; /* calls so far; asks: commits of empty batches */

	bool defer; /* keep each callback until memory_store_release */
	/* with defer: a commit is released twice, when it is written and when it is durable */
	bool defer_durable;
	enum error_code commit_fails; /* this and later commits end so; nothing is kept */
	bool fails_late;              /* and when the batch is written; then it is kept */
	bool full_for_events;         /* commits with events end with ERROR_STORAGE_FULL */
	bool gives_way;               /* those set base.makes_room, too */
	enum error_code read_fails;   /* every read and lookup ends so */
	int64_t missing_id;           /* this event is passed over by reads */
	enum error_code not_ready;    /* what ready answers */
	enum error_code load_fails, page_fails, chores_fail;
	enum error_code ask_fails; /* commits of empty batches end so */

	/* The call under way, if deferred. */
	struct store_batch *batch;
	commit_written *commit_written;
	commit_done *commit_done;
	const struct wanted_event *wanted;
	size_t read_count;
	read_event *read_each;
	const struct lookup *lookups;
	size_t lookup_count;
	lookup_found *found;
	history_done *page_done;
	read_done *read_done, *lookup_done;
	const struct store_loading *loading;
	struct store_newest *newest;
	load_ended *load_done;
	chores_done *chores_done;
	enum error_code commit_code; /* of the commit that is written */
	void *arg;
	/* set by close, for a test that looks at the store afterwards */
	bool closed_by_engine;
};

/* Closing the store as a driver keeps its contents; memory_store_clear frees them. */
void memory_store_init(struct memory_store *store);
void memory_store_clear(struct memory_store *store);

/* Carries out the deferred call and calls back. False when there is none. */
bool memory_store_release(struct memory_store *store);

/* Whether an outcome of this kind lists the event. */
bool memory_store_settled(const struct memory_store *store, int64_t id, enum outcome_kind kind);

#endif
