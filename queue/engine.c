/*
 * engine.c - one turn of the loop, one batch, one commit.
 *
 * Group commit. An fsync costs a few hundred microseconds however much it covers, so the engine never commits for one
 * op: everything submitted since the last turn is planned in order against the catalog, the events that the answers
 * need are read, the records are committed in one transaction with one fsync, and only then is anybody answered. While
 * the commit runs, the kernel gathers the next turn's requests; batches grow with load by themselves, and there is no
 * timer, no lock and no second thread.
 *
 *     submit ... submit, turn: locate -> plan -> read -> commit -> finish
 *
 * Each arrow may be a call that returns at once (SQLite) or a wait for the store to call back; the state between two
 * turns is whole either way. What it refuses to be: a scheduler. Ops run in the order they came; a batch is never
 * reordered, split or held back.
 *
 * A failed commit takes the catalog back to where it was. Ops that needed space are then refused and the others tried
 * once more without them, so a full disk never stops a drain. A commit of unknown outcome stops the engine for good.
 */
#include "queue/engine.h"

#include <assert.h>
#include <stdlib.h>
#include <time.h>

#include "queue/plan.h"

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
	struct op_list waiting; /* submitted, for the next batch */
	struct op_list batch;   /* under way; empty between turns unless the store is still at it */
	int64_t *read_ids;
	size_t read_cap, read_at;  /* read_at: the want that the next event read belongs to */
	struct sevq_op *locate_at; /* the op that the next event located belongs to, or one before it */
	int64_t commit_began_us;
	struct sevq_error failed; /* SEVQ_STORAGE_UNKNOWN once the engine has stopped */
	bool retried;             /* the batch is what was left after a full store */
};

static void plan_batch(struct sevq_engine *engine);

void
sevq_engine_options_init(struct sevq_engine_options *options)
{
	*options = (struct sevq_engine_options){
		.batch_events_max = SEVQ_BATCH_EVENTS_DEFAULT,
		.session_pending_max = SEVQ_SESSION_PENDING_DEFAULT,
		.sessions_max = SEVQ_SESSIONS_DEFAULT,
		.pending_max = SEVQ_PENDING_DEFAULT,
		.overflow = SEVQ_OVERFLOW_REJECT,
		.retention_ms = SEVQ_RETENTION_MS_DEFAULT,
		.retention_rows = SEVQ_RETENTION_ROWS_DEFAULT,
	};
}

static int64_t
clock_us(clockid_t clock)
{
	struct timespec now;
	clock_gettime(clock, &now);
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
	while (from->first != NULL)
		list_add(to, list_take(from));
}

/* --- opening ----------------------------------------------------------------------------------------------------- */

/* The same tag, queue and entry that the enqueue made; final at once, so that the journal stays as small as a batch. */
static int
load_event(void *arg, const struct sevq_event *event, int64_t session_row, uint64_t text_hash, size_t text_bytes,
	   struct sevq_error *err)
{
	struct sevq_catalog *catalog = arg;
	if (text_bytes == 0 || text_bytes > SEVQ_TEXT_BYTES_MAX)
		return sevq_fail(err, SEVQ_STORAGE_CORRUPT, "event %lld has a text of %zu bytes", (long long)event->id, text_bytes);
	struct sevq_queue *queue = sevq_catalog_need(catalog, event->session_key);
	struct sevq_str original = sevq_trim(event->original_session_key);
	bool rekeyed = !sevq_str_eq(original, event->session_key);
	uint32_t tag = sevq_tags_intern(&catalog->tags, event->context_key, rekeyed ? original : SEVQ_STR_NULL, &event->delivery);
	queue->session.row = session_row;
	sevq_queue_append(catalog, queue,
			  (struct sevq_entry){ .id = event->id,
					       .ts_ms = event->ts_ms,
					       .text_hash = text_hash,
					       .tag = tag,
					       .text_bytes_m1 = (uint16_t)(text_bytes - 1) });
	if (event->context_key.len > 0)
		sevq_queue_set_last(catalog, queue, tag);
	sevq_catalog_commit(catalog);
	return 0;
}

int
sevq_engine_open(struct sevq_store *store, struct sevq_policy *policy, const struct sevq_engine_options *options,
		 struct sevq_engine **ret, struct sevq_error *err)
{
	struct sevq_engine *engine = sevq_alloc(sizeof *engine);
	int64_t last_id = 0, last_ts_ms = 0;
	engine->options = *options;
	engine->plan.options = &engine->options;
	engine->plan.stats = &engine->stats;
	list_init(&engine->waiting);
	list_init(&engine->batch);
	sevq_catalog_init(&engine->plan.catalog);
	if (store->driver->load(store, load_event, &engine->plan.catalog, &last_id, &last_ts_ms, err) < 0) {
		sevq_engine_close(engine);
		return -1;
	}
	engine->plan.next_id = last_id + 1;
	engine->plan.now_ms = last_ts_ms;
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
	free(engine->read_ids);
	free(engine);
}

