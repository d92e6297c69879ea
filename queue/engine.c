/*
 * engine.c - opening, the turn, policies, chores, waiting, and what is counted.
 *
 * The state (state.h) outlives every batch; the batch (batch.h) changes it. Three things can be
 * waiting for the store: the load, a batch, a chore. Only one does at a time, and meanwhile nothing
 * else reads or changes the catalog: functions of the engine that need it return older figures, or
 * refuse, or must not be called (engine.h says which).
 */
#include "queue/engine.h"

#include <assert.h>
#include <stdlib.h>

#include "queue/batch.h"
#include "queue/clock.h"
#include "queue/load.h"
#include "queue/strand.h"

struct engine {
	struct store *store; /* NULL until engine_open succeeds */
	struct queue_state state;
	struct batch batch;
	struct policy *next_policy; /* in force from the next batch on; NULL: no change */
	struct load load;
	bool loading;
	struct chores chores; /* of the step under way; the store borrows it */
	bool chore_under_way, more_chores;
	bool chores_alone;     /* have the next turn to themselves */
	bool judged_last;      /* the last chore judged queues, so the store's is next */
	struct rekey_op rekey; /* moves what a new policy strands, some in each turn */
	bool rekey_wanted, rekey_under_way;
	int64_t rekey_after_ms;    /* since the boot; 0: at once */
	int64_t kept_steady_ms;    /* when the time was stored last */
	struct engine_stats stats; /* as last read while the engine was not busy */
};

/* --- opening --- */

static void
on_loaded(void *arg, const struct error *err)
{
	struct engine *engine = arg;

	engine->loading = false;
	engine->kept_steady_ms = engine->state.steady.steady_ms;
	if (err != NULL)
		engine->state.stopped = *err;
	strand_begin(&engine->state);
}

int
engine_open(struct store *store, struct policy *policy, const struct engine_options *options,
	    struct engine **ret, struct error *err)
{
	struct engine *engine = mem_alloc(sizeof(*engine));

	state_init(&engine->state, options);
	batch_init(&engine->batch, &engine->state);
	engine->loading = true;
	load_start(&engine->load, &engine->state, store, on_loaded, engine);
	if (!engine->loading && engine_stopped(engine, err)) {
		engine_close(engine);
		return -1;
	}
	engine->store = engine->batch.store = store;
	engine->state.policy = policy;
	*ret = engine;
	return 0;
}

/* The time for the store to keep. */
static struct store_time
time_to_keep(const struct queue_state *state)
{
	const struct clock_marks *marks = &state->steady.marks;

	return (struct store_time){ .steady_ms = state->steady.steady_ms,
				    .mark = state->steady.unstored ? &marks->items[marks->count - 1]
								   : NULL };
}

static void
close_store(struct engine *engine)
{
	struct queue_state *state = &engine->state;
	bool known = !engine->loading && state->stopped.code == ERROR_NONE;

	if (known)
		state_read_clocks(state);
	struct store_time time = time_to_keep(state);
	engine->store->driver->close(engine->store, known ? &time : NULL);
}

void
engine_close(struct engine *engine)
{
	if (engine == NULL)
		return;
	if (engine->store != NULL)
		close_store(engine);
	policy_free(engine->next_policy);
	batch_clear(&engine->batch);
	op_clear(&engine->rekey.op);
	strand_end_trial(&engine->state);
	state_clear(&engine->state);
	free(engine);
}

bool
engine_stopped(const struct engine *engine, struct error *err)
{
	if (engine->state.stopped.code == ERROR_NONE)
		return false;
	*err = engine->state.stopped;
	return true;
}

bool
engine_is_busy(const struct engine *engine)
{
	return engine->loading || engine->chore_under_way || batch_is_under_way(&engine->batch);
}

/* --- the turn --- */

void
engine_submit(struct engine *engine, struct op *op)
{
	op_list_add(&engine->state.submitted, op);
}

/*
 * Puts the next policy in force, between batches only: answers of a batch may borrow text from the
 * policy that routed them. Waiting ops are planned again, because their keys may be routed to other
 * queues now.
 */
static void
adopt_policy(struct engine *engine)
{
	if (engine->next_policy == NULL || engine_is_busy(engine))
		return;
	policy_free(engine->state.policy);
	engine->state.policy = engine->next_policy;
	engine->next_policy = NULL;
	route_cache_clear(&engine->state.route_cache);
	strand_begin(&engine->state);
	engine->rekey_wanted = engine->state.options.rekey_on_reload;
	state_wake_all_waiters(&engine->state);
}

