/*
 * batch.c - group commit, step by step.
 *
 * The problem. An fsync costs a few hundred microseconds however much it covers, so the queue never
 * commits for one op: everything submitted since the last turn is planned in order against the
 * catalog, the events that the answers need are read, the records are committed in one transaction
 * with one fsync, and only then is anybody answered. While the commit runs, the kernel gathers the
 * next turn's requests; batches grow with load by themselves, and there is no timer, no lock and no
 * second thread.
 *
 * The design. A batch is at one step at a time:
 *
 *     look up   what ops need from the store before they can be planned; lists look at the catalog
 *     pages     pages of history, one after the other
 *     plan      each op against the catalog; it sees what those before it have changed
 *     read      texts of the answers, from memory or the store
 *     commit    the records; the catalog's changes become final when they are written
 *     finish    every op is answered, in order
 *
 * The start of a step returns the next one, or STEP_ASKED: then the store calls back, at once
 * (SQLite) or later from the loop (a network store), and the answered half of the step returns the
 * next one. A call-back only notes that it came. go_on runs the steps in a loop, so nothing nests,
 * whatever the store does and however many ops a batch has.
 *
 * A batch without records asks the store too: only the store knows whether it may still answer.
 * Once records are written, and while the disk makes them durable, the catalog's changes become
 * final and answers are prepared. The only failure left is an unknown outcome, which stops the
 * queue for good, so none of this is ever undone. An unknown outcome of any other call stops it
 * too.
 *
 * A failed commit takes the catalog back to where it was. If the store was full, ops that need
 * space are refused, or wait while the store makes room, and the others planned again, so a full
 * disk never stops a drain.
 *
 * An op leaves the batch in one of four ways: it is answered; it is parked at its queue key, until
 * a commit wakes that queue; it is submitted again, because its plan found that it must look
 * something up first; or it is left to a later turn, because this one has done enough work
 * (budget.h), or because much is to be read for it (read_ahead.h). The work of some ops is known
 * before they are planned, that of others by their plan, which is then undone.
 *
 * What it refuses to be: a scheduler. There are small ops and large ones, and each kind runs in the
 * order in which it was submitted.
 */
#include "queue/batch.h"

#include <assert.h>
#include <stdlib.h>

#include "queue/catalog/journal.h"
#include "queue/clock.h"
#include "queue/ops/id_list.h"
#include "queue/read_ahead.h"
#include "queue/ready.h"

#define TICK_RETRY_MS 1000 /* after a batch with a tick has failed */

static void go_on(struct batch *batch);

void
batch_init(struct batch *batch, struct queue_state *state)
{
	*batch = (struct batch){
		.state = state, .step = STEP_OVER, .answer_budget = SIZE_MAX, .answer_alone = true
	};
	batch->plan.state = state;
	tick_op_init(&batch->tick);
	op_list_init(&batch->ops);
}

void
batch_clear(struct batch *batch)
{
	plan_clear(&batch->plan);
	op_clear(&batch->tick.op);
	free(batch->wanted);
	free(batch->lookups);
	free(batch->lookers);
}

/* --- failing, and trying again --- */

static void
clear_answer(struct op *op)
{
	memset((char *)op + op->kind->answer, 0, op->kind->bytes - op->kind->answer);
}

static void
fail_op(struct op *op, const struct error *err)
{
	op->error = *err;
	op->planned = PLAN_DONE;
	clear_answer(op);
}

/* Undoes the plan. The timers that a tick has popped are due again, but not at once. */
static void
undo_plan(struct batch *batch)
{
	struct queue_state *state = batch->state;
	struct plan *plan = &batch->plan;

	journal_rollback(&state->catalog, 0);
	for (size_t i = 0; i < plan->popped_count; i++)
		timers_add(&state->timers, plan->popped[i]);
	if (plan->popped_count > 0)
		state->tick_after_boot_ms = state->boot_ms + TICK_RETRY_MS;
	batch->budget.kept = batch->kept_before;
	batch->budget.in_vain = 0;
	plan_reset(plan);
}

