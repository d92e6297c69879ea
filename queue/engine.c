/*
 * engine.c - one turn of the loop, one batch, one commit.
 *
 * Group commit. An fsync costs a few hundred microseconds however much it covers, so the engine never commits for one
 * op: everything submitted since the last turn is planned in order against the catalog, the events that the answers
 * need are read, the records are committed in one transaction with one fsync, and only then is anybody answered. While
 * the commit runs, the kernel gathers the next turn's requests; batches grow with load by themselves, and there is no
 * timer, no lock and no second thread.
 *
 *     submit ... submit, turn: look up -> page -> plan -> read -> commit (written, durable) -> finish
 *
 * Once a commit is written, the catalog and all that depends on it are brought up to date, and answers prepared, while the disk
 * makes it durable. The only failure left is an unknown outcome, which stops the engine, so none of this is ever undone.
 *
 * Each arrow may be a call that returns at once (SQLite) or a wait for the store to call back; the state between two
 * turns is whole either way. What it refuses to be: a scheduler. Ops run in the order they came; a batch is never
 * reordered, split or held back.
 *
 * An op ends in one of three ways: it is answered; it waits, parked at its queue key, until a commit wakes that queue; or
 * it goes round again, because it found that it must look something up first. Time takes part as an op of its own.
 *
 * A failed commit takes the catalog back to where it was. Ops that needed space are then refused and the others tried
 * once more without them, so a full disk never stops a drain. A commit of unknown outcome stops the engine for good.
 */
#include "queue/engine.h"

#include <stdlib.h>
#include <time.h>

#include "queue/clock.h"
#include "queue/load.h"
#include "queue/ops/tick.h"
#include "queue/catalog/recent.h"

#define TIME_RETRY_MS 1000 /* when what time does could not be committed */

struct op_list {
	struct sevq_op *first, **end;
	size_t count;
};

struct sevq_engine {
	struct sevq_store *store;
	struct sevq_policy *policy, *next_policy; /* next: in force from the next batch on; NULL: no change */
	struct sevq_engine_options options;
	struct sevq_engine_stats stats;
	struct sevq_plan plan;
	struct sevq_recent recent; /* of written commits only */
	struct sevq_tick tick;
	struct op_list waiting; /* submitted, for the next batch */
	struct op_list batch;   /* under way; empty between turns unless the store is still at it */
	size_t parked;          /* of the batch's ops, how many will wait */
	sevq_woken *woken;
	void *woken_arg;
	struct sevq_lookup *lookups;
	struct looker {
		struct sevq_op *op;
		size_t index; /* of the op's own lookups */
	} * lookers;          /* one a lookup */
	size_t lookup_count, lookup_cap, looker_cap;
	struct sevq_op *paging; /* the op whose page of history is being read */
	int64_t *read_ids;
	size_t read_cap, read_at; /* read_at: the want that the next event read belongs to */
	int64_t commit_began_us;
	int64_t opened_wall_ms;           /* when plan.opened_boot_ms was */
	size_t room;                      /* bytes of text for the answers of a batch */
	int64_t time_waits_until_boot_ms; /* what time does is tried again then */
	struct sevq_error failed;         /* SEVQ_STORAGE_UNKNOWN once the engine has stopped */
	bool retried;                     /* the batch is what was left after a full store */
	bool again;                       /* some ops go round again in this turn */
};

static void plan_batch(struct sevq_engine *engine);
static void plan_batch_again(struct sevq_engine *engine);

void
sevq_engine_options_init(struct sevq_engine_options *options)
{
	*options = (struct sevq_engine_options){
		.batch_events_max = SEVQ_BATCH_EVENTS_DEFAULT,
		.session_pending_max = SEVQ_SESSION_PENDING_DEFAULT,
		.sessions_max = SEVQ_SESSIONS_DEFAULT,
		.pending_max = SEVQ_PENDING_DEFAULT,
		.overflow = SEVQ_OVERFLOW_REJECT,
		.attempts_max = SEVQ_ATTEMPTS_DEFAULT,
		.retention_ms = SEVQ_RETENTION_MS_DEFAULT,
		.retention_rows = SEVQ_RETENTION_ROWS_DEFAULT,
		.recent_bytes = SEVQ_RECENT_BYTES,
	};
}

