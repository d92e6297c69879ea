/*
 * engine.h - admission, batching and durability: the queue, to whoever speaks HTTP.
 *
 * Here: ops in, answers out. Ops that arrive in one turn of the caller's loop are carried out as
 * one batch, as far as a turn has room for them: one transaction, one fsync, then the answers.
 * Single-threaded; nothing here blocks but the store.
 * Not here: HTTP, JSON, SQL, the loop: its owner calls engine_turn, and again when engine_due_ms
 * says.
 */
#ifndef QUEUE_ENGINE_H
#define QUEUE_ENGINE_H

#include "queue/op.h"
#include "queue/options.h"
#include "queue/policy/policy.h"
#include "queue/policy/route.h"
#include "queue/stats.h"
#include "queue/store.h"
#include "queue/strands.h"

struct engine;

/*
 * Opens an engine over a store and starts to load the store's pending events. Takes ownership of
 * store and policy on success only. With a store that loads at once (SQLite), the load has ended
 * when this returns, and its failure is returned. With another, engine_is_busy holds until the load
 * has ended, then engine_stopped if it has failed; ops that are submitted before wait for it.
 */
int engine_open(struct store *store, struct policy *policy, const struct engine_options *options,
		struct engine **ret, struct error *err);

/*
 * Closes the store (checkpoint). Call it when engine_idle: no op is answered any more, and waiting
 * ops are the caller's again. Accepts NULL.
 */
void engine_close(struct engine *engine);

/*
 * Takes the op into the next batch. It comes back through op->done during a later engine_turn,
 * never before.
 */
void engine_submit(struct engine *engine, struct op *op);

/*
 * The end of a loop turn: carries out what was submitted, commits, answers. What is too much work
 * for one turn stays submitted for later ones, while engine_has_work holds; small ops then pass
 * large ones (budget.h). Carries out nothing while engine_is_busy, nor in the turn that
 * engine_chores has kept for a step of its own. With a store that calls back late, the answers come
 * when it does. Returns -1 with ERROR_STORAGE_UNKNOWN when the outcome of a commit is unknown:
 * nothing of that batch was answered, and the process must exit without answering (DESIGN C8);
 * every later call fails the same way.
 */
int engine_turn(struct engine *engine, struct error *err);

/*
 * Whether the engine has stopped for good, with the reason: any call to the store has ended with
 * ERROR_STORAGE_UNKNOWN, or the load has failed. No request may be answered any more (DESIGN C8),
 * and every later turn fails.
 */
bool engine_stopped(const struct engine *engine, struct error *err);

/*
 * Returns the milliseconds until the next lease, delay or time to live ends (0: it has ended); -1:
 * none is running, or the engine is busy. The caller calls engine_turn then.
 */
int64_t engine_due_ms(const struct engine *engine);

/*
 * Ends the wait of an op. True: the op was parked, and is the caller's again without a call of
 * done. False: done is still called, in this turn or the next, also if nothing is deliverable; or,
 * if the op is parked and a batch is under way, nothing has happened: call again after the batch.
 */
bool engine_cancel_wait(struct engine *engine, struct op *op);

/*
 * Sets the function that is called, before the answers of a batch, for every queue in which events
 * became deliverable. The commit may not be durable yet: tell no client before the turn has ended,
 * and only if it succeeded. now: at least one of the events asked for wake "now". source: that of
 * the newest event; NULL if the events came back from a lease. Text is borrowed.
 */
void engine_on_wake(struct engine *engine, wake_callback *woken, void *arg);

/*
 * Sets the function that is called for every queue that a batch has changed, at which an op has
 * begun to wait or stopped, or whose key leads elsewhere than it did; NULL: none. As with
 * engine_on_wake: the commit may not be durable yet.
 */
void engine_on_change(struct engine *engine, change_callback *changed, void *arg);

/* How a queue is now. Not while engine_is_busy. All zero: nothing is pending in it. */
struct queue_figures {
	size_t depth, ready, leased, delayed, waiters;
	int64_t ready_since_ts_ms; /* 0: it is not ready */
	struct str routes_to;      /* as struct session; borrowed until the next turn */
};
struct queue_figures engine_figures(const struct engine *engine, struct str queue_key);

/*
 * Calls each for some of the queues that have deliverable events, the next ones of a scan that
 * meets every queue (table.h), and returns how many queues it has looked at: about
 * DELIVERABLE_SLOTS. Not while engine_is_busy.
 */