static enum step
fail_all(struct batch *batch, const struct error *err)
{
	undo_plan(batch);
	for (struct op *op = batch->ops.first; op != NULL; op = op->next)
		if (op->error.code == ERROR_NONE && op->planned != PLAN_LATER)
			fail_op(op, err);
	return STEP_FINISH;
}

/*
 * Plans the ops that have not failed again, after undo_plan. A refused op gets a new chance: it may
 * have been refused because of an op that has failed since. A refused enqueue does not: it might
 * need the space that the store does not have.
 */
static enum step
plan_again(struct batch *batch)
{
	for (struct op *op = batch->ops.first; op != NULL; op = op->next)
		if (op->planned == PLAN_REFUSED && !op->kind->appends)
			op->error = (struct error){ 0 };
	return STEP_PLAN;
}

/*
 * Lets the next answer be as large as there is room for. While little is in memory already, the
 * first answer of a batch may be as large as any.
 */
static void
set_answer_room(struct batch *batch)
{
	size_t most = batch->state->options.answer_bytes_max, used = batch->answer_bytes,
	       left = used < batch->answer_budget ? batch->answer_budget - used : 0;

	batch->plan.answer_room = left < most && !(batch->answer_alone && used == 0) ? left : most;
}

/*
 * Counts the answer of the op, which is in memory until it is sent. False: there is no room for it.
 * A small one needs none, and one event can always be had when little is in memory already.
 */
static bool
count_answer(struct batch *batch, const struct op *op)
{
	size_t bytes = answer_bytes(&op->answer), used = batch->answer_bytes;

	if (bytes > ANSWER_SMALL_BYTES && bytes > batch->plan.answer_room &&
	    !(batch->answer_alone && used == 0))
		return false;
	batch->answer_bytes += bytes;
	return true;
}

static int
refuse_over_budget(struct batch *batch, struct op *op)
{
	batch->state->stats.rejected_answers++;
	return error_set(&op->error, ERROR_QUEUE_FULL,
			 "too many large answers at once; --max-buffered-bytes is reached");
}

/* --- look up --- */

#define AHEAD SIZE_MAX /* instead of the index of a lookup: an event that is read ahead */

static void
add_lookup(struct batch *batch, struct op *op, size_t index, struct lookup lookup)
{
	size_t count = batch->lookup_count;

	batch->lookups =
	    mem_grow(batch->lookups, &batch->lookup_cap, count + 1, sizeof(*batch->lookups));
	batch->lookers =
	    mem_grow(batch->lookers, &batch->looker_cap, count + 1, sizeof(*batch->lookers));
	batch->lookups[count] = lookup;
	batch->lookers[count] = (struct looker){ op, index };
	batch->lookup_count++;
}

/* The error of an op that needs this event. */
static void
set_damaged(struct error *err, int64_t id)
{
	error_set(err, ERROR_STORAGE_FAILED, "event %lld is damaged in the store", (long long)id);
	err->lasting = true;
}

static void
set_lookup_damaged(struct error *err, const struct lookup *lookup)
{
	if (lookup->kind == LOOKUP_KEY)
		error_set(err, ERROR_STORAGE_FAILED, "the answer kept for the key is damaged");
	else if (lookup->kind == LOOKUP_LEASE)
		error_set(err, ERROR_STORAGE_FAILED, "what is stored of lease %lld is damaged",
			  (long long)lookup->id);
	else
		set_damaged(err, lookup->id);
	err->lasting = true;
}

static bool
on_found(void *arg, size_t index, const struct found *found)
{
	struct batch *batch = arg;
	const struct looker *looker = &batch->lookers[index];
	struct error damaged;

	if (looker->index == AHEAD) {
		if (!found->damaged) /* else that is found out when it is read for its answer */
			read_ahead_add(looker->op, found->event);
		return true;
	}
	if (found->damaged) {
		set_lookup_damaged(&damaged, &batch->lookups[index]);
		fail_op(looker->op, &damaged);
		return false;
	}
	return looker->op->kind->found(looker->op, looker->index, found);
}

/* Notes that the store's call has ended. Continues the batch, unless go_on is already running. */
static void
on_called_back(void *arg, const struct error *err)
{
	struct batch *batch = arg;

	assert(batch->asked && !batch->called_back);
	batch->called_back = true;
	batch->error = err != NULL ? *err : (struct error){ 0 };
	if (!batch->inside)
		go_on(batch);
}

