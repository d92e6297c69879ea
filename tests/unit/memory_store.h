/*
 * memory_store.h - a storage driver in memory, for tests of what stands above it.
 *
 * Here: a driver that keeps events, outcomes and keys in arrays, answers at once or when the test says so, and fails when told to.
 * A test reads and sets the fields; nothing is hidden.
 */
#ifndef SEVQ_TESTS_MEMORY_STORE_H
#define SEVQ_TESTS_MEMORY_STORE_H

#include "queue/store.h"

struct memory_store {
	struct sevq_store base;
	struct sevq_arena arena; /* holds what was committed */

	struct sevq_store_event *events; /* what is durable; session is NULL */
	size_t event_count, event_cap;
	struct sevq_store_outcome *outcomes; /* session has the key only */
	size_t outcome_count, outcome_cap;
	struct sevq_store_key *keys;
	size_t key_count, key_cap;
	struct sevq_store_context *contexts; /* one a session that ever had one; session has the key only */
	size_t context_count, context_cap;
	size_t commits, reads, chores; /* calls so far */

	bool defer;                  /* keep each callback until memory_store_release */
	enum sevq_code commit_fails; /* this and later commits end so; nothing is kept */
	bool fails_late;             /* and when the batch is written; then it is kept */
	bool full_for_events;        /* commits with events end with SEVQ_STORAGE_FULL */
	enum sevq_code read_fails;   /* every read ends so */
	int64_t missing_id;          /* this event is passed over by reads */
	enum sevq_code not_ready;    /* what ready answers */
	enum sevq_code load_fails;

	/* The call under way, if deferred. */
	struct sevq_store_batch *batch;
	sevq_commit_written *commit_written;
	sevq_commit_done *commit_done;
	const int64_t *read_ids;
	size_t read_count;
	sevq_read_event *read_each;
	const struct sevq_lookup *lookups;
	size_t lookup_count;
	sevq_lookup_found *found;
	sevq_history_done *page_done;
	sevq_read_done *read_done, *lookup_done;
	void *arg;
	bool closed_by_engine; /* set by close, for a store on the stack of a test that looks afterwards */
};

/* Closing it through the driver leaves what is durable; memory_store_clear frees that. */
void memory_store_init(struct memory_store *store);
void memory_store_clear(struct memory_store *store);

/* Carries out the call under way and calls back. False: none is. */
bool memory_store_release(struct memory_store *store);

/* Whether an outcome of this kind names the event. */
bool memory_store_settled(const struct memory_store *store, int64_t id, enum sevq_outcome_kind kind);

#endif
