/*
 * engine.c - one turn of the loop, one batch, one commit.
 *
 * Group commit. An fsync costs a few hundred microseconds however much it covers, so the engine
 * never commits for one op: everything submitted since the last turn is planned in order against
 * the catalog, the events that the answers need are read, the records are committed in one
 * transaction with one fsync, and only then is anybody answered. While the commit runs, the kernel
 * gathers the next turn's requests; batches grow with load by themselves, and there is no timer, no
 * lock and no second thread.
 *
 *     submit ... submit, turn: look up -> page -> plan -> read -> commit (written, durable) ->
 * finish
 *
 * Once a commit is written, the catalog and all that depends on it are brought up to date, and
 * answers prepared, while the disk makes it durable. The only failure left is an unknown outcome,
 * which stops the engine, so none of this is ever undone.
 *
 * Each arrow may be a call that returns at once (SQLite) or a wait for the store to call back; the
 * state between two turns is whole either way. What it refuses to be: a scheduler. Ops run in the
 * order they came; a batch is never reordered, split or held back.
 *
 * An op ends in one of three ways: it is answered; it waits, parked at its queue key, until a
 * commit wakes that queue; or it goes round again, because it found that it must look something up
 * first. Time takes part as an op of its own.
 *
 * A failed commit takes the catalog back to where it was. Ops that needed space are then refused
 * and the others tried once more without them, so a full disk never stops a drain. A commit of
 * unknown outcome stops the engine for good.
 */
#include "queue/engine.h"

#include <stdlib.h>

#include "queue/catalog/recent.h"
#include "queue/clock.h"
#include "queue/load.h"
#include "queue/ops/tick.h"

#define TIME_RETRY_MS 1000 /* when what time does could not be committed */

struct op_list {
	struct op *first, **end;
	size_t count;
};

struct engine {
	struct store *store;
	/* next: in force from the next batch on; NULL: no change */
	struct policy *policy, *next_policy;
	struct engine_options options;
	struct engine_stats stats;
	struct plan plan;
	struct recent recent; /* of written commits only */
	struct tick_op tick;
	struct op_list waiting; /* submitted, for the next batch */
	struct op_list batch;   /* under way; empty between turns unless the store is still at it */
	size_t parked;          /* of the batch's ops, how many will wait */
	wake_callback *woken;
	void *woken_arg;
	struct lookup *lookups;
	struct looker {
		struct op *op;
		size_t index; /* of the op's own lookups */
	} * lookers;          /* one a lookup */
	size_t lookup_count, lookup_cap, looker_cap;
	struct op *paging; /* the op whose page of history is being read */
	bool page_asked;   /* the store's history call has not returned yet */
	bool page_told;    /* and it has called back already */
	int64_t *read_ids;
	size_t read_cap, read_at; /* read_at: the want that the next event read belongs to */
	int64_t commit_began_us;
	int64_t opened_wall_ms;           /* when plan.opened_boot_ms was */
	size_t room;                      /* bytes of text for the answers of a batch */
	int64_t time_waits_until_boot_ms; /* what time does is tried again then */
	struct error failed;              /* ERROR_STORAGE_UNKNOWN once the engine has stopped */
	bool retried;                     /* the batch is what was left after a full store */
	bool again;                       /* some ops go round again in this turn */
};

static void plan_batch(struct engine *engine);
static void plan_batch_again(struct engine *engine);

void
engine_options_init(struct engine_options *options)
{
	*options = (struct engine_options){
		.batch_events_max = BATCH_EVENTS_DEFAULT,
		.session_pending_max = SESSION_PENDING_DEFAULT,
		.sessions_max = SESSIONS_DEFAULT,
		.pending_max = PENDING_DEFAULT,
		.overflow = OVERFLOW_REJECT,
		.attempts_max = ATTEMPTS_DEFAULT,
		.retention_ms = RETENTION_MS_DEFAULT,
		.retention_rows = RETENTION_ROWS_DEFAULT,
		.recent_bytes = RECENT_BYTES,
	};
}

/* --- lists of ops --- */

static void
list_init(struct op_list *list)
{
	*list = (struct op_list){ .first = NULL, .end = &list->first };
}

static void
list_add(struct op_list *list, struct op *op)
{
	op->next = NULL;
	*list->end = op;
	list->end = &op->next;
	list->count++;
}