static void
add_lookups(struct batch *batch, struct op *op)
{
	struct lookup lookup;

	if (op->kind->look != NULL) {
		state_read_clocks(batch->state);
		op->kind->look(&batch->plan, op);
	}
	for (size_t i = 0;
	     op->kind->lookup != NULL && op->kind->lookup(&batch->plan, op, i, &lookup); i++)
		if (lookup.kind != LOOKUP_NONE)
			add_lookup(batch, op, i, lookup);
	for (size_t i = 0; i < op->ahead.wanted_count; i++)
		add_lookup(batch, op, AHEAD,
			   (struct lookup){ .kind = LOOKUP_EVENT,
					    .id = op->ahead.wanted[i].id,
					    .as_stored = op->ahead.wanted[i].as_stored });
	op->ahead.wanted_count = 0;
}

static enum step
look_up(struct batch *batch)
{
	batch->lookup_count = 0;
	batch->paging = batch->ops.first;
	for (struct op *op = batch->ops.first; op != NULL; op = op->next)
		add_lookups(batch, op);
	if (batch->lookup_count == 0)
		return STEP_PAGES;
	batch->asked = true;
	batch->store->driver->lookup(batch->store, batch->lookups, batch->lookup_count, on_found,
				     on_called_back, batch);
	return STEP_ASKED;
}

static enum step
looked_up(struct batch *batch, const struct error *err)
{
	for (size_t i = 0; err != NULL && i < batch->lookup_count; i++)
		fail_op(batch->lookers[i].op, err);
	return STEP_PAGES;
}

/* --- pages --- */

static bool
on_row(void *arg, const struct system_event *event, const struct store_outcome *outcome)
{
	struct batch *batch = arg;

	return batch->paging->kind->row(batch->paging, event, outcome);
}

static void
on_page(void *arg, int64_t more_outcome, int64_t more_event, size_t text_bytes,
	const struct error *err)
{
	struct batch *batch = arg;

	batch->more_outcome = more_outcome;
	batch->more_event = more_event;
	batch->budget.page_text_bytes += text_bytes;
	on_called_back(batch, err);
}

/* Returns the query of an op that wants a page; NULL: it wants none, or has failed. */
static const struct history_query *
page_query(struct batch *batch, struct op *op)
{
	if (op->kind->query == NULL || op->error.code != ERROR_NONE)
		return NULL;
	if (!budget_has_pages(&batch->budget)) {
		op->planned = PLAN_LATER;
		return NULL;
	}
	set_answer_room(batch);
	if (batch->plan.answer_room > ANSWER_SMALL_BYTES)
		return op->kind->query(&batch->plan, op);
	refuse_over_budget(batch, op);
	return NULL;
}

static enum step
read_page(struct batch *batch)
{
	const struct history_query *query;

	for (; batch->paging != NULL; batch->paging = batch->paging->next) {
		query = page_query(batch, batch->paging);
		if (query == NULL)
			continue;
		batch->asked = true;
		batch->store->driver->history(batch->store, query, on_row, on_page, batch);
		return STEP_ASKED;
	}
	return STEP_PLAN;
}

static enum step
page_was_read(struct batch *batch, const struct error *err)
{
	struct op *op = batch->paging;

	if (err != NULL)
		fail_op(op, err);
	else
		op->kind->page(op, batch->more_outcome, batch->more_event);
	batch->page_bytes += answer_bytes(&op->answer);
	batch->answer_bytes = batch->page_bytes;
	batch->paging = op->next;
	return STEP_PAGES;
}

/* --- plan --- */

/*
 * Refuses an op that appends, before any work, if the store is full; or leaves it to a later turn
 * while the store makes room.
 */
static int
admit(struct batch *batch, struct op *op)
{
	if (!op->kind->appends)
		return 0;
	if (batch->store->makes_room) {
		op->planned = PLAN_LATER;
		return -1;
	}
	if (batch->store->driver->ready(batch->store, &op->error))
		return 0;
	batch->state->stats.rejected_storage_full += op->error.code == ERROR_STORAGE_FULL;
	return -1;
}