void
engine_set_policy(struct engine *engine, struct policy *policy)
{
	policy_free(engine->next_policy);
	engine->next_policy = policy;
	adopt_policy(engine);
}

int
engine_turn(struct engine *engine, struct error *err)
{
	struct queue_state *state = &engine->state;

	if (engine->chores_alone)
		return engine_stopped(engine, err) ? -1 : 0;
	adopt_policy(engine);
	engine->batch.budget = (struct budget){ 0 };
	do {
		state->turn_again = false;
		if (state->stopped.code == ERROR_NONE && !engine_is_busy(engine))
			batch_start(&engine->batch);
	} while (state->turn_again && !engine_is_busy(engine) && state->stopped.code == ERROR_NONE);
	return engine_stopped(engine, err) ? -1 : 0;
}

int64_t
engine_due_ms(const struct engine *engine)
{
	int64_t due = state_due_boot_ms(&engine->state), now = clock_now().boot_ms;

	if (due == INT64_MAX || engine_is_busy(engine) || engine->state.stopped.code != ERROR_NONE)
		return -1;
	return due > now ? due - now : 0;
}

bool
engine_idle(const struct engine *engine)
{
	return engine->state.submitted.count == 0 && !engine_is_busy(engine);
}

static bool
rekey_is_due(const struct engine *engine)
{
	return engine->rekey_wanted && !engine->rekey_under_way &&
	       (engine->rekey_after_ms == 0 || clock_now().boot_ms >= engine->rekey_after_ms);
}

static bool
has_more_chores(const struct engine *engine)
{
	const struct queue_state *state = &engine->state;

	return engine->more_chores || rekey_is_due(engine) ||
	       state->catalog.walks[WALK_JUDGE].left > 0 ||
	       (state->trial != NULL && !state->trial->strands.complete);
}

bool
engine_has_work(const struct engine *engine)
{
	return !engine_is_busy(engine) && engine->state.stopped.code == ERROR_NONE &&
	       (engine->state.submitted.count > 0 || has_more_chores(engine));
}

void
engine_set_answer_budget(struct engine *engine, size_t bytes, bool first_may_exceed)
{
	engine->batch.answer_budget = bytes;
	engine->batch.answer_alone = first_may_exceed;
}

/* --- chores --- */

/* The time is stored as often as this, where only that tells it after the machine has gone. */
#define KEEP_TIME_MS 60000 /* while a delay, a lease or a time to live runs */
#define KEEP_TIME_IDLE_MS 3600000

static bool
should_keep_time(const struct engine *engine)
{
	const struct queue_state *state = &engine->state;
	bool due_some_day = timers_first(&state->timers) != NULL;
	int64_t passed_ms = state->steady.steady_ms - engine->kept_steady_ms;

	return state->stored_event > 0 &&
	       passed_ms >= (due_some_day ? KEEP_TIME_MS : KEEP_TIME_IDLE_MS);
}

static void
on_chores_done(void *arg, bool more, const struct error *err)
{
	struct engine *engine = arg;

	engine->chore_under_way = false;
	engine->more_chores = more;
	if (err != NULL && err->code == ERROR_STORAGE_UNKNOWN)
		engine->state.stopped = *err;
}

static void
on_dead_removed(void *arg, struct str key, size_t count)
{
	dead_letters_remove(&((struct engine *)arg)->state.catalog.dead, key, count);
}

static void
run_store_chore(struct engine *engine)
{
	struct queue_state *state = &engine->state;

	state_read_clocks(state);
	int64_t now_ms = steady_proven_ms(&state->steady);
	engine->chores = (struct chores){
		.settled_before_ms = now_ms - state->options.retention_ms,
		.settled_rows_max = state->options.retention_rows,
		.keys_before_ms = now_ms - IDEMPOTENCY_MS,
		.pending_count = state->catalog.pending,
		.time = time_to_keep(state),
		.keep_time = should_keep_time(engine),
		.dead_removed = on_dead_removed,
		.arg = engine,
	};
	if (engine->chores.keep_time)
		engine->kept_steady_ms = state->steady.steady_ms;
	engine->chore_under_way = true;
	engine->store->driver->chores(engine->store, &engine->chores, on_chores_done, engine);
}

