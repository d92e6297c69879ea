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
#include "queue/options.h"
#include "queue/policy/policy.h"
#include "queue/policy/route.h"
#include "queue/stats.h"
#include "queue/store.h"

struct engine;

/*
 * Opens over a store and starts to load what it has. Takes store and policy over on success only. A
 * store that loads at once (SQLite) has loaded when this returns, or failed; another goes on:
 * engine_is_busy until it is over, and engine_stopped where it has failed. Ops submitted before
 * wait.
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
 * Whether any call has left the store in an unknown state (ERROR_STORAGE_UNKNOWN): nobody may be
 * answered any more (C8), and every later turn fails.
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
 * with nothing to have if there is nothing; or a batch is under way: ask again after it.
 */
bool engine_cancel_wait(struct engine *engine, struct op *op);

/*
 * Hears of every queue in which something became deliverable, before the answers. The commit may
 * not be durable yet: nobody is to be told of it before the turn is over, and then only if it
 * succeeded. now: some of it asked for wake "now"; source: of the newest event, NULL when it was a
 * lease that ended or a consumer that gave something back. Text borrowed.
 */
void engine_on_wake(struct engine *engine, wake_callback *woken, void *arg);

/*
 * Tells of every queue that has something deliverable: a wake is a level, not an edge. Not while
 * engine_is_busy.
 */
void engine_each_deliverable(const struct engine *engine, wake_callback *each, void *arg);

/* How many events of the queue are deliverable. Not while engine_is_busy. */
size_t engine_deliverable(const struct engine *engine, struct str queue_key);

/*
 * agents.defaults.userTimezone of the policy in force, for prompts (ROUTING section 8). NULL:
 * absent.
 */
struct str engine_timezone(const struct engine *engine);

/* What the policy in force lets the senders of webhooks ask for; borrowed until the next policy. */
const struct hook_gates *engine_hook_gates(const struct engine *engine);

/*
 * The load, a batch or a chore is under way in the store, which calls back from the loop. Never
 * between turns with a store that answers at once (SQLite).
 */
bool engine_is_busy(const struct engine *engine);

/* Nothing is submitted and not yet answered, and nothing is under way. */
bool engine_idle(const struct engine *engine);

/* A turn now would do something; false while something is under way, so that nobody spins. */
bool engine_has_work(const struct engine *engine);

/*
 * How much text the answers of the next batches may hold together, in bytes; at first any. A call
 * beyond it fails with ERROR_QUEUE_FULL, but never the first of its batch.
 */
void engine_set_answer_budget(struct engine *engine, size_t text_bytes);

/*
 * Starts one small step of housekeeping (checkpoint, sweep), unless something is under way. True:
 * it is over and there is more to do, call it again next turn; where it ends later, engine_has_work
 * says whether there is.
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

/*
 * Counters since start, and the present state; while something is under way, as they stood when
 * they were last read without. Reading walks over all queues.
 */
void engine_stats(struct engine *engine, struct engine_stats *ret);

/* What the store says about itself between turns: struct store (queue/store.h). */
const struct store *engine_store(const struct engine *engine);

/* False with the reason when enqueue could not be taken now (store failed or full). */
bool engine_ready(const struct engine *engine, struct error *err);

#endif