static struct op *
list_take(struct op_list *list)
{
	struct op *op = list->first;

	list->first = op->next;
	if (list->first == NULL)
		list->end = &list->first;
	list->count--;
	return op;
}

static void
list_move(struct op_list *from, struct op_list *to)
{
	if (from->first == NULL)
		return;
	*to->end = from->first;
	to->end = from->end;
	to->count += from->count;
	list_init(from);
}

/* --- opening --- */

/*
 * The plan's clocks: wall time, which never goes back here, and the steady one, which counts
 * suspends too.
 */
static void
look_at_clocks(struct engine *engine)
{
	struct clock now = clock_now();

	if (now.wall_ms > engine->plan.now_ms)
		engine->plan.now_ms = now.wall_ms;
	engine->plan.boot_ms = now.boot_ms;
}

int
engine_open(struct store *store, struct policy *policy, const struct engine_options *options,
	    struct engine **ret, struct error *err)
{
	struct engine *engine = mem_alloc(sizeof(*engine));

	engine->options = *options;
	engine->plan.options = &engine->options;
	engine->plan.stats = &engine->stats;
	tick_op_init(&engine->tick);
	list_init(&engine->waiting);
	list_init(&engine->batch);
	catalog_init(&engine->plan.catalog);
	recent_init(&engine->recent, options->recent_bytes);
	look_at_clocks(engine);
	engine->opened_wall_ms = clock_now().wall_ms;
	engine->room = SIZE_MAX;
	if (plan_load(&engine->plan, store, err) < 0) {
		engine_close(engine);
		return -1;
	}
	engine->store = store;
	engine->policy = policy;
	*ret = engine;
	return 0;
}

void
engine_close(struct engine *engine)
{
	if (engine == NULL)
		return;
	if (engine->store != NULL)
		engine->store->driver->close(engine->store);
	policy_free(engine->policy);
	policy_free(engine->next_policy);
	plan_clear(&engine->plan);
	recent_clear(&engine->recent);
	op_clear(&engine->tick.op);
	free(engine->read_ids);
	free(engine->lookups);
	free(engine->lookers);
	free(engine);
}

/* --- one batch: plan -> read -> commit -> finish (what comes before stands below) --- */

void
engine_submit(struct engine *engine, struct op *op)
{
	list_add(&engine->waiting, op);
}

/*
 * The end of a batch: everybody is answered, in order. An answer may submit again: that is for the
 * next turn.
 */
static void
finish(struct engine *engine)
{
	struct op_list done;

	list_init(&done);
	list_move(&engine->batch, &done);
	while (done.first != NULL) {
		struct op *op = list_take(&done);

		if (op->planned != PLAN_AGAIN) {
			op->done(op, op->arg);
			continue;
		}
		op->again = true;
		list_add(&engine->waiting, op);
		engine->again = true;
	}
}

static void
empty_answer(struct op *op)
{
	memset((char *)op + op->kind->answer, 0, op->kind->bytes - op->kind->answer);
}

static void
fail_op(struct op *op, const struct error *err)
{
	op->error = *err;
	op->planned = PLAN_DONE;
	empty_answer(op);
}

/* Back to before the batch. What time did is still to be done, but not at once again. */
static void
take_back(struct engine *engine)
{
	struct plan *plan = &engine->plan;

	journal_rollback(&plan->catalog, 0);
	for (size_t i = 0; i < plan->popped_count; i++)
		timers_add(&plan->timers, plan->popped[i]);
	if (plan->popped_count > 0)
		engine->time_waits_until_boot_ms = plan->boot_ms + TIME_RETRY_MS;
	plan_reset(plan);
}

static void
fail_batch(struct engine *engine, const struct error *err)
{
	take_back(engine);
	for (struct op *op = engine->batch.first; op != NULL; op = op->next)
		if (op->error.code == ERROR_NONE)
			fail_op(op, err);
	finish(engine);
}

static void
count_committed(struct engine *engine)
{
	const struct store_batch *batch = &engine->plan.batch;

	engine->stats.enqueued += batch->event_count;
	engine->stats.duplicates += engine->plan.duplicates;
	for (size_t i = 0; i < batch->outcome_count; i++)
		engine->stats.outcomes[batch->outcomes[i].kind] += batch->outcomes[i].count;
}

