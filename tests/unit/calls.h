/*
 * calls.h - ops as a test writes them: one line submits a call, its answer stays until the test ends.
 *
 * Here: making and submitting ops, how often and in which order they were answered, what an answer holds.
 * Not here: turning the engine; a test does that, since when is often the question.
 */
#ifndef SEVQ_TESTS_CALLS_H
#define SEVQ_TESTS_CALLS_H

#include "queue/engine.h"

#define CALL_DRAFTS_MAX 64

struct call {
	union {
		struct sevq_op op;
		struct sevq_enqueue enqueue;
		struct sevq_drain drain;
		struct sevq_consume consume;
		struct sevq_peek peek;
		struct sevq_find find;
		struct sevq_withdraw withdraw;
		struct sevq_purge purge;
		struct sevq_sessions sessions;
		struct sevq_lend lend;
		struct sevq_lease_op lease;
		struct sevq_wait wait;
		struct sevq_history history;
		struct sevq_requeue requeue;
	};
	struct sevq_draft drafts[CALL_DRAFTS_MAX];
	struct sevq_str ids[CALL_DRAFTS_MAX];
	char id_texts[CALL_DRAFTS_MAX][24], lease_text[24];
	int prepared;    /* times; never after it was answered */
	int answered;    /* times */
	int answered_as; /* the how-manieth answer of all, from 1 */
	struct call *next;
};

/* Frees every call made so far. */
void calls_free(void);

/* Each makes a call and submits it. Text is borrowed. */
struct call *enqueue(struct sevq_engine *engine, const char *key, const char *text);
struct call *enqueue_keyed(struct sevq_engine *engine, const char *key, const char *context_key, const char *text);
struct call *enqueue_draft(struct sevq_engine *engine, struct sevq_draft one);
struct call *enqueue_drafts(struct sevq_engine *engine, const struct sevq_draft *drafts, size_t count);
struct call *drain(struct sevq_engine *engine, const char *key, size_t limit);
struct call *drain_prefix(struct sevq_engine *engine, const char *key, const char *prefix);
struct call *consume(struct sevq_engine *engine, const char *key, const int64_t *ids, size_t count);
struct call *peek(struct sevq_engine *engine, const char *key);
struct call *peek_page(struct sevq_engine *engine, const char *key, size_t limit, const char *after);
struct call *find_event(struct sevq_engine *engine, int64_t id);
struct call *withdraw(struct sevq_engine *engine, int64_t id);
struct call *purge(struct sevq_engine *engine, const char *key, const char *context_key);
struct call *list_sessions(struct sevq_engine *engine, struct sevq_sessions input); /* op is filled in here */

/* Takes up to limit events (0: all) under a lease of lease_ms; lend_as as its input says (op is filled in here). */
struct call *lend(struct sevq_engine *engine, const char *key, size_t limit, int64_t lease_ms);
struct call *lend_as(struct sevq_engine *engine, struct sevq_lend input);
/* ids NULL: all that the lease holds. change_lease: as its input says, besides lease and ids. */
struct call *ack(struct sevq_engine *engine, int64_t lease, const int64_t *ids, size_t count);
struct call *nack(struct sevq_engine *engine, int64_t lease, const int64_t *ids, size_t count);
struct call *extend(struct sevq_engine *engine, int64_t lease, const int64_t *ids, size_t count, int64_t lease_ms);
struct call *change_lease(struct sevq_engine *engine, struct sevq_lease_op input, int64_t lease, const int64_t *ids, size_t count);
struct call *wait_for(struct sevq_engine *engine, const char *key);
struct call *list_history(struct sevq_engine *engine, struct sevq_history input); /* op is filled in here */
struct call *requeue(struct sevq_engine *engine, const int64_t *ids, size_t count, int64_t spacing_ms, bool dry_run);

/* A draft with what most tests say about one. */
struct sevq_draft draft(const char *key, const char *text);

/* NULL: absent. */
void assert_str(struct sevq_str have, const char *want);
/* The list holds events with these texts, in this order; want is "one two three". */
void assert_texts(const struct sevq_event_list *list, const char *want);

#endif