/* --- one batch: locate -> plan -> read -> commit -> finish -------------------------------------------------------- */

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
		op->done(op, op->arg);
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
	empty_answer(op);
}

/* Back to before the batch. */
static void
take_back(struct sevq_engine *engine)
{
	sevq_catalog_rollback(&engine->plan.catalog, 0);
	sevq_plan_reset(&engine->plan);
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
	struct sevq_engine_stats *stats = &engine->stats;
	uint64_t *counter[] = { [SEVQ_OUTCOME_DRAINED] = &stats->drained,     [SEVQ_OUTCOME_CONSUMED] = &stats->consumed,
				[SEVQ_OUTCOME_WITHDRAWN] = &stats->withdrawn, [SEVQ_OUTCOME_PURGED] = &stats->purged,
				[SEVQ_OUTCOME_REPLACED] = &stats->replaced,   [SEVQ_OUTCOME_EVICTED] = &stats->evicted };
	stats->enqueued += batch->event_count;
	stats->duplicates += engine->plan.duplicates;
	for (size_t i = 0; i < batch->outcome_count; i++)
		*counter[batch->outcomes[i].kind] += batch->outcomes[i].count;
}

static void
succeed(struct sevq_engine *engine)
{
	count_committed(engine);
	sevq_catalog_commit(&engine->plan.catalog);
	sevq_plan_reset(&engine->plan);
	finish(engine);
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
	plan_batch(engine);
}

static void
on_committed(void *arg, const struct sevq_error *err)
{
	struct sevq_engine *engine = arg;
	engine->stats.commit_us_total += (uint64_t)(clock_us(CLOCK_MONOTONIC) - engine->commit_began_us);
	if (err == NULL) {
		engine->stats.commits++;
		succeed(engine);
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
	if (batch->event_count == 0 && batch->outcome_count == 0) {
		succeed(engine);
		return;
	}
	engine->commit_began_us = clock_us(CLOCK_MONOTONIC);
	engine->store->driver->commit(engine->store, batch, on_committed, engine);
}

static void
deliver(struct sevq_want *want, const struct sevq_event *event)
{
	sevq_event_copy(want->into, event, &want->op->arena);
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
		if (want->into == NULL)
			continue;
		sevq_fail(&lost, SEVQ_STORAGE_FAILED, "pending event %lld cannot be read from the store", (long long)want->id);
		fail_op(want->op, &lost);
		any = true;
	}
	return any;
}

/*
 * Nothing is committed before the texts of its answers are in hand. A lost row fails the ops that need it and nobody else:
 * the others are planned again without them.
 */
static void
on_read(void *arg, const struct sevq_error *err)
{
	struct sevq_engine *engine = arg;
	if (err != NULL) {
		fail_batch(engine, err);
	} else if (fail_without_event(engine)) {
		take_back(engine);
		plan_batch(engine);
	} else {
		commit(engine);
	}
}

/* Events of this very batch are not in the store yet: they are copied from the records. */
static size_t
read_own(struct sevq_engine *engine)
{
	const struct sevq_store_batch *batch = &engine->plan.batch;
	int64_t first = batch->event_count > 0 ? batch->events[0].event.id : INT64_MAX;
	size_t others = 0;
	engine->read_ids = sevq_grow(engine->read_ids, &engine->read_cap, engine->plan.want_count, sizeof *engine->read_ids);
	for (size_t i = 0; i < engine->plan.want_count; i++) {
		struct sevq_want *want = &engine->plan.wants[i];
		if (want->id >= first)
			deliver(want, &batch->events[want->id - first].event);
		else
			engine->read_ids[others++] = want->id;
	}
	return others;
}

