/*
 * calls.h - ops as a test writes them: one line submits a call, its answer stays until the test
 * ends.
 *
 * Here: making and submitting ops, how often and in which order they were answered, what an answer
 * holds.
 * Not here: turning the engine; a test does that, since when is often the question.
 */
#ifndef TESTS_CALLS_H
#define TESTS_CALLS_H

#include "queue/engine.h"

#define CALL_DRAFTS_MAX 64

struct call {
	union {
		struct op op;
		struct enqueue_op enqueue;
		struct drain_op drain;
		struct consume_op consume;
		struct peek_op peek;
		struct find_op find;
		struct withdraw_op withdraw;
		struct purge_op purge;
		struct sessions_op sessions;
		struct census_op census;
		struct lease_take_op lease_take;
		struct lease_change_op lease;
		struct lease_release_op lease_release;
		struct lease_list_op lease_list;
		struct wait_op wait;
		struct history_op history;
		struct requeue_op requeue;
		struct discard_op discard;
		struct rekey_op rekey;
	};
	struct draft drafts[CALL_DRAFTS_MAX];
	struct str ids[CALL_DRAFTS_MAX];
	char id_texts[CALL_DRAFTS_MAX][24], lease_text[24];
	int prepared;    /* how often the answer was prepared; never after it was answered */
	int answered;    /* how often the call was answered */
	int answered_as; /* its number among all answers of the test, from 1 */
	struct call *next;
};

/* Frees every call made so far. */
void calls_free(void);

/* Each makes a call and submits it. Text is borrowed. */
struct call *enqueue(struct engine *engine, const char *key, const char *text);
struct call *enqueue_keyed(struct engine *engine, const char *key, const char *context_key,
			   const char *text);
struct call *enqueue_draft(struct engine *engine, struct draft one);
struct call *enqueue_drafts(struct engine *engine, const struct draft *drafts, size_t count);
struct call *drain(struct engine *engine, const char *key, size_t limit);
struct call *drain_prefix(struct engine *engine, const char *key, const char *prefix);
struct call *consume(struct engine *engine, const char *key, const int64_t *ids, size_t count);
struct call *peek(struct engine *engine, const char *key);
struct call *peek_page(struct engine *engine, const char *key, size_t limit, const char *after);
struct call *find_event(struct engine *engine, int64_t id);
struct call *withdraw(struct engine *engine, int64_t id);
struct call *purge(struct engine *engine, const char *key, const char *context_key);
/* its op is filled in here */
struct call *list_sessions(struct engine *engine, struct sessions_op input);
struct call *take_census(struct engine *engine);

/*
 * Takes up to limit events (0: all) under a lease of lease_ms. take_lease_as takes all options from
 * its input, whose op is filled in here.
 */
struct call *take_lease(struct engine *engine, const char *key, size_t limit, int64_t lease_ms);
struct call *take_lease_as(struct engine *engine, struct lease_take_op input);
/* ids NULL: all events of the lease. change_lease takes all other options from its input. */
struct call *ack(struct engine *engine, int64_t lease, const int64_t *ids, size_t count);
struct call *nack(struct engine *engine, int64_t lease, const int64_t *ids, size_t count);
struct call *extend(struct engine *engine, int64_t lease, const int64_t *ids, size_t count,
		    int64_t lease_ms);
struct call *change_lease(struct engine *engine, struct lease_change_op input, int64_t lease,
			  const int64_t *ids, size_t count);
struct call *release_leases(struct engine *engine, const char *consumer);
/* its op is filled in here */
struct call *list_leases(struct engine *engine, struct lease_list_op input);
struct call *wait_for(struct engine *engine, const char *key);
/* its op is filled in here */
struct call *list_history(struct engine *engine, struct history_op input);
struct call *requeue(struct engine *engine, const int64_t *ids, size_t count, int64_t spacing_ms,
		     bool dry_run);
struct call *discard(struct engine *engine, const int64_t *ids, size_t count, bool dry_run);

/* its op is filled in here; limit 0: the default */
struct call *rekey(struct engine *engine, struct rekey_op input);

/* A draft with the two fields that most tests need. */
struct draft draft(const char *key, const char *text);

/* want NULL: have is absent. */
void assert_str(struct str have, const char *want);
/* Equal as JSON: every field, and whether the thread is a number. */
void assert_delivery(const struct delivery *have, const struct delivery *want);
/* The list's texts in order, joined by blanks, are want: "one two three". */
void assert_texts(const struct system_event_list *list, const char *want);

#endif