/*
 * Whether the op must wait for a later turn because too much is to be read for it. One op at a time
 * is read ahead: until it is planned for good nothing counts what it holds.
 */
static bool
must_read_ahead(struct batch *batch, struct op *op, size_t first_want)
{
	if (!read_ahead_is_needed(&batch->plan, op, first_want))
		return false;
	op->work = READ_AHEAD_BYTES / WORK_TEXT_BYTES;
	if (batch->reader == NULL)
		batch->reader = op;
	if (batch->reader == op)
		read_ahead_go_on(&batch->plan, op, first_want);
	return true;
}

static void
plan_op(struct batch *batch, struct op *op)
{
	struct plan_mark mark = plan_mark(&batch->plan);

	if (op->error.code != ERROR_NONE || op->planned == PLAN_LATER || admit(batch, op) < 0)
		return;
	if (op != &batch->tick.op && budget_is_used_up(&batch->budget, op)) {
		op->planned = PLAN_LATER;
		return;
	}
	clear_answer(op);            /* of an earlier try */
	if (op->kind->query == NULL) /* else it is read already */
		op->answer = (struct answer_size){ 0 };
	set_answer_room(batch);
	op->planned = op->kind->plan(&batch->plan, op);
	batch->state->stats.walked += batch->plan.walked - mark.walked;
	if ((op->planned == PLAN_DONE || op->planned == PLAN_PARKED) && op != &batch->tick.op &&
	    !budget_keep(&batch->budget, op, plan_work(&batch->plan, op, mark)))
		op->planned = PLAN_LATER;
	if (op->planned == PLAN_DONE && must_read_ahead(batch, op, mark.wants))
		op->planned = PLAN_LATER;
	if (op->planned == PLAN_DONE && op->kind->query == NULL && !count_answer(batch, op))
		op->planned = refuse_over_budget(batch, op);
	batch->parked += op->planned == PLAN_PARKED;
	if (op->planned != PLAN_DONE)
		plan_undo(&batch->plan, mark);
	if (op->planned == PLAN_REFUSED)
		clear_answer(op);
}

static enum step
plan_all(struct batch *batch)
{
	state_read_clocks(batch->state);
	batch->parked = 0;
	batch->answer_bytes = batch->page_bytes;
	for (struct op *op = batch->ops.first; op != NULL; op = op->next)
		plan_op(batch, op);
	return STEP_READ;
}

/* --- read --- */

/* The session that an op of this batch has moved the event to; NULL: none has. */
static const struct store_session *
moved_in_batch(const struct batch *batch, int64_t event)
{
	const struct store_batch *records = &batch->plan.records;

	for (size_t i = records->outcome_count; i > 0; i--) {
		const struct store_outcome *outcome = &records->outcomes[i - 1];

		if (outcome->kind == OUTCOME_MOVED && bsearch(&event, outcome->ids, outcome->count,
							      sizeof(event), id_compare) != NULL)
			return outcome->target;
	}
	return NULL;
}

/* Its row, and what is in memory of it, may name a queue that the event was moved from. */
static void
name_session(const struct batch *batch, struct want *want)
{
	const struct store_session *session =
	    want->queue != NULL ? &want->queue->session : moved_in_batch(batch, want->id);
	struct system_event *event = want->into;

	if (session != NULL && !str_eq(session->key, event->session_key))
		event->session_key = arena_dup(&want->op->arena, session->key);
}

/* The event is in the answer, with its texts; adds the attempts, times and state of the want. */
static void
delivered(const struct batch *batch, struct want *want)
{
	struct system_event *event = want->into;

	name_session(batch, want);
	event->attempts = want->attempts;
	if (want->available_at_ms > 0)
		event->available_at_ms = want->available_at_ms;
	event->state = want->state;
	event->outcome = want->outcome;
	want->into = NULL;
}

static void
deliver(const struct batch *batch, struct want *want, const struct system_event *event)
{
	system_event_copy(want->into, event, &want->op->arena);
	delivered(batch, want);
}