/* Ops that found nothing to have leave the batch and wait. */
static void
park(struct engine *engine)
{
	struct op_list batch;

	list_init(&batch);
	list_move(&engine->batch, &batch);
	while (batch.first != NULL) {
		struct op *op = list_take(&batch);

		if (op->planned == PLAN_PARKED && !op->waits_not)
			waiting_add(&engine->plan.waiting, op);
		else
			list_add(&engine->batch, op);
	}
}

/* All that wait at the key (NULL: anywhere) look again, in this turn. */
static void
rouse(struct engine *engine, struct str queue_key)
{
	struct op *op;

	while ((op = waiting_take(&engine->plan.waiting, queue_key)) != NULL) {
		list_add(&engine->waiting, op);
		engine->again = true;
	}
}

/*
 * After a commit, while its queues are still there: whoever waits for what is deliverable now hears
 * of it.
 */
static void
wake(struct engine *engine)
{
	if (engine->parked > 0)
		park(engine);
	plan_gather_woken(&engine->plan);
	for (size_t i = 0; i < engine->plan.woken_count; i++) {
		const struct woken_queue *woken = &engine->plan.woken[i];
		size_t deliverable = queue_deliverable(woken->queue);

		if (deliverable == 0)
			continue;
		if (engine->woken != NULL)
			engine->woken(engine->woken_arg, woken->queue->session.key, deliverable,
				      woken->now, woken->source);
		rouse(engine, woken->queue->session.key);
	}
}

static bool
timer_needed(const struct due_timer *timer, void *arg)
{
	const struct catalog *catalog = arg;

	if (timer->kind == TIMER_LEASE) {
		const struct lease *lease = catalog_lease(catalog, timer->id);

		return lease != NULL && timer->at_boot_ms == lease->timer_boot_ms;
	}
	struct extra extra = catalog_extra(catalog, timer->id);
	return timer->at_boot_ms ==
	       (timer->kind == TIMER_AVAILABLE ? extra.available_boot_ms : extra.expires_boot_ms);
}

/*
 * Those that the batch has set join the others. Leases that were acked in time leave theirs behind.
 */
static void
keep_timers(struct plan *plan)
{
	for (size_t i = 0; i < plan->set_count; i++)
		timers_add(&plan->timers, plan->set[i]);
	size_t needed =
	    2 * plan->catalog.leases.extras.count + plan->catalog.leases.by_id.count; /* at most */
	if (timers_mostly_stale(&plan->timers, needed))
		timers_compact(&plan->timers, timer_needed, &plan->catalog);
}

/*
 * What the commit has added; its texts are borrowed from the ops, so this comes before they are
 * answered.
 */
static void
keep_recent(struct engine *engine)
{
	const struct store_batch *batch = &engine->plan.batch;

	for (size_t i = 0; i < batch->event_count; i++)
		recent_add(&engine->recent, &batch->events[i].event);
}

/* All that follows from a batch but the answers. */
static void
succeed(struct engine *engine)
{
	count_committed(engine);
	keep_recent(engine);
	if (engine->plan.popped_count > 0)
		engine->time_waits_until_boot_ms = 0;
	wake(engine);
	journal_commit(&engine->plan.catalog);
	keep_timers(&engine->plan);
	plan_reset(&engine->plan);
}

/* The disk is at work. */
static void
on_written(void *arg)
{
	struct engine *engine = arg;

	succeed(engine);
	for (struct op *op = engine->batch.first; op != NULL; op = op->next)
		if (op->prepare != NULL && op->planned == PLAN_DONE && op->error.code == ERROR_NONE)
			op->prepare(op, op->arg);
}

/* The store is full: what appends is refused, the rest gets a second try in the same turn. */
static void
retry_without_appends(struct engine *engine, const struct error *err)
{
	engine->retried = true;
	take_back(engine);
	for (struct op *op = engine->batch.first; op != NULL; op = op->next) {
		if (op->error.code == ERROR_NONE && op->kind->appends) {
			fail_op(op, err);
			engine->stats.rejected_storage_full++;
		}
	}
	plan_batch_again(engine);
}