/* Judges queues under the policy in force, or else under one that is on trial. */
static bool
judge_some(struct queue_state *state)
{
	bool judge = state->catalog.walks[WALK_JUDGE].left > 0,
	     try = state->trial != NULL && !state->trial->strands.complete;

	if (judge)
		strand_judge_some(state);
	else if (try)
		strand_try_some(state);
	return judge || try;
}

int
engine_backup(struct engine *engine, const char *path, struct error *err)
{
	struct store *store = engine->store;

	if (store->driver->backup == NULL)
		return error_set(err, ERROR_CONFLICT, "this store cannot be copied");
	engine->more_chores = true;
	return store->driver->backup(store, path, err);
}

/* --- moving stranded queues --- */

#define REKEY_EVENTS_A_TURN 1000
#define REKEY_RETRY_MS 1000 /* after the disk was full */

/* After another failure than that of a full disk they stay until a call or a policy moves them. */
static void
on_rekeyed(struct op *op, void *arg)
{
	struct engine *engine = arg;
	bool full = op->error.code == ERROR_STORAGE_FULL;

	engine->rekey_under_way = false;
	engine->rekey_wanted =
	    engine->rekey_wanted && (full || (op->error.code == ERROR_NONE && engine->rekey.more));
	engine->rekey_after_ms = full ? clock_now().boot_ms + REKEY_RETRY_MS : 0;
	op_clear(op);
}

/* Submits the next step, once all queues are judged. */
static void
rekey_some(struct engine *engine)
{
	if (!rekey_is_due(engine) || engine->state.catalog.walks[WALK_JUDGE].left > 0)
		return;
	if (engine->state.catalog.stranded.count == 0) {
		engine->rekey_wanted = false;
		return;
	}
	rekey_op_init(&engine->rekey);
	engine->rekey.op.done = on_rekeyed;
	engine->rekey.op.arg = engine;
	engine->rekey.limit = REKEY_EVENTS_A_TURN;
	engine->rekey.quiet = true;
	engine->rekey_under_way = true;
	engine_submit(engine, &engine->rekey.op);
}

void
engine_stop_rekeying(struct engine *engine)
{
	engine->rekey_wanted = engine->state.options.rekey_on_reload = false;
}

/*
 * Judging queues and the store's chores alternate, so that no turn does both. After much work on
 * ops they wait for the next turn, which carries out none.
 */
bool
engine_chores(struct engine *engine)
{
	struct queue_state *state = &engine->state;

	if (engine_is_busy(engine) || state->stopped.code != ERROR_NONE)
		return false;
	engine->chores_alone = !engine->chores_alone && budget_is_heavy(&engine->batch.budget);
	if (engine->chores_alone)
		return true;
	rekey_some(engine);
	engine->judged_last = !engine->judged_last && judge_some(state);
	if (!engine->judged_last)
		run_store_chore(engine);
	engine->chores_alone = engine->store->needs_turn;
	return !engine->chore_under_way && (engine->judged_last || has_more_chores(engine));
}

/* --- waiting --- */

bool
engine_cancel_wait(struct engine *engine, struct op *op)
{
	if (!op->parked) {
		op->cancelled = true;
		return false;
	}
	/* parked by a batch that is written, but not durable yet */
	if (batch_is_under_way(&engine->batch))
		return false;
	state_tell_change(&engine->state, op->queue_key);
	waiting_remove(&engine->state.waiting, op);
	return true;
}

void
engine_on_wake(struct engine *engine, wake_callback *woken, void *arg)
{
	engine->batch.on_wake = woken;
	engine->batch.on_wake_arg = arg;
}

void
engine_on_change(struct engine *engine, change_callback *changed, void *arg)
{
	engine->state.on_change = changed;
	engine->state.on_change_arg = arg;
}

struct queue_figures
engine_figures(const struct engine *engine, struct str queue_key)
{
	assert(!engine_is_busy(engine));
	const struct queue *queue = catalog_find(&engine->state.catalog, queue_key);
	struct queue_figures figures = { .waiters =
					     waiting_count(&engine->state.waiting, queue_key) };

	if (queue == NULL)
		return figures;
	figures.depth = queue->depth;
	figures.ready = queue_deliverable(queue);
	figures.leased = queue->leased;
	figures.delayed = queue->delayed;
	figures.ready_since_ts_ms = queue->ready_ts_ms;
	if (queue->strand != NULL)
		figures.routes_to = queue->strand->to;
	return figures;
}