/*
 * Finds an event in memory: one of this batch, which is not in the store yet, or a recent one.
 * NULL: read it from the store. An old want is always read, because only the store knows whether
 * the event has been deleted.
 */
static const struct system_event *
find_in_memory(struct batch *batch, const struct want *want)
{
	const struct store_batch *records = &batch->plan.records;
	struct engine_stats *stats = &batch->state->stats;

	if (records->event_count > 0 && want->id >= records->events[0].event.id)
		return &records->events[want->id - records->events[0].event.id].event;
	const struct system_event *event =
	    want->old ? NULL : recent_find(&batch->state->recent, want->id);
	*(event != NULL ? &stats->recent_hits : &stats->recent_misses) += 1;
	return event;
}

/* Delivers the events that are in memory. Returns how many are not, which are in wanted. */
static size_t
deliver_from_memory(struct batch *batch)
{
	struct plan *plan = &batch->plan;
	size_t others = 0;

	batch->wanted =
	    mem_grow(batch->wanted, &batch->wanted_cap, plan->want_count, sizeof(*batch->wanted));
	for (size_t i = 0; i < plan->want_count; i++) {
		struct want *want = &plan->wants[i];
		const struct system_event *event = read_ahead_find(want->op, want->id);

		if (event != NULL) { /* read ahead: its texts are the op's */
			*want->into = *event;
			delivered(batch, want);
		} else if ((event = find_in_memory(batch, want)) != NULL)
			deliver(batch, want, event);
		else
			batch->wanted[others++] = plan_wanted(want);
	}
	return others;
}

static void
on_event(void *arg, const struct system_event *event)
{
	struct batch *batch = arg;
	struct plan *plan = &batch->plan;

	while (batch->read_at < plan->want_count && (plan->wants[batch->read_at].into == NULL ||
						     plan->wants[batch->read_at].id != event->id))
		batch->read_at++;
	if (batch->read_at < plan->want_count)
		deliver(batch, &plan->wants[batch->read_at], event);
}

static enum step
read_events(struct batch *batch)
{
	size_t others = deliver_from_memory(batch);

	batch->read_at = 0;
	if (others == 0)
		return STEP_COMMIT;
	batch->asked = true;
	batch->store->driver->read(batch->store, batch->wanted, others, on_event, on_called_back,
				   batch);
	return STEP_ASKED;
}

/* The next want, from index *at on, of an event that the store did not have. NULL: no more. */
static const struct want *
next_missing(const struct plan *plan, size_t *at)
{
	while (*at < plan->want_count) {
		const struct want *want = &plan->wants[(*at)++];

		if (want->into != NULL && !want->optional)
			return want;
	}
	return NULL;
}

/*
 * Marks the events that the store did not have as damaged, so that the others can be had. An op
 * that asks for one that was marked before has named it, and fails.
 */
static void
set_aside_damaged(struct batch *batch)
{
	const struct want *want;
	struct error damaged;

	/* first, because ops of the batch may have removed the entries */
	journal_rollback(&batch->state->catalog, 0);
	for (size_t at = 0; (want = next_missing(&batch->plan, &at)) != NULL;) {
		if ((queue_entry(want->queue, want->id)->flags & ENTRY_DAMAGED) == 0)
			continue;
		set_damaged(&damaged, want->id);
		fail_op(want->op, &damaged);
	}
	for (size_t at = 0; (want = next_missing(&batch->plan, &at)) != NULL;)
		queue_mark_damaged(want->queue, queue_entry(want->queue, want->id));
}

/*
 * Commits only once the texts of all answers are read. If an event is damaged, the ops are planned
 * again without it. If the store cannot read at all, the batch fails; but a tick is first tried
 * again without its reads, so that timers go on.
 */
static enum step
events_were_read(struct batch *batch, const struct error *err)
{
	bool skip = err != NULL && batch->ops.first == &batch->tick.op && !batch->tick.skip_reads;

	if (err != NULL && !skip)
		return fail_all(batch, err);
	size_t at = 0;
	if (!skip && next_missing(&batch->plan, &at) == NULL)
		return STEP_COMMIT;
	if (!skip)
		set_aside_damaged(batch);
	batch->tick.skip_reads = batch->tick.skip_reads || skip;
	undo_plan(batch);
	return plan_again(batch);
}