static void
on_committed(void *arg, const struct error *err)
{
	struct engine *engine = arg;

	engine->stats.commit_us_total += (uint64_t)(clock_monotonic_us() - engine->commit_began_us);
	if (err == NULL) {
		engine->stats.commits++;
		finish(engine);
		return;
	}
	engine->stats.commit_failures++;
	if (err->code == ERROR_STORAGE_UNKNOWN)
		engine->failed = *err;
	else if (err->code == ERROR_STORAGE_FULL && !engine->retried)
		retry_without_appends(engine, err);
	else
		fail_batch(engine, err);
}

static void
commit(struct engine *engine)
{
	struct store_batch *batch = &engine->plan.batch;

	if (batch->event_count + batch->outcome_count + batch->key_count == 0) {
		succeed(engine);
		finish(engine);
		return;
	}
	plan_gather_contexts(&engine->plan);
	engine->commit_began_us = clock_monotonic_us();
	engine->store->driver->commit(engine->store, batch, on_written, on_committed, engine);
}

/* The row, and what the catalog knows better. */
static void
deliver(struct want *want, const struct system_event *event)
{
	system_event_copy(want->into, event, &want->op->arena);
	want->into->attempts = want->attempts;
	if (want->available_at_ms > 0)
		want->into->available_at_ms = want->available_at_ms;
	want->into->state = want->state;
	want->into->outcome = want->outcome;
	want->into = NULL;
}

static void
on_event(void *arg, const struct system_event *event)
{
	struct engine *engine = arg;
	struct plan *plan = &engine->plan;

	while (engine->read_at < plan->want_count && (plan->wants[engine->read_at].into == NULL ||
						      plan->wants[engine->read_at].id != event->id))
		engine->read_at++;
	if (engine->read_at < plan->want_count)
		deliver(&plan->wants[engine->read_at], event);
}

/* Whether an event that an answer needs did not come; the ops that need it have failed then. */
static bool
fail_without_event(struct engine *engine)
{
	struct error lost;
	bool any = false;

	for (size_t i = 0; i < engine->plan.want_count; i++) {
		const struct want *want = &engine->plan.wants[i];

		if (want->into == NULL || want->optional)
			continue;
		error_set(&lost, ERROR_STORAGE_FAILED,
			  "pending event %lld cannot be read from the store", (long long)want->id);
		fail_op(want->op, &lost);
		any = true;
	}
	return any;
}

/*
 * Nothing is committed before the texts of its answers are in hand. A lost row fails the ops that
 * need it and nobody else: the others are planned again without them. Where the store fails, time
 * goes on without what it alone wanted to read.
 */
static void
on_read(void *arg, const struct error *err)
{
	struct engine *engine = arg;
	bool blinds = err != NULL && engine->batch.first == &engine->tick.op && !engine->tick.blind;

	if (err != NULL && !blinds) {
		fail_batch(engine, err);
	} else if (blinds || fail_without_event(engine)) {
		engine->tick.blind = engine->tick.blind || blinds;
		take_back(engine);
		plan_batch_again(engine);
	} else {
		commit(engine);
	}
}

/*
 * An event that is in memory: of this very batch, which is not in the store yet, or a recent one.
 * NULL: ask the store, which alone knows of an event that may have been forgotten whether it was.
 */
static const struct system_event *
in_memory(struct engine *engine, const struct want *want)
{
	const struct store_batch *batch = &engine->plan.batch;

	if (batch->event_count > 0 && want->id >= batch->events[0].event.id)
		return &batch->events[want->id - batch->events[0].event.id].event;
	const struct system_event *event =
	    want->old ? NULL : recent_find(&engine->recent, want->id);
	*(event != NULL ? &engine->stats.recent_hits : &engine->stats.recent_misses) += 1;
	return event;
}

/* Delivers what is in memory; the rest is in read_ids. */
static size_t
deliver_from_memory(struct engine *engine)
{
	size_t others = 0;

	engine->read_ids = mem_grow(engine->read_ids, &engine->read_cap, engine->plan.want_count,
				    sizeof(*engine->read_ids));
	for (size_t i = 0; i < engine->plan.want_count; i++) {
		struct want *want = &engine->plan.wants[i];
		const struct system_event *event = in_memory(engine, want);

		if (event != NULL)
			deliver(want, event);
		else
			engine->read_ids[others++] = want->id;
	}
	return others;
}

static void
read_events(struct engine *engine)
{
	size_t others = deliver_from_memory(engine);

	engine->read_at = 0;
	if (others == 0)
		commit(engine);
	else
		engine->store->driver->read(engine->store, engine->read_ids, others, on_event,
					    on_read, engine);
}