static int64_t
monotonic_us(void)
{
	struct timespec now;
	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

/* --- lists of ops ------------------------------------------------------------------------------------------------ */

static void
list_init(struct op_list *list)
{
	*list = (struct op_list){ .first = NULL, .end = &list->first };
}

static void
list_add(struct op_list *list, struct sevq_op *op)
{
	op->next = NULL;
	*list->end = op;
	list->end = &op->next;
	list->count++;
}

static struct sevq_op *
list_take(struct op_list *list)
{
	struct sevq_op *op = list->first;
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

/* --- opening ----------------------------------------------------------------------------------------------------- */

/* The plan's clocks: wall time, which never goes back here, and the steady one, which counts suspends too. */
static void
look_at_clocks(struct sevq_engine *engine)
{
	struct sevq_clock now = sevq_clock();
	if (now.wall_ms > engine->plan.now_ms)
		engine->plan.now_ms = now.wall_ms;
	engine->plan.boot_ms = now.boot_ms;
}

int
sevq_engine_open(struct sevq_store *store, struct sevq_policy *policy, const struct sevq_engine_options *options,
		 struct sevq_engine **ret, struct sevq_error *err)
{
	struct sevq_engine *engine = sevq_alloc(sizeof *engine);
	engine->options = *options;
	engine->plan.options = &engine->options;
	engine->plan.stats = &engine->stats;
	sevq_tick_init(&engine->tick);
	list_init(&engine->waiting);
	list_init(&engine->batch);
	sevq_catalog_init(&engine->plan.catalog);
	sevq_recent_init(&engine->recent, options->recent_bytes);
	look_at_clocks(engine);
	engine->opened_wall_ms = sevq_clock().wall_ms;
	engine->room = SIZE_MAX;
	if (sevq_plan_load(&engine->plan, store, err) < 0) {
		sevq_engine_close(engine);
		return -1;
	}
	engine->store = store;
	engine->policy = policy;
	*ret = engine;
	return 0;
}

void
sevq_engine_close(struct sevq_engine *engine)
{
	if (engine == NULL)
		return;
	if (engine->store != NULL)
		engine->store->driver->close(engine->store);
	sevq_policy_free(engine->policy);
	sevq_policy_free(engine->next_policy);
	sevq_plan_clear(&engine->plan);
	sevq_recent_clear(&engine->recent);
	sevq_op_clear(&engine->tick.op);
	free(engine->read_ids);
	free(engine->lookups);
	free(engine->lookers);
	free(engine);
}

/* --- one batch: plan -> read -> commit -> finish (what comes before stands below) ---------------------------------- */

void
sevq_engine_submit(struct sevq_engine *engine, struct sevq_op *op)
{
	list_add(&engine->waiting, op);
}

/* The end of a batch: everybody is answered, in order. An answer may submit again: that is for the next turn. */
static void
finish(struct sevq_engine *engine)
{
	struct op_list done;
	list_init(&done);
	list_move(&engine->batch, &done);
	while (done.first != NULL) {
		struct sevq_op *op = list_take(&done);
		if (op->planned != SEVQ_PLAN_AGAIN) {
			op->done(op, op->arg);
			continue;
		}
		op->again = true;
		list_add(&engine->waiting, op);
		engine->again = true;
	}
}

static void
empty_answer(struct sevq_op *op)
{
	memset((char *)op + op->kind->answer, 0, op->kind->bytes - op->kind->answer);
}

static void
fail_op(struct sevq_op *op, const struct sevq_error *err)
{
	op->error = *err;
	op->planned = SEVQ_PLANNED;
	empty_answer(op);
}

/* Back to before the batch. What time did is still to be done, but not at once again. */
static void
take_back(struct sevq_engine *engine)
{
	struct sevq_plan *plan = &engine->plan;
	sevq_catalog_rollback(&plan->catalog, 0);
	for (size_t i = 0; i < plan->popped_count; i++)
		sevq_timers_add(&plan->timers, plan->popped[i]);
	if (plan->popped_count > 0)
		engine->time_waits_until_boot_ms = plan->boot_ms + TIME_RETRY_MS;
	sevq_plan_reset(plan);
}

static void
fail_batch(struct sevq_engine *engine, const struct sevq_error *err)
{
	take_back(engine);
	for (struct sevq_op *op = engine->batch.first; op != NULL; op = op->next)
		if (op->error.code == SEVQ_OK)
			fail_op(op, err);
	finish(engine);
}

static void
count_committed(struct sevq_engine *engine)
{
	const struct sevq_store_batch *batch = &engine->plan.batch;
	engine->stats.enqueued += batch->event_count;
	engine->stats.duplicates += engine->plan.duplicates;
	for (size_t i = 0; i < batch->outcome_count; i++)
		engine->stats.outcomes[batch->outcomes[i].kind] += batch->outcomes[i].count;
}

/* Ops that found nothing to have leave the batch and wait. */
static void
park(struct sevq_engine *engine)
{
	struct op_list batch;
	list_init(&batch);
	list_move(&engine->batch, &batch);
	while (batch.first != NULL) {
		struct sevq_op *op = list_take(&batch);
		if (op->planned == SEVQ_PLAN_PARKED && !op->waits_not)
			sevq_waiting_add(&engine->plan.waiting, op);
		else
			list_add(&engine->batch, op);
	}
}

/* All that wait at the key (NULL: anywhere) look again, in this turn. */
static void
rouse(struct sevq_engine *engine, struct sevq_str queue_key)
{
	struct sevq_op *op;
	while ((op = sevq_waiting_take(&engine->plan.waiting, queue_key)) != NULL) {
		list_add(&engine->waiting, op);
		engine->again = true;
	}
}

/* After a commit, while its queues are still there: whoever waits for what is deliverable now hears of it. */
static void
wake(struct sevq_engine *engine)
{
	if (engine->parked > 0)
		park(engine);
	sevq_plan_gather_woken(&engine->plan);
	for (size_t i = 0; i < engine->plan.woken_count; i++) {
		const struct sevq_woken_queue *woken = &engine->plan.woken[i];
		size_t deliverable = sevq_queue_deliverable(woken->queue);
		if (deliverable == 0)
			continue;
		if (engine->woken != NULL)
			engine->woken(engine->woken_arg, woken->queue->session.key, deliverable, woken->now, woken->source);
		rouse(engine, woken->queue->session.key);
	}
}

static bool
timer_needed(const struct sevq_timer *timer, void *arg)
{
	const struct sevq_catalog *catalog = arg;
	if (timer->kind == SEVQ_TIMER_LEASE) {
		const struct sevq_lease *lease = sevq_catalog_lease(catalog, timer->id);
		return lease != NULL && timer->at_boot_ms == lease->timer_boot_ms;
	}
	struct sevq_extra extra = sevq_catalog_extra(catalog, timer->id);
	return timer->at_boot_ms == (timer->kind == SEVQ_TIMER_AVAILABLE ? extra.available_boot_ms : extra.expires_boot_ms);
}

/* Those that the batch has set join the others. Leases that were acked in time leave theirs behind. */
static void
keep_timers(struct sevq_plan *plan)
{
	for (size_t i = 0; i < plan->set_count; i++)
		sevq_timers_add(&plan->timers, plan->set[i]);
	size_t needed = 2 * plan->catalog.extras.count + plan->catalog.leases.count; /* at most */
	if (sevq_timers_crowded(&plan->timers, needed))
		sevq_timers_squeeze(&plan->timers, timer_needed, &plan->catalog);
}

/* What the commit has added; its texts are borrowed from the ops, so this comes before they are answered. */
static void
keep_recent(struct sevq_engine *engine)
{
	const struct sevq_store_batch *batch = &engine->plan.batch;
	for (size_t i = 0; i < batch->event_count; i++)
		sevq_recent_add(&engine->recent, &batch->events[i].event);
}

/* All that follows from a batch but the answers. */
static void
succeed(struct sevq_engine *engine)
{
	count_committed(engine);
	keep_recent(engine);
	if (engine->plan.popped_count > 0)
		engine->time_waits_until_boot_ms = 0;
	wake(engine);
	sevq_catalog_commit(&engine->plan.catalog);
	keep_timers(&engine->plan);
	sevq_plan_reset(&engine->plan);
}

/* The disk is at work. */
static void
on_written(void *arg)
{
	struct sevq_engine *engine = arg;
	succeed(engine);
	for (struct sevq_op *op = engine->batch.first; op != NULL; op = op->next)
		if (op->prepare != NULL && op->planned == SEVQ_PLANNED && op->error.code == SEVQ_OK)
			op->prepare(op, op->arg);
}

/* The store is full: what appends is refused, the rest gets a second try in the same turn. */
static void
retry_without_appends(struct sevq_engine *engine, const struct sevq_error *err)
{
	engine->retried = true;
	take_back(engine);
	for (struct sevq_op *op = engine->batch.first; op != NULL; op = op->next) {
		if (op->error.code == SEVQ_OK && op->kind->appends) {
			fail_op(op, err);
			engine->stats.rejected_storage_full++;
		}
	}
	plan_batch_again(engine);
}

static void
on_committed(void *arg, const struct sevq_error *err)
{
	struct sevq_engine *engine = arg;
	engine->stats.commit_us_total += (uint64_t)(monotonic_us() - engine->commit_began_us);
	if (err == NULL) {
		engine->stats.commits++;
		finish(engine);
		return;
	}
	engine->stats.commit_failures++;
	if (err->code == SEVQ_STORAGE_UNKNOWN)
		engine->failed = *err;
	else if (err->code == SEVQ_STORAGE_FULL && !engine->retried)
		retry_without_appends(engine, err);
	else
		fail_batch(engine, err);
}

static void
commit(struct sevq_engine *engine)
{
	struct sevq_store_batch *batch = &engine->plan.batch;
	if (batch->event_count + batch->outcome_count + batch->key_count == 0) {
		succeed(engine);
		finish(engine);
		return;
	}
	sevq_plan_gather_contexts(&engine->plan);
	engine->commit_began_us = monotonic_us();
	engine->store->driver->commit(engine->store, batch, on_written, on_committed, engine);
}

/* The row, and what the catalog knows better. */
static void
deliver(struct sevq_want *want, const struct sevq_event *event)
{
	sevq_event_copy(want->into, event, &want->op->arena);
	want->into->attempts = want->attempts;
	if (want->available_at_ms > 0)
		want->into->available_at_ms = want->available_at_ms;
	want->into->state = want->state;
	want->into->outcome = want->outcome;
	want->into = NULL;
}

static void
on_event(void *arg, const struct sevq_event *event)
{
	struct sevq_engine *engine = arg;
	struct sevq_plan *plan = &engine->plan;
	while (engine->read_at < plan->want_count &&
	       (plan->wants[engine->read_at].into == NULL || plan->wants[engine->read_at].id != event->id))
		engine->read_at++;
	if (engine->read_at < plan->want_count)
		deliver(&plan->wants[engine->read_at], event);
}

/* Whether an event that an answer needs did not come; the ops that need it have failed then. */
static bool
fail_without_event(struct sevq_engine *engine)
{
	struct sevq_error lost;
	bool any = false;
	for (size_t i = 0; i < engine->plan.want_count; i++) {
		const struct sevq_want *want = &engine->plan.wants[i];
		if (want->into == NULL || want->optional)
			continue;
		sevq_fail(&lost, SEVQ_STORAGE_FAILED, "pending event %lld cannot be read from the store", (long long)want->id);
		fail_op(want->op, &lost);
		any = true;
	}
	return any;
}

/*
 * Nothing is committed before the texts of its answers are in hand. A lost row fails the ops that need it and nobody else:
 * the others are planned again without them. Where the store fails, time goes on without what it alone wanted to read.
 */
static void
on_read(void *arg, const struct sevq_error *err)
{
	struct sevq_engine *engine = arg;
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
 * An event that is in memory: of this very batch, which is not in the store yet, or a recent one. NULL: ask the store, which
 * alone knows of an event that may have been forgotten whether it was.
 */
static const struct sevq_event *
in_memory(struct sevq_engine *engine, const struct sevq_want *want)
{
	const struct sevq_store_batch *batch = &engine->plan.batch;
	if (batch->event_count > 0 && want->id >= batch->events[0].event.id)
		return &batch->events[want->id - batch->events[0].event.id].event;
	const struct sevq_event *event = want->old ? NULL : sevq_recent_find(&engine->recent, want->id);
	*(event != NULL ? &engine->stats.recent_hits : &engine->stats.recent_misses) += 1;
	return event;
}

/* Delivers what is in memory; the rest is in read_ids. */
static size_t
deliver_from_memory(struct sevq_engine *engine)
{
	size_t others = 0;
	engine->read_ids = sevq_grow(engine->read_ids, &engine->read_cap, engine->plan.want_count, sizeof *engine->read_ids);
	for (size_t i = 0; i < engine->plan.want_count; i++) {
		struct sevq_want *want = &engine->plan.wants[i];
		const struct sevq_event *event = in_memory(engine, want);
		if (event != NULL)
			deliver(want, event);
		else
			engine->read_ids[others++] = want->id;
	}
	return others;
}

static void
read_events(struct sevq_engine *engine)
{
	size_t others = deliver_from_memory(engine);
	engine->read_at = 0;
	if (others == 0)
		commit(engine);
	else
		engine->store->driver->read(engine->store, engine->read_ids, others, on_event, on_read, engine);
}

/* Refuses before any work what would only fail later. */
static int
admit(struct sevq_engine *engine, struct sevq_op *op)
{
	if (!op->kind->appends || sevq_engine_ready(engine, &op->error))
		return 0;
	engine->stats.rejected_storage_full += op->error.code == SEVQ_STORAGE_FULL;
	return -1;
}

/* Answers are in memory until they are sent, and all of a batch at once: no call may make them more than there is room for. */
static bool
crowds(const struct sevq_engine *engine, size_t bytes_before)
{
	return bytes_before > 0 && engine->plan.want_bytes > bytes_before && engine->plan.want_bytes > engine->room;
}

static int
fail_crowding(struct sevq_engine *engine, struct sevq_op *op)
{
	engine->stats.rejected_answers++;
	return sevq_fail(&op->error, SEVQ_QUEUE_FULL, "too many large answers at once");
}

static void
plan_op(struct sevq_engine *engine, struct sevq_op *op)
{
	struct sevq_plan_mark mark = sevq_plan_mark(&engine->plan);
	if (op->error.code != SEVQ_OK || admit(engine, op) < 0)
		return;
	empty_answer(op); /* of an earlier try */
	op->planned = op->kind->plan(&engine->plan, op);
	if (op->planned == SEVQ_PLANNED && crowds(engine, mark.want_bytes))
		op->planned = fail_crowding(engine, op);
	engine->parked += op->planned == SEVQ_PLAN_PARKED;
	if (op->planned != SEVQ_PLANNED)
		sevq_plan_undo(&engine->plan, mark);
	if (op->planned == SEVQ_PLAN_REFUSED)
		empty_answer(op);
}

/*
 * Everything was taken back and those who cannot have what they want have failed; the others try again. So do calls that were
 * refused: it may have been for the sake of something that is not there now. (An enqueue that was refused stays so: it might
 * want the space that is missing.)
 */
static void
plan_batch_again(struct sevq_engine *engine)
{
	for (struct sevq_op *op = engine->batch.first; op != NULL; op = op->next)
		if (op->planned == SEVQ_PLAN_REFUSED && !op->kind->appends)
			op->error = (struct sevq_error){ 0 };
	plan_batch(engine);
}

static void
plan_batch(struct sevq_engine *engine)
{
	look_at_clocks(engine);
	engine->plan.policy = engine->policy;
	engine->parked = 0;
	for (struct sevq_op *op = engine->batch.first; op != NULL; op = op->next)
		plan_op(engine, op);
	read_events(engine);
}

/* --- what ops look up before they are planned ---------------------------------------------------------------------- */

static void page_next(struct sevq_engine *engine, struct sevq_op *op);

static void
on_page(void *arg, int64_t more_outcome, int64_t more_event, const struct sevq_error *err)
{
	struct sevq_engine *engine = arg;
	struct sevq_op *op = engine->paging;
	if (err != NULL)
		fail_op(op, err);
	else
		op->kind->page(op, more_outcome, more_event);
	page_next(engine, op->next);
}

static void
on_row(void *arg, const struct sevq_event *event, const struct sevq_store_outcome *outcome)
{
	struct sevq_engine *engine = arg;
	engine->plan.want_bytes += event->text.len;
	engine->paging->kind->row(engine->paging, event, outcome);
}

/* Pages of history are read one after the other, for this op and those behind it; then the batch is planned. */
static void
page_next(struct sevq_engine *engine, struct sevq_op *op)
{
	for (; op != NULL; op = op->next) {
		if (op->kind->query == NULL || op->error.code != SEVQ_OK)
			continue;
		const struct sevq_history_query *query = op->kind->query(&engine->plan, op);
		if (query == NULL)
			continue;
		if (engine->plan.want_bytes > engine->room) {
			fail_crowding(engine, op);
			continue;
		}
		engine->paging = op;
		engine->store->driver->history(engine->store, query, on_row, on_page, engine);
		return;
	}
	plan_batch(engine);
}

static void
on_found(void *arg, size_t index, const struct sevq_found *found)
{
	struct sevq_engine *engine = arg;
	const struct looker *looker = &engine->lookers[index];
	looker->op->kind->found(looker->op, looker->index, found);
}

static void
on_looked_up(void *arg, const struct sevq_error *err)
{
	struct sevq_engine *engine = arg;
	for (size_t i = 0; err != NULL && i < engine->lookup_count; i++)
		fail_op(engine->lookers[i].op, err);
	page_next(engine, engine->batch.first);
}

static void
add_lookup(struct sevq_engine *engine, struct sevq_op *op, size_t index, struct sevq_lookup lookup)
{
	size_t count = engine->lookup_count;
	engine->lookups = sevq_grow(engine->lookups, &engine->lookup_cap, count + 1, sizeof *engine->lookups);
	engine->lookers = sevq_grow(engine->lookers, &engine->looker_cap, count + 1, sizeof *engine->lookers);
	engine->lookups[count] = lookup;
	engine->lookers[count] = (struct looker){ op, index };
	engine->lookup_count++;
}

static void
look_up(struct sevq_engine *engine)
{
	struct sevq_lookup lookup;
	engine->lookup_count = 0;
	engine->plan.policy = engine->policy;
	for (struct sevq_op *op = engine->batch.first; op != NULL; op = op->next)
		for (size_t i = 0; op->kind->lookup != NULL && op->kind->lookup(&engine->plan, op, i, &lookup); i++)
			if (lookup.kind != SEVQ_LOOKUP_NONE)
				add_lookup(engine, op, i, lookup);
	if (engine->lookup_count == 0)
		page_next(engine, engine->batch.first);
	else
		engine->store->driver->lookup(engine->store, engine->lookups, engine->lookup_count, on_found, on_looked_up, engine);
}

/* Answers under way may borrow text from the policy they were routed by, so it is changed between batches only. */
static void
adopt_policy(struct sevq_engine *engine)
{
	if (engine->next_policy == NULL || engine->batch.count > 0)
		return;
	sevq_policy_free(engine->policy);
	engine->policy = engine->next_policy;
	engine->next_policy = NULL;
	sevq_places_clear(&engine->plan.places);
	rouse(engine, SEVQ_STR_NULL); /* what they wait at may have another name now */
}

static int64_t
due_boot_ms(const struct sevq_engine *engine)
{
	const struct sevq_timer *first = sevq_timers_first(&engine->plan.timers);
	if (first == NULL)
		return INT64_MAX;
	return first->at_boot_ms > engine->time_waits_until_boot_ms ? first->at_boot_ms : engine->time_waits_until_boot_ms;
}

int64_t
sevq_engine_due_ms(const struct sevq_engine *engine)
{
	int64_t due = due_boot_ms(engine), now = sevq_clock().boot_ms;
	if (due == INT64_MAX || engine->failed.code != SEVQ_OK)
		return -1;
	return due > now ? due - now : 0;
}

/* Time goes first: nobody is given what has just expired, and what has just been given back can be had. */
static void
start_batch(struct sevq_engine *engine)
{
	if (due_boot_ms(engine) <= sevq_clock().boot_ms) {
		sevq_tick_init(&engine->tick);
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
sevq_engine_turn(struct sevq_engine *engine, struct sevq_error *err)
{
	adopt_policy(engine);
	do {
		engine->again = false;
		if (engine->failed.code == SEVQ_OK && engine->batch.count == 0)
			start_batch(engine);
	} while (engine->again);
	return sevq_engine_stopped(engine, err) ? -1 : 0;
}

void
sevq_engine_set_room(struct sevq_engine *engine, size_t text_bytes)
{
	engine->room = text_bytes;
}

bool
sevq_engine_idle(const struct sevq_engine *engine)
{
	return engine->waiting.count == 0 && engine->batch.count == 0;
}

static bool
is_pending(void *arg, struct sevq_str session_key, int64_t event_id)
{
	const struct sevq_queue *queue = sevq_catalog_find(arg, session_key);
	return queue != NULL && sevq_queue_entry(queue, event_id) != NULL;
}

/*
 * The time by which things are old enough to be forgotten. A wall clock that runs ahead for a moment must not take a week's
 * history with it, so it counts only as far as time has passed since the engine was opened. Where the clock began in the past and
 * was put right later, things are therefore kept longer, until the next start.
 */
static int64_t
forgetting_ms(const struct sevq_engine *engine)
{
	struct sevq_clock now = sevq_clock();
	int64_t passed_ms = engine->opened_wall_ms + (now.boot_ms - engine->plan.opened_boot_ms);
	return now.wall_ms < passed_ms ? now.wall_ms : passed_ms;
}

bool
sevq_engine_chores(struct sevq_engine *engine)
{
	if (engine->batch.count > 0 || engine->failed.code != SEVQ_OK)
		return false;
	int64_t now_ms = forgetting_ms(engine);
	const struct sevq_chores chores = { .settled_before_ms = now_ms - engine->options.retention_ms,
					    .settled_rows_max = engine->options.retention_rows,
					    .keys_before_ms = now_ms - SEVQ_IDEMPOTENCY_MS,
					    .pending_count = engine->plan.catalog.pending,
					    .pending = is_pending,
					    .arg = &engine->plan.catalog };
	bool more = engine->store->driver->chores(engine->store, &chores);
	struct sevq_error err;
	if (!engine->store->driver->ready(engine->store, &err) && err.code == SEVQ_STORAGE_UNKNOWN)
		engine->failed = err;
	return more;
}

bool
sevq_engine_stopped(const struct sevq_engine *engine, struct sevq_error *err)
{
	if (engine->failed.code == SEVQ_OK)
		return false;
	*err = engine->failed;
	return true;
}

/* --- waiting ------------------------------------------------------------------------------------------------------- */

bool
sevq_engine_unpark(struct sevq_engine *engine, struct sevq_op *op)
{
	if (!op->parked) {
		op->waits_not = true;
		return false;
	}
	sevq_waiting_remove(&engine->plan.waiting, op);
	return true;
}

void
sevq_engine_on_wake(struct sevq_engine *engine, sevq_woken *woken, void *arg)
{
	engine->woken = woken;
	engine->woken_arg = arg;
}

void
sevq_engine_each_deliverable(const struct sevq_engine *engine, sevq_woken *each, void *arg)
{
	const struct sevq_queue *queue;
	for (size_t at = 0; (queue = sevq_catalog_each(&engine->plan.catalog, &at)) != NULL;)
		if (sevq_queue_deliverable(queue) > 0)
			each(arg, queue->session.key, sevq_queue_deliverable(queue), false, SEVQ_STR_NULL);
}

size_t
sevq_engine_deliverable(const struct sevq_engine *engine, struct sevq_str queue_key)
{
	const struct sevq_queue *queue = sevq_catalog_find(&engine->plan.catalog, queue_key);
	return queue != NULL ? sevq_queue_deliverable(queue) : 0;
}

struct sevq_str
sevq_engine_timezone(const struct sevq_engine *engine)
{
	return sevq_policy_timezone(engine->policy);
}

/* --- the rest ---------------------------------------------------------------------------------------------------- */

int
sevq_engine_route(const struct sevq_engine *engine, const struct sevq_address *address, struct sevq_arena *arena,
		  struct sevq_decision *ret, struct sevq_error *err)
{
	if (sevq_address_check(address, err) < 0 || sevq_route(engine->policy, address, true, arena, ret, err) < 0)
		return -1;
	return sevq_queue_key_check(ret->queue_key, err);
}

void
sevq_engine_set_policy(struct sevq_engine *engine, struct sevq_policy *policy)
{
	sevq_policy_free(engine->next_policy);
	engine->next_policy = policy;
	adopt_policy(engine);
}

bool
sevq_engine_ready(const struct sevq_engine *engine, struct sevq_error *err)
{
	return !sevq_engine_stopped(engine, err) && engine->store->driver->ready(engine->store, err);
}

/* What takes a walk over the queues. */
static void
count_queues(const struct sevq_catalog *catalog, struct sevq_engine_stats *ret)
{
	const struct sevq_queue *queue;
	int64_t oldest = 0;
	for (size_t at = 0; (queue = sevq_catalog_each(catalog, &at)) != NULL;) {
		const struct sevq_entry *first = sevq_queue_first(queue, 0);
		if (first != NULL && (oldest == 0 || first->ts_ms < oldest))
			oldest = first->ts_ms;
		ret->leased_now += queue->leased;
		ret->delayed_now += queue->delayed;
	}
	ret->oldest_ts_ms = oldest;
}

void
sevq_engine_stats(const struct sevq_engine *engine, struct sevq_engine_stats *ret)
{
	*ret = engine->stats;
	ret->pending = engine->plan.catalog.pending;
	ret->sessions = engine->plan.catalog.sessions;
	ret->leases = engine->plan.catalog.leases.count;
	ret->waiters = engine->plan.waiting.count;
	count_queues(&engine->plan.catalog, ret);
	ret->catalog_bytes = sevq_catalog_bytes(&engine->plan.catalog);
	ret->recent_bytes = sevq_recent_bytes(&engine->recent);
	engine->store->driver->stats(engine->store, &ret->store);
}