/* --- commit --- */

/* The wall clock may have gone back since an event came. */
static void
count_waits(struct batch *batch)
{
	const struct plan *plan = &batch->plan;
	int64_t now_ms = batch->state->now_ms;

	for (size_t i = 0; i < plan->want_count; i++) {
		int64_t since_ms = plan->wants[i].first_taken_since_ms;

		if (since_ms > 0)
			histogram_add(&batch->state->stats.event_wait, &event_wait_bounds,
				      (uint64_t)(now_ms > since_ms ? now_ms - since_ms : 0));
	}
}

static void
count_records(struct batch *batch)
{
	const struct store_batch *records = &batch->plan.records;
	struct engine_stats *stats = &batch->state->stats;

	stats->enqueued += records->event_count;
	stats->duplicates += batch->plan.duplicates;
	for (size_t i = 0; i < records->outcome_count; i++)
		stats->outcomes[records->outcomes[i].kind] += records->outcomes[i].count;
	for (size_t i = 0; i < records->event_count; i++)
		stats->routed[records->events[i].event.rule]++;
	if (!store_batch_is_empty(records))
		histogram_add(&stats->commit_batch, &commit_batch_bounds, records->event_count);
	count_waits(batch);
}

/* Keeps the new events in memory; their texts are borrowed from ops, which are not answered yet. */
static void
keep_recent(struct batch *batch)
{
	const struct store_batch *records = &batch->plan.records;

	for (size_t i = 0; i < records->event_count; i++)
		recent_add(&batch->state->recent, &records->events[i].event);
}

/* Moves ops that found nothing from the batch to those that wait to be woken. */
static void
park(struct batch *batch)
{
	struct op_list ops;

	op_list_init(&ops);
	op_list_move(&batch->ops, &ops);
	while (ops.first != NULL) {
		struct op *op = op_list_take(&ops);

		if (op->planned == PLAN_PARKED && !op->cancelled) {
			waiting_add(&batch->state->waiting, op);
			state_tell_change(batch->state, op->queue_key);
		} else
			op_list_add(&batch->ops, op);
	}
}

/* Wakes waiting ops and streams, before journal_commit drops queues that are empty. */
static void
wake(struct batch *batch)
{
	struct plan *plan = &batch->plan;

	if (batch->parked > 0)
		park(batch);
	plan_gather_woken(plan);
	for (size_t i = 0; i < plan->woken_count; i++) {
		const struct woken_queue *woken = &plan->woken[i];
		struct str key = woken->queue->session.key;
		size_t deliverable = queue_deliverable(woken->queue);

		if (deliverable == 0)
			continue;
		if (batch->on_wake != NULL && !woken->waiters_only)
			batch->on_wake(batch->on_wake_arg, key, deliverable, woken->now,
				       woken->source);
		state_wake_waiters(batch->state, key);
	}
}

/*
 * Reports the queues that the batch has changed, before journal_commit drops those that are empty.
 * Some were made only because a record is about their session.
 */
static void
tell_changes(struct batch *batch)
{
	const struct catalog *catalog = &batch->state->catalog;

	for (size_t i = 0; batch->state->on_change != NULL && i < catalog->touched_count; i++) {
		const struct queue *queue = catalog->touched[i];

		if (!queue->added || queue->depth > 0)
			state_tell_change(batch->state, queue->session.key);
	}
}

/* Whether the timer still belongs to a lease, delay or time to live in the catalog. */
static bool
timer_counts(const struct due_timer *timer, void *arg)
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
 * Adds the batch's timers to the heap. Timers of leases that were acked early stay as garbage;
 * compact when most is garbage.
 */
static void
keep_timers(struct batch *batch)
{
	struct queue_state *state = batch->state;
	const struct leases *leases = &state->catalog.leases;
	size_t counting = 2 * leases->extras.count + leases->by_id.count; /* at most */

	for (size_t i = 0; i < batch->plan.set_count; i++)
		timers_add(&state->timers, batch->plan.set[i]);
	if (timers_mostly_stale(&state->timers, counting))
		timers_compact(&state->timers, timer_counts, &state->catalog);
}