/* Refuses before any work what would only fail later. */
static int
admit(struct engine *engine, struct op *op)
{
	if (!op->kind->appends || engine_ready(engine, &op->error))
		return 0;
	engine->stats.rejected_storage_full += op->error.code == ERROR_STORAGE_FULL;
	return -1;
}

/*
 * Answers are in memory until they are sent, and all of a batch at once: no call may make them more
 * than there is room for.
 */
static bool
crowds(const struct engine *engine, size_t bytes_before)
{
	return bytes_before > 0 && engine->plan.want_bytes > bytes_before &&
	       engine->plan.want_bytes > engine->room;
}

static int
fail_crowding(struct engine *engine, struct op *op)
{
	engine->stats.rejected_answers++;
	return error_set(&op->error, ERROR_QUEUE_FULL, "too many large answers at once");
}

static void
plan_op(struct engine *engine, struct op *op)
{
	struct plan_mark mark = plan_mark(&engine->plan);

	if (op->error.code != ERROR_NONE || admit(engine, op) < 0)
		return;
	empty_answer(op); /* of an earlier try */
	op->planned = op->kind->plan(&engine->plan, op);
	if (op->planned == PLAN_DONE && crowds(engine, mark.want_bytes))
		op->planned = fail_crowding(engine, op);
	engine->parked += op->planned == PLAN_PARKED;
	if (op->planned != PLAN_DONE)
		plan_undo(&engine->plan, mark);
	if (op->planned == PLAN_REFUSED)
		empty_answer(op);
}

/*
 * Everything was taken back and those who cannot have what they want have failed; the others try
 * again. So do calls that were refused: it may have been for the sake of something that is not
 * there now. (An enqueue that was refused stays so: it might want the space that is missing.)
 */
static void
plan_batch_again(struct engine *engine)
{
	for (struct op *op = engine->batch.first; op != NULL; op = op->next)
		if (op->planned == PLAN_REFUSED && !op->kind->appends)
			op->error = (struct error){ 0 };
	plan_batch(engine);
}

static void
plan_batch(struct engine *engine)
{
	look_at_clocks(engine);
	engine->plan.policy = engine->policy;
	engine->parked = 0;
	for (struct op *op = engine->batch.first; op != NULL; op = op->next)
		plan_op(engine, op);
	read_events(engine);
}

/* --- what ops look up before they are planned --- */

static void page_next(struct engine *engine, struct op *op);

static void
on_page(void *arg, int64_t more_outcome, int64_t more_event, const struct error *err)
{
	struct engine *engine = arg;
	struct op *op = engine->paging;

	if (err != NULL)
		fail_op(op, err);
	else
		op->kind->page(op, more_outcome, more_event);
	engine->page_told = true;
	if (!engine->page_asked) /* else page_next goes on when the call returns */
		page_next(engine, op->next);
}

static void
on_row(void *arg, const struct system_event *event, const struct store_outcome *outcome)
{
	struct engine *engine = arg;

	engine->plan.want_bytes += event->text.len;
	engine->paging->kind->row(engine->paging, event, outcome);
}

/* Asks the store for the op's page. False: it will call back later. */
static bool
read_page(struct engine *engine, struct op *op, const struct history_query *query)
{
	engine->paging = op;
	engine->page_asked = true;
	engine->page_told = false;
	engine->store->driver->history(engine->store, query, on_row, on_page, engine);
	engine->page_asked = false;
	return engine->page_told;
}

/*
 * Reads pages of history one after the other, for this op and those behind it; then the batch is
 * planned. A store that calls back at once must not nest one call in the other: a batch may have
 * as many of these ops as there are connections.
 */
static void
page_next(struct engine *engine, struct op *op)
{
	for (; op != NULL; op = op->next) {
		if (op->kind->query == NULL || op->error.code != ERROR_NONE)
			continue;
		const struct history_query *query = op->kind->query(&engine->plan, op);
		if (query == NULL)
			continue;
		if (engine->plan.want_bytes > engine->room) {
			fail_crowding(engine, op);
			continue;
		}
		if (!read_page(engine, op, query))
			return;
	}
	plan_batch(engine);
}