#define DELIVERABLE_SLOTS 64
size_t engine_scan_deliverable(const struct engine *engine, struct table_scan *at,
			       wake_callback *each, void *arg);

/* How many events of the queue are deliverable. Not while engine_is_busy. */
size_t engine_deliverable(const struct engine *engine, struct str queue_key);

/* Whether one of these asked for wake "now". Not while engine_is_busy. */
bool engine_has_urgent(const struct engine *engine, struct str queue_key);

/*
 * agents.defaults.userTimezone of the policy in force, for prompts (ROUTING section 8). NULL:
 * absent.
 */
struct str engine_timezone(const struct engine *engine);

/* The gates for webhooks of the policy in force; borrowed until the next policy. */
const struct hook_gates *engine_hook_gates(const struct engine *engine);

/*
 * Whether the load, a batch or a chore waits for the store to call back. Never between turns with a
 * store that calls back at once (SQLite).
 */
bool engine_is_busy(const struct engine *engine);

/* Whether every submitted op is answered or parked, and the engine is not busy. */
bool engine_idle(const struct engine *engine);

/* Whether a turn now would do work. False while busy, so that the loop does not spin. */
bool engine_has_work(const struct engine *engine);

/*
 * Sets how much memory, in bytes, the answers of each batch from the next on may need together
 * until they are sent; no limit at first. A call gets fewer events where that is enough; else it
 * fails with ERROR_QUEUE_FULL, and nothing has changed. Small answers do not. The first of its
 * batch may exceed it if that is said, up to engine_options.answer_bytes_max.
 */
void engine_set_answer_budget(struct engine *engine, size_t bytes, bool first_may_exceed);

/* Lets no further stranded queues be moved but by calls: the engine is about to be closed. */
void engine_stop_rekeying(struct engine *engine);

/*
 * Starts one small step of housekeeping (checkpoint, sweep, judging which queues are stranded, and
 * moving these), unless the engine is busy. A step has the next turn to itself, in which
 * engine_turn carries out no ops, after a turn of much work, and where the store asks for it
 * (needs_turn). True: call this again next turn, because the step waits for it, or has ended and
 * there is more to do. If the step ends later, engine_has_work says whether there is more.
 */
bool engine_chores(struct engine *engine);

/*
 * Decides under the policy in force, as enqueueing would; stores nothing. ERROR_INVALID_FIELD, or
 * as route_decide.
 */
int engine_route(const struct engine *engine, const struct address *address, struct arena *arena,
		 struct decision *ret, struct error *err);

/* What the policy in force says, for people; borrowed until the next policy. */
const struct policy_summary *engine_policy(const struct engine *engine);

/* What the policy in force strands. */
struct strands engine_strands(const struct engine *engine);

/*
 * Begins to judge all queues under a policy that stays out of force, which is taken over; chores do
 * it. A trial before it ends. engine_trial returns the trial, with what it has found so far, until
 * engine_end_trial; NULL: there is none.
 */
void engine_try_policy(struct engine *engine, struct policy *policy);
const struct trial *engine_trial(const struct engine *engine);
void engine_end_trial(struct engine *engine);

/*
 * Puts another policy in force for ops not yet carried out; the old one is freed. Queued events
 * stay where they are; chores then judge which queues are stranded (strand.h), and, if
 * options.rekey_on_reload, move their events.
 */
void engine_set_policy(struct engine *engine, struct policy *policy);

/*
 * Reads the counters since start and the present state. While the engine is busy, the present state
 * is that of the last reading.
 */
void engine_stats(struct engine *engine, struct engine_stats *ret);

/* Begins a backup, as store_driver.backup; chores make it. Not while engine_is_busy. */
int engine_backup(struct engine *engine, const char *path, struct error *err);

/* The store, whose fields say how it is between turns (struct store in queue/store.h). */
const struct store *engine_store(const struct engine *engine);

/*
 * How often the wall clock was found to have jumped by more than a minute since the engine was
 * opened, a wrong clock at the opening included; *by_ms: the last time, below 0 is back.
 */
uint64_t engine_clock_jumps(const struct engine *engine, int64_t *by_ms);

/* Whether an enqueue could be stored now. False: err says why not (store failed or full). */
bool engine_ready(const struct engine *engine, struct error *err);

#endif