static void
note_stored(struct queue_state *state, const struct store_batch *records)
{
	if (records->event_count > 0)
		state->stored_event = records->events[records->event_count - 1].event.id;
	if (records->outcome_count > 0)
		state->stored_outcome = records->outcomes[records->outcome_count - 1].id;
	if (records->mark != NULL)
		state->steady.unstored = false;
}

/* Makes the changes of the batch final in memory, when its records are written. */
static void
make_final(struct batch *batch)
{
	batch->written = true;
	note_stored(batch->state, &batch->plan.records);
	count_records(batch);
	keep_recent(batch);
	if (batch->plan.popped_count > 0)
		batch->state->tick_after_boot_ms = 0;
	ready_follow(&batch->plan);
	wake(batch);
	tell_changes(batch);
	journal_commit(&batch->state->catalog);
	keep_timers(batch);
	plan_reset(&batch->plan);
}

/* The records are written. Prepares answers while the disk makes the records durable. */
static void
on_written(void *arg)
{
	struct batch *batch = arg;

	make_final(batch);
	for (struct op *op = batch->ops.first; op != NULL; op = op->next)
		if (op->prepare != NULL && op->planned == PLAN_DONE && op->error.code == ERROR_NONE)
			op->prepare(op, op->arg);
}

static const struct clock_mark *
newest_mark(const struct queue_state *state)
{
	const struct clock_marks *marks = &state->steady.marks;

	return &marks->items[marks->count - 1];
}

static enum step
commit(struct batch *batch)
{
	struct store_batch *records = &batch->plan.records;

	batch->written = false;
	plan_gather_contexts(&batch->plan);
	if (batch->plan.drop_count > 0)
		plan_gather_drops(&batch->plan);
	if (batch->state->steady.unstored && !store_batch_is_empty(records))
		records->mark = newest_mark(batch->state);
	batch->commit_began_us = store_batch_is_empty(records) ? 0 : clock_monotonic_us();
	batch->asked = true;
	batch->store->driver->commit(batch->store, records, on_written, on_called_back, batch);
	return STEP_ASKED;
}

/*
 * After ERROR_STORAGE_FULL: fails the ops that append, unless the store makes room for them, and
 * tries the others again in this batch.
 */
static enum step
plan_without_appends(struct batch *batch, const struct error *err)
{
	batch->full_store = true;
	undo_plan(batch);
	for (struct op *op = batch->ops.first; op != NULL && !batch->store->makes_room;
	     op = op->next) {
		if (op->error.code == ERROR_NONE && op->kind->appends) {
			fail_op(op, err);
			batch->state->stats.rejected_storage_full++;
		}
	}
	return plan_again(batch);
}

static void
count_commit(struct batch *batch, const struct error *err)
{
	struct engine_stats *stats = &batch->state->stats;

	if (batch->commit_began_us == 0) /* there were no records */
		return;
	uint64_t took_us = (uint64_t)(clock_monotonic_us() - batch->commit_began_us);
	stats->commit_us_total += took_us;
	histogram_add(&stats->commit_duration, &commit_duration_bounds, took_us);
	*(err == NULL ? &stats->commits : &stats->commit_failures) += 1;
}

static enum step
committed(struct batch *batch, const struct error *err)
{
	count_commit(batch, err);
	if (err == NULL) {
		if (!batch->written) /* there were no records */
			make_final(batch);
		return STEP_FINISH;
	}
	if (err->code == ERROR_STORAGE_UNKNOWN)
		return STEP_OVER; /* go_on stops the queue: nobody is answered */
	assert(!batch->written);
	if (err->code == ERROR_STORAGE_FULL && !batch->full_store)
		return plan_without_appends(batch, err);
	return fail_all(batch, err);
}

/* --- finish --- */

