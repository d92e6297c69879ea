/*
 * engine.h - admission, batching and durability: the queue, to whoever speaks HTTP.
 *
 * Here: ops in, answers out. Ops that arrive in one turn of the caller's loop are carried out in
 * order as one batch: one transaction, one fsync, then the answers. Single-threaded; nothing here
 * blocks but the store.
 * Not here: HTTP, JSON, timers (the caller owns the loop and calls turn), SQL.
 */
#ifndef QUEUE_ENGINE_H
#define QUEUE_ENGINE_H

#include "queue/op.h"
#include "queue/policy/policy.h"
#include "queue/policy/route.h"
#include "queue/store.h"

struct engine;

enum overflow { OVERFLOW_REJECT, OVERFLOW_DROP_OLDEST };

struct engine_options {
	size_t batch_events_max;    /* drafts in one enqueue */
	size_t session_pending_max; /* events in one session */
	size_t sessions_max;        /* sessions with something pending */
	size_t pending_max;         /* events in all */
	enum overflow overflow;
	int attempts_max;      /* failed deliveries before an event becomes a dead letter; 1..255 */
	int64_t retention_ms;  /* how long settled events stay on disk */
	size_t retention_rows; /* how many at the most */
	/* of memory for the events appended last, so that the young are not read back; 0: none */
	size_t recent_bytes;
};

/* The defaults of DESIGN section 3. */
void engine_options_init(struct engine_options *options);

/*
 * Opens over a store and rebuilds the catalog from it. Takes store and policy over on success only.
 */
int engine_open(struct store *store, struct policy *policy, const struct engine_options *options,
		struct engine **ret, struct error *err);

/*
 * Answers nothing more: call it when nothing is submitted; ops that still wait to be woken are the
 * caller's again. Closes the store (checkpoint). Accepts NULL.
 */
void engine_close(struct engine *engine);

/*
 * Takes the op into the next batch. It comes back through op->done during a later engine_turn,
 * never before.
 */
void engine_submit(struct engine *engine, struct op *op);

/*
 * The end of a loop turn: carries out everything submitted, commits, answers. Returns -1 with
 * ERROR_STORAGE_UNKNOWN when the outcome of a commit is unknown: nothing of that batch was
 * answered, and the process must exit without answering (C8); every later call fails the same way.
 */
int engine_turn(struct engine *engine, struct error *err);

/*
 * Whether a turn or a chore has left the store in an unknown state (ERROR_STORAGE_UNKNOWN): nobody
 * may be answered any more (C8), and every later turn fails.
 */
bool engine_stopped(const struct engine *engine, struct error *err);

/*
 * When time has something to do next, in milliseconds from now (0: at once); -1: nothing is due.
 * The caller sees to it that turn is called then.
 */
int64_t engine_due_ms(const struct engine *engine);

/*
 * Takes back an op that waits to be woken: true, and the op is the caller's again without done
 * having been called. False: it does not wait, and comes back by itself in this turn or the next,
 * with nothing to have if there is nothing.
 */
bool engine_cancel_wait(struct engine *engine, struct op *op);

/*
 * Hears of every queue in which something became deliverable, before the answers. The commit may
 * not be durable yet: nobody is to be told of it before the turn is over, and then only if it
 * succeeded. now: some of it asked for wake "now"; source: of the newest event, NULL when it was a
 * lease that ended or a consumer that gave something back. Text borrowed.
 */
typedef void wake_callback(void *arg, struct str queue_key, size_t deliverable, bool now,
			   struct str source);
void engine_on_wake(struct engine *engine, wake_callback *woken, void *arg);

/*
 * Tells of every queue that has something deliverable, as it stands between turns: a wake is a
 * level, not an edge.
 */
void engine_each_deliverable(const struct engine *engine, wake_callback *each, void *arg);

/* How many events of the queue are deliverable, between turns. */
size_t engine_deliverable(const struct engine *engine, struct str queue_key);

/*
 * agents.defaults.userTimezone of the policy in force, for prompts (ROUTING section 8). NULL:
 * absent.
 */
struct str engine_timezone(const struct engine *engine);

/* What the policy in force lets the senders of webhooks ask for; borrowed until the next policy. */
const struct hook_gates *engine_hook_gates(const struct engine *engine);

bool engine_idle(const struct engine *engine); /* nothing submitted and not yet answered */

/*
 * How much text the answers of the next batches may hold together, in bytes; at first any. A call
 * beyond it fails with ERROR_QUEUE_FULL, but never the first of its batch.
 */
void engine_set_answer_budget(struct engine *engine, size_t text_bytes);

/*
 * One small step of housekeeping (checkpoint, sweep). True if there is more to do: call it again
 * next turn.
 */
bool engine_chores(struct engine *engine);

/*
 * Decides under the policy in force, as enqueueing would; stores nothing. ERROR_INVALID_FIELD, or
 * as route_decide.
 */
int engine_route(const struct engine *engine, const struct address *address, struct arena *arena,
		 struct decision *ret, struct error *err);

/*
 * Puts another policy in force for ops not yet carried out; the old one is freed. Queued events
 * stay where they are.
 */
void engine_set_policy(struct engine *engine, struct policy *policy);

/* Counters since start, and the present state. Reading walks over all queues. */
struct engine_stats {
	uint64_t outcomes[OUTCOME_COUNT]; /* events, by what happened to them */
	uint64_t enqueued, duplicates;    /* events */
	/* calls */
	uint64_t rejected_session_full, rejected_sessions_full, rejected_pending_full,
	    rejected_storage_full;
	/* calls, for want of room */
	uint64_t rejected_answers;
	/* ops: all kinds, reads included */
	uint64_t commits, commit_failures, ops;
	/* the largest batch, in ops */
	size_t batch_ops_max;
	/* time spent in commits */
	uint64_t commit_us_total;
	size_t pending, sessions, leased_now, delayed_now, leases, waiters; /* now */
	/* of all pending events; 0 when there are none */
	int64_t oldest_ts_ms;
	/* memory of the catalog */
	size_t catalog_bytes;
	/* memory of recent events */
	size_t recent_bytes;
	/* events for answers: from there; from the store */
	uint64_t recent_hits, recent_misses;
	struct store_stats store;
};
void engine_stats(const struct engine *engine, struct engine_stats *ret);

/* False with the reason when enqueue could not be taken now (store failed or full). */
bool engine_ready(const struct engine *engine, struct error *err);

#endif