static void
on_found(void *arg, size_t index, const struct found *found)
{
	struct engine *engine = arg;
	const struct looker *looker = &engine->lookers[index];

	looker->op->kind->found(looker->op, looker->index, found);
}

static void
on_looked_up(void *arg, const struct error *err)
{
	struct engine *engine = arg;

	for (size_t i = 0; err != NULL && i < engine->lookup_count; i++)
		fail_op(engine->lookers[i].op, err);
	page_next(engine, engine->batch.first);
}

static void
add_lookup(struct engine *engine, struct op *op, size_t index, struct lookup lookup)
{
	size_t count = engine->lookup_count;

	engine->lookups =
	    mem_grow(engine->lookups, &engine->lookup_cap, count + 1, sizeof(*engine->lookups));
	engine->lookers =
	    mem_grow(engine->lookers, &engine->looker_cap, count + 1, sizeof(*engine->lookers));
	engine->lookups[count] = lookup;
	engine->lookers[count] = (struct looker){ op, index };
	engine->lookup_count++;
}

static void
look_up(struct engine *engine)
{
	struct lookup lookup;

	engine->lookup_count = 0;
	engine->plan.policy = engine->policy;
	for (struct op *op = engine->batch.first; op != NULL; op = op->next)
		for (size_t i = 0;
		     op->kind->lookup != NULL && op->kind->lookup(&engine->plan, op, i, &lookup);
		     i++)
			if (lookup.kind != LOOKUP_NONE)
				add_lookup(engine, op, i, lookup);
	if (engine->lookup_count == 0)
		page_next(engine, engine->batch.first);
	else
		engine->store->driver->lookup(engine->store, engine->lookups, engine->lookup_count,
					      on_found, on_looked_up, engine);
}

/*
 * Answers under way may borrow text from the policy they were routed by, so it is changed between
 * batches only.
 */
static void
adopt_policy(struct engine *engine)
{
	if (engine->next_policy == NULL || engine->batch.count > 0)
		return;
	policy_free(engine->policy);
	engine->policy = engine->next_policy;
	engine->next_policy = NULL;
	route_cache_clear(&engine->plan.places);
	rouse(engine, STR_NULL); /* what they wait at may have another name now */
}

static int64_t
due_boot_ms(const struct engine *engine)
{
	const struct due_timer *first = timers_first(&engine->plan.timers);

	if (first == NULL)
		return INT64_MAX;
	return first->at_boot_ms > engine->time_waits_until_boot_ms
		   ? first->at_boot_ms
		   : engine->time_waits_until_boot_ms;
}

int64_t
engine_due_ms(const struct engine *engine)
{
	int64_t due = due_boot_ms(engine), now = clock_now().boot_ms;

	if (due == INT64_MAX || engine->failed.code != ERROR_NONE)
		return -1;
	return due > now ? due - now : 0;
}

/*
 * Time goes first: nobody is given what has just expired, and what has just been given back can be
 * had.
 */
static void
start_batch(struct engine *engine)
{
	if (due_boot_ms(engine) <= clock_now().boot_ms) {
		tick_op_init(&engine->tick);
		list_add(&engine->batch, &engine->tick.op);
	}
	list_move(&engine->waiting, &engine->batch);
	if (engine->batch.count == 0)
		return;
	engine->retried = false;
	engine->stats.ops += engine->batch.count;
	if (engine->batch.count > engine->stats.batch_ops_max)
		engine->stats.batch_ops_max = engine->batch.count;
	look_up(engine);
}

int
engine_turn(struct engine *engine, struct error *err)
{
	adopt_policy(engine);
	do {
		engine->again = false;
		if (engine->failed.code == ERROR_NONE && engine->batch.count == 0)
			start_batch(engine);
	} while (engine->again);
	return engine_stopped(engine, err) ? -1 : 0;
}

void
engine_set_answer_budget(struct engine *engine, size_t text_bytes)
{
	engine->room = text_bytes;
}

bool
engine_idle(const struct engine *engine)
{
	return engine->waiting.count == 0 && engine->batch.count == 0;
}

/*
 * The time by which things are old enough to be forgotten. A wall clock that runs ahead for a
 * moment must not take a week's history with it, so it counts only as far as time has passed since
 * the engine was opened. Where the clock began in the past and was put right later, things are
 * therefore kept longer, until the next start.
 */