/* Ops that go round again are submitted anew, those without room in this turn before all others. */
static void
submit_again(struct batch *batch, struct op_list *ops)
{
	struct queue_state *state = batch->state;
	struct op_list answered, later;

	op_list_init(&answered);
	op_list_init(&later);
	while (ops->first != NULL) {
		struct op *op = op_list_take(ops);

		if (op == batch->reader && op->planned != PLAN_LATER)
			batch->reader = NULL;
		if (op->planned == PLAN_AGAIN) {
			op->again = true;
			op_list_add(&state->submitted, op);
			state->turn_again = true;
		} else
			op_list_add(op->planned == PLAN_LATER ? &later : &answered, op);
	}
	state->stats.ops -= later.count;
	op_list_put_first(&state->submitted, &later);
	op_list_move(&answered, ops);
}

/*
 * Answers every op, in order. An op's done may submit ops, which belong to the next batch, and may
 * ask the engine, for which this batch is over: hence the list of its own.
 */
static enum step
finish(struct batch *batch)
{
	struct op_list done;

	op_list_init(&done);
	op_list_move(&batch->ops, &done);
	submit_again(batch, &done);
	while (done.first != NULL) {
		struct op *op = op_list_take(&done);

		op->done(op, op->arg);
	}
	return STEP_OVER;
}

/* --- the loop of steps --- */

static const struct {
	enum step (*start)(struct batch *batch);
	enum step (*answered)(struct batch *batch,
			      const struct error *err); /* NULL: asks nothing */
} steps[] = {
	[STEP_LOOK_UP] = { look_up, looked_up }, [STEP_PAGES] = { read_page, page_was_read },
	[STEP_PLAN] = { plan_all, NULL },        [STEP_READ] = { read_events, events_were_read },
	[STEP_COMMIT] = { commit, committed },   [STEP_FINISH] = { finish, NULL },
};

/* Ends the step that asked the store. An unknown outcome of any call stops the queue. */
static enum step
take_answer(struct batch *batch)
{
	const struct error *err = batch->error.code != ERROR_NONE ? &batch->error : NULL;
	bool unknown = err != NULL && err->code == ERROR_STORAGE_UNKNOWN;

	batch->asked = batch->called_back = false;
	if (unknown)
		batch->state->stopped = *err;
	if (unknown && batch->step != STEP_COMMIT)
		return STEP_OVER;
	return steps[batch->step].answered(batch, err);
}

static void
go_on(struct batch *batch)
{
	batch->inside = true;
	while (batch->step != STEP_OVER && (!batch->asked || batch->called_back)) {
		enum step next =
		    batch->called_back ? take_answer(batch) : steps[batch->step].start(batch);

		if (next != STEP_ASKED)
			batch->step = next;
	}
	batch->inside = false;
}

/* Takes what the turn has room for; the rest stays submitted, in order. */
static void
take_submitted(struct batch *batch)
{
	struct op_list *submitted = &batch->state->submitted, all;

	op_list_init(&all);
	op_list_move(submitted, &all);
	while (all.first != NULL) {
		struct op *op = op_list_take(&all);

		if (op->kind->appends && batch->store->makes_room) {
			op_list_add(submitted, op); /* it takes nothing of the turn */
			continue;
		}
		if (op->work == 0 && op->kind->work != NULL)
			op->work = op->kind->work(op);
		op->planned = PLAN_DONE; /* unless its plan ends in another way than the last */
		op_list_add(budget_admit(&batch->budget, op) ? &batch->ops : submitted, op);
	}
}

/*
 * The tick comes first, so that no op gets an event that has just expired, and every op can get an
 * event whose lease or delay has just ended.
 */
void
batch_start(struct batch *batch)
{
	struct engine_stats *stats = &batch->state->stats;

	assert(batch->step == STEP_OVER && !batch_is_under_way(batch));
	if (state_due_boot_ms(batch->state) <= clock_now().boot_ms) {
		tick_op_init(&batch->tick);
		op_list_add(&batch->ops, &batch->tick.op);
	}
	take_submitted(batch);
	if (batch->ops.count == 0)
		return;
	batch->full_store = false;
	batch->kept_before = batch->budget.kept;
	batch->answer_bytes = batch->page_bytes = 0;
	stats->ops += batch->ops.count;
	if (batch->ops.count > stats->batch_ops_max)
		stats->batch_ops_max = batch->ops.count;
	batch->step = STEP_LOOK_UP;
	go_on(batch);
}