static void
read_events(struct sevq_engine *engine)
{
	size_t others = read_own(engine);
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

static void
plan_op(struct sevq_engine *engine, struct sevq_op *op)
{
	struct sevq_plan_mark mark = sevq_plan_mark(&engine->plan);
	if (op->error.code != SEVQ_OK || admit(engine, op) < 0)
		return;
	empty_answer(op); /* of an earlier try */
	if (op->kind->plan(&engine->plan, op) < 0) {
		sevq_plan_undo(&engine->plan, mark);
		empty_answer(op);
	}
}

static void
plan_batch(struct sevq_engine *engine)
{
	int64_t wall_ms = clock_us(CLOCK_REALTIME) / 1000;
	if (wall_ms > engine->plan.now_ms)
		engine->plan.now_ms = wall_ms;
	engine->plan.policy = engine->policy;
	for (struct sevq_op *op = engine->batch.first; op != NULL; op = op->next)
		plan_op(engine, op);
	read_events(engine);
}

/* The id that the op names alone; 0: none. */
static int64_t
located_id(const struct sevq_op *op)
{
	return op->kind->locate != NULL ? op->kind->locate(op) : 0;
}

static void
on_located_event(void *arg, const struct sevq_event *event)
{
	struct sevq_engine *engine = arg;
	struct sevq_op *op = engine->locate_at;
	while (op != NULL && located_id(op) != event->id)
		op = op->next;
	if (op == NULL)
		return;
	op->located = sevq_arena_dup(&op->arena, event->session_key);
	engine->locate_at = op->next;
}

static void
on_located(void *arg, const struct sevq_error *err)
{
	struct sevq_engine *engine = arg;
	for (struct sevq_op *op = engine->batch.first; err != NULL && op != NULL; op = op->next)
		if (located_id(op) != 0)
			fail_op(op, err);
	plan_batch(engine);
}

/* Ops that name an event by its id alone learn its session from the event's row. */
static void
locate(struct sevq_engine *engine)
{
	size_t count = 0;
	engine->locate_at = engine->batch.first;
	for (struct sevq_op *op = engine->batch.first; op != NULL; op = op->next) {
		int64_t id = located_id(op);
		if (id == 0)
			continue;
		engine->read_ids = sevq_grow(engine->read_ids, &engine->read_cap, count + 1, sizeof *engine->read_ids);
		engine->read_ids[count++] = id;
	}
	if (count == 0)
		plan_batch(engine);
	else
		engine->store->driver->read(engine->store, engine->read_ids, count, on_located_event, on_located, engine);
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
}

int
sevq_engine_turn(struct sevq_engine *engine, struct sevq_error *err)
{
	adopt_policy(engine);
	if (engine->failed.code == SEVQ_OK && engine->batch.count == 0 && engine->waiting.count > 0) {
		list_move(&engine->waiting, &engine->batch);
		engine->retried = false;
		engine->stats.ops += engine->batch.count;
		if (engine->batch.count > engine->stats.batch_ops_max)
			engine->stats.batch_ops_max = engine->batch.count;
		locate(engine);
	}
	if (engine->failed.code == SEVQ_OK)
		return 0;
	*err = engine->failed;
	return -1;
}

bool
sevq_engine_idle(const struct sevq_engine *engine)
{
	return engine->waiting.count == 0 && engine->batch.count == 0;
}

bool
sevq_engine_chores(struct sevq_engine *engine)
{
	if (engine->batch.count > 0 || engine->failed.code != SEVQ_OK)
		return false;
	int64_t now_ms = clock_us(CLOCK_REALTIME) / 1000;
	return engine->store->driver->chores(engine->store, now_ms - engine->options.retention_ms, engine->options.retention_rows,
					     engine->plan.catalog.pending);
}

/* --- the rest ---------------------------------------------------------------------------------------------------- */

int
sevq_engine_route(const struct sevq_engine *engine, const struct sevq_address *address, struct sevq_arena *arena,
		  struct sevq_decision *ret, struct sevq_error *err)
{
	if (sevq_address_check(address, err) < 0)
		return -1;
	return sevq_route(engine->policy, address, true, arena, ret, err);
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
	if (engine->failed.code == SEVQ_OK)
		return engine->store->driver->ready(engine->store, err);
	*err = engine->failed;
	return false;
}

static int64_t
oldest_ts_ms(const struct sevq_catalog *catalog)
{
	const struct sevq_queue *queue;
	int64_t oldest = 0;
	for (size_t at = 0; (queue = sevq_catalog_each(catalog, &at)) != NULL;) {
		const struct sevq_entry *first = sevq_queue_first(queue, 0);
		if (first != NULL && (oldest == 0 || first->ts_ms < oldest))
			oldest = first->ts_ms;
	}
	return oldest;
}

void
sevq_engine_stats(const struct sevq_engine *engine, struct sevq_engine_stats *ret)
{
	*ret = engine->stats;
	ret->pending = engine->plan.catalog.pending;
	ret->sessions = engine->plan.catalog.sessions;
	ret->oldest_ts_ms = oldest_ts_ms(&engine->plan.catalog);
	ret->catalog_bytes = sevq_catalog_bytes(&engine->plan.catalog);
	engine->store->driver->stats(engine->store, &ret->store);
}