static int64_t
forgetting_ms(const struct engine *engine)
{
	struct clock now = clock_now();
	int64_t passed_ms = engine->opened_wall_ms + (now.boot_ms - engine->plan.opened_boot_ms);

	return now.wall_ms < passed_ms ? now.wall_ms : passed_ms;
}

bool
engine_chores(struct engine *engine)
{
	if (engine->batch.count > 0 || engine->failed.code != ERROR_NONE)
		return false;
	int64_t now_ms = forgetting_ms(engine);
	const struct chores chores = { .settled_before_ms = now_ms - engine->options.retention_ms,
				       .settled_rows_max = engine->options.retention_rows,
				       .keys_before_ms = now_ms - IDEMPOTENCY_MS,
				       .pending_count = engine->plan.catalog.pending };
	bool more = engine->store->driver->chores(engine->store, &chores);
	struct error err;
	if (!engine->store->driver->ready(engine->store, &err) && err.code == ERROR_STORAGE_UNKNOWN)
		engine->failed = err;
	return more;
}

bool
engine_stopped(const struct engine *engine, struct error *err)
{
	if (engine->failed.code == ERROR_NONE)
		return false;
	*err = engine->failed;
	return true;
}

/* --- waiting --- */

bool
engine_cancel_wait(struct engine *engine, struct op *op)
{
	if (!op->parked) {
		op->waits_not = true;
		return false;
	}
	waiting_remove(&engine->plan.waiting, op);
	return true;
}

void
engine_on_wake(struct engine *engine, wake_callback *woken, void *arg)
{
	engine->woken = woken;
	engine->woken_arg = arg;
}

void
engine_each_deliverable(const struct engine *engine, wake_callback *each, void *arg)
{
	const struct queue *queue;

	for (size_t at = 0; (queue = catalog_each(&engine->plan.catalog, &at)) != NULL;)
		if (queue_deliverable(queue) > 0)
			each(arg, queue->session.key, queue_deliverable(queue), false, STR_NULL);
}

size_t
engine_deliverable(const struct engine *engine, struct str queue_key)
{
	const struct queue *queue = catalog_find(&engine->plan.catalog, queue_key);

	return queue != NULL ? queue_deliverable(queue) : 0;
}

struct str
engine_timezone(const struct engine *engine)
{
	return policy_timezone(engine->policy);
}

const struct hook_gates *
engine_hook_gates(const struct engine *engine)
{
	return policy_hook_gates(engine->policy);
}

/* --- the rest --- */

int
engine_route(const struct engine *engine, const struct address *address, struct arena *arena,
	     struct decision *ret, struct error *err)
{
	if (address_check(address, err) < 0 ||
	    route_decide(engine->policy, address, true, arena, ret, err) < 0)
		return -1;
	return queue_key_check(ret->queue_key, err);
}

void
engine_set_policy(struct engine *engine, struct policy *policy)
{
	policy_free(engine->next_policy);
	engine->next_policy = policy;
	adopt_policy(engine);
}

bool
engine_ready(const struct engine *engine, struct error *err)
{
	return !engine_stopped(engine, err) && engine->store->driver->ready(engine->store, err);
}

/* What takes a walk over the queues. */
static void
count_queues(const struct catalog *catalog, struct engine_stats *ret)
{
	const struct queue *queue;
	int64_t oldest = 0;

	for (size_t at = 0; (queue = catalog_each(catalog, &at)) != NULL;) {
		const struct entry *first = queue_first(queue, 0);

		if (first != NULL && (oldest == 0 || first->ts_ms < oldest))
			oldest = first->ts_ms;
		ret->leased_now += queue->leased;
		ret->delayed_now += queue->delayed;
	}
	ret->oldest_ts_ms = oldest;
}

void
engine_stats(const struct engine *engine, struct engine_stats *ret)
{
	*ret = engine->stats;
	ret->pending = engine->plan.catalog.pending;
	ret->sessions = engine->plan.catalog.sessions;
	ret->leases = engine->plan.catalog.leases.by_id.count;
	ret->waiters = engine->plan.waiting.count;
	count_queues(&engine->plan.catalog, ret);
	ret->catalog_bytes = catalog_bytes(&engine->plan.catalog);
	ret->recent_bytes = recent_bytes(&engine->recent);
	engine->store->driver->stats(engine->store, &ret->store);
}