struct deliverable_scan {
	wake_callback *each;
	void *arg;
	size_t looks;
};

static void
look_for_deliverable(void *arg, void *item)
{
	struct deliverable_scan *scan = arg;
	const struct queue *queue = item;
	size_t deliverable = queue_deliverable(queue);

	scan->looks++;
	if (deliverable > 0)
		scan->each(scan->arg, queue->session.key, deliverable, queue->now > 0, STR_NULL);
}

size_t
engine_scan_deliverable(const struct engine *engine, struct table_scan *at, wake_callback *each,
			void *arg)
{
	struct deliverable_scan scan = { each, arg, 0 };

	assert(!engine_is_busy(engine));
	table_scan(&engine->state.catalog.index, at, DELIVERABLE_SLOTS, look_for_deliverable,
		   &scan);
	return scan.looks;
}

size_t
engine_deliverable(const struct engine *engine, struct str queue_key)
{
	assert(!engine_is_busy(engine));
	const struct queue *queue = catalog_find(&engine->state.catalog, queue_key);

	return queue != NULL ? queue_deliverable(queue) : 0;
}

bool
engine_has_urgent(const struct engine *engine, struct str queue_key)
{
	assert(!engine_is_busy(engine));
	const struct queue *queue = catalog_find(&engine->state.catalog, queue_key);

	return queue != NULL && queue->now > 0;
}

/* --- the policy in force --- */

struct str
engine_timezone(const struct engine *engine)
{
	return policy_timezone(engine->state.policy);
}

const struct hook_gates *
engine_hook_gates(const struct engine *engine)
{
	return policy_hook_gates(engine->state.policy);
}

const struct policy_summary *
engine_policy(const struct engine *engine)
{
	return policy_summary(engine->state.policy);
}

struct strands
engine_strands(const struct engine *engine)
{
	const struct catalog *catalog = &engine->state.catalog;

	return (struct strands){ catalog->stranded_sessions, catalog->stranded_events,
				 catalog->walks[WALK_JUDGE].left == 0 &&
				     engine->next_policy == NULL };
}

void
engine_try_policy(struct engine *engine, struct policy *policy)
{
	strand_try(&engine->state, policy);
}

const struct trial *
engine_trial(const struct engine *engine)
{
	return engine->state.trial;
}

void
engine_end_trial(struct engine *engine)
{
	strand_end_trial(&engine->state);
}

int
engine_route(const struct engine *engine, const struct address *address, struct arena *arena,
	     struct decision *ret, struct error *err)
{
	if (address_check(address, err) < 0 ||
	    route_decide(engine->state.policy, address, true, arena, ret, err) < 0)
		return -1;
	return queue_key_check(ret->queue_key, err);
}

/* --- state and counters --- */

const struct store *
engine_store(const struct engine *engine)
{
	return engine->store;
}

bool
engine_ready(const struct engine *engine, struct error *err)
{
	if (engine->loading) {
		error_set(err, ERROR_STORAGE_FAILED, "the stored events are still being loaded");
		return false;
	}
	return !engine_stopped(engine, err) && engine->store->driver->ready(engine->store, err);
}

void
engine_stats(struct engine *engine, struct engine_stats *ret)
{
	const struct queue_state *state = &engine->state;

	*ret = engine->stats;
	memcpy(ret, &state->stats, offsetof(struct engine_stats, pending)); /* the counters */
	if (engine_is_busy(engine))
		return;
	ret->pending = state->catalog.pending;
	ret->sessions = state->catalog.sessions;
	ret->leased_now = state->catalog.leased;
	ret->delayed_now = state->catalog.delayed;
	ret->leases = state->catalog.leases.by_id.count;
	ret->waiters = state->waiting.count;
	ret->stranded_sessions = state->catalog.stranded_sessions;
	ret->stranded_events = state->catalog.stranded_events;
	ret->unjudged = state->catalog.walks[WALK_JUDGE].left;
	ret->catalog_bytes = catalog_bytes(&state->catalog);
	ret->recent_bytes = recent_bytes(&state->recent);
	engine->store->driver->stats(engine->store, &ret->store);
	engine->stats = *ret;
}

uint64_t
engine_clock_jumps(const struct engine *engine, int64_t *by_ms)
{
	*by_ms = engine->state.steady.last_jump_ms;
	return engine->state.steady.jumps;
}
