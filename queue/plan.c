/* plan.c - the few ways an op may change a batch, and the way back. */
#include "queue/plan.h"

#include <assert.h>
#include <stdlib.h>

#include "queue/ops/idempotency.h"

struct sevq_plan_mark
sevq_plan_mark(const struct sevq_plan *plan)
{
	return (struct sevq_plan_mark){ .journal = sevq_catalog_mark(&plan->catalog),
					.events = plan->batch.event_count,
					.outcomes = plan->batch.outcome_count,
					.keys = plan->batch.key_count,
					.wants = plan->want_count,
					.want_bytes = plan->want_bytes,
					.woken = plan->woken_count,
					.set = plan->set_count,
					.duplicates = plan->duplicates,
					.next_event = plan->next_event,
					.next_outcome = plan->next_outcome };
}

void
sevq_plan_undo(struct sevq_plan *plan, struct sevq_plan_mark mark)
{
	sevq_catalog_rollback(&plan->catalog, mark.journal);
	sevq_answers_forget(plan, mark.keys);
	plan->batch.event_count = mark.events;
	plan->batch.outcome_count = mark.outcomes;
	plan->want_count = mark.wants;
	plan->want_bytes = mark.want_bytes;
	plan->woken_count = mark.woken;
	plan->set_count = mark.set;
	plan->duplicates = mark.duplicates;
	plan->next_event = mark.next_event;
	plan->next_outcome = mark.next_outcome;
}

void
sevq_plan_reset(struct sevq_plan *plan)
{
	sevq_table_clear(&plan->keys);
	sevq_arena_clear(&plan->arena);
	plan->batch.event_count = plan->batch.outcome_count = plan->batch.key_count = plan->batch.context_count = 0;
	plan->want_count = plan->want_bytes = plan->woken_count = plan->popped_count = plan->set_count = plan->duplicates = 0;
}

void
sevq_plan_clear(struct sevq_plan *plan)
{
	sevq_arena_clear(&plan->arena);
	free(plan->batch.events);
	free(plan->batch.outcomes);
	free(plan->batch.keys);
	free(plan->batch.contexts);
	free(plan->wants);
	free(plan->woken);
	sevq_table_clear(&plan->keys);
	free(plan->popped);
	free(plan->set);
	sevq_timers_clear(&plan->timers);
	sevq_waiting_clear(&plan->waiting);
	sevq_places_clear(&plan->places);
	sevq_catalog_clear(&plan->catalog);
}

/* Routed before, and still in mind. */
static bool
recall_place(struct sevq_plan *plan, struct sevq_op *op, const struct sevq_address *address, struct sevq_place *ret)
{
	const struct sevq_place *place = sevq_places_find(&plan->places, address);
	if (place == NULL)
		return false;
	*ret = *place;
	ret->queue_key = sevq_arena_dup(&op->arena, place->queue_key);
	return true;
}

int
sevq_plan_route(struct sevq_plan *plan, struct sevq_op *op, const struct sevq_address *address, struct sevq_place *ret)
{
	struct sevq_decision decision;
	if (recall_place(plan, op, address, ret))
		return 0;
	if (sevq_address_check(address, &op->error) < 0 ||
	    sevq_route(plan->policy, address, false, &op->arena, &decision, &op->error) < 0)
		return -1;
	*ret = (struct sevq_place){ decision.queue_key, sevq_text_hash(decision.queue_key), decision.rule };
	sevq_places_keep(&plan->places, address, ret);
	return 0;
}

int
sevq_plan_queue(struct sevq_plan *plan, struct sevq_op *op, const struct sevq_address *address, struct sevq_str *key,
		struct sevq_queue **queue)
{
	struct sevq_place place;
	if (sevq_plan_route(plan, op, address, &place) < 0)
		return -1;
	*key = place.queue_key;
	*queue = sevq_catalog_find_hashed(&plan->catalog, place.queue_key, place.hash);
	return 0;
}

/* --- records ------------------------------------------------------------------------------------------------------- */

void
sevq_plan_set_timer(struct sevq_plan *plan, struct sevq_timer timer)
{
	plan->set = sevq_grow(plan->set, &plan->set_cap, plan->set_count + 1, sizeof *plan->set);
	plan->set[plan->set_count++] = timer;
}

/* What delay and time to live mean for the entry just appended. */
static void
set_times(struct sevq_plan *plan, struct sevq_queue *queue, const struct sevq_event *event, int64_t delay_ms, int64_t ttl_ms)
{
	struct sevq_extra extra = { .available_at_ms = event->available_at_ms, .expires_at_ms = event->expires_at_ms };
	if (delay_ms > 0) {
		extra.available_boot_ms = plan->boot_ms + delay_ms;
		sevq_plan_set_timer(plan, (struct sevq_timer){ extra.available_boot_ms, event->id, SEVQ_TIMER_AVAILABLE });
	}
	if (ttl_ms > 0) {
		extra.expires_boot_ms = plan->boot_ms + ttl_ms;
		sevq_plan_set_timer(plan, (struct sevq_timer){ extra.expires_boot_ms, event->id, SEVQ_TIMER_EXPIRES });
	}
	if (delay_ms > 0 || ttl_ms > 0)
		sevq_queue_set_state(&plan->catalog, queue, sevq_queue_entry(queue, event->id), 0, &extra);
}

void
sevq_plan_append(struct sevq_plan *plan, struct sevq_queue *queue, struct sevq_event *event, uint64_t text_hash, uint32_t tag,
		 int64_t delay_ms, int64_t ttl_ms)
{
	struct sevq_store_batch *batch = &plan->batch;
	event->id = plan->next_event++;
	event->ts_ms = plan->now_ms;
	event->available_at_ms = delay_ms > 0 ? plan->now_ms + delay_ms : 0;
	event->expires_at_ms = ttl_ms > 0 ? plan->now_ms + ttl_ms : 0;
	event->state = delay_ms > 0 ? SEVQ_STATE_DELAYED : SEVQ_STATE_QUEUED;
	batch->events = sevq_grow(batch->events, &batch->event_cap, batch->event_count + 1, sizeof *batch->events);
	struct sevq_store_event *record = &batch->events[batch->event_count++];
	record->event = *event;
	record->session = &queue->session;
	record->text_hash = text_hash;
	sevq_queue_append(&plan->catalog, queue, event, text_hash, tag);
	set_times(plan, queue, event, delay_ms, ttl_ms);
	if (delay_ms <= 0)
		sevq_plan_wake(plan, queue, event);
}

int64_t
sevq_plan_record(struct sevq_plan *plan, struct sevq_queue *queue, struct sevq_store_outcome outcome)
{
	struct sevq_store_batch *batch = &plan->batch;
	assert(outcome.count > 0);
	outcome.id = plan->next_outcome++;
	outcome.ts_ms = plan->now_ms;
	outcome.session = &queue->session;
	batch->outcomes = sevq_grow(batch->outcomes, &batch->outcome_cap, batch->outcome_count + 1, sizeof *batch->outcomes);
	batch->outcomes[batch->outcome_count++] = outcome;
	return outcome.id;
}

void
sevq_plan_settle(struct sevq_plan *plan, struct sevq_queue *queue, struct sevq_store_outcome outcome)
{
	assert(outcome.kind <= SEVQ_OUTCOME_LAST_SETTLING);
	if (outcome.count == 0)
		return;
	uint8_t *attempts = NULL; /* most outcomes need none */
	for (size_t i = 0; i < outcome.count; i++) {
		struct sevq_entry *entry = sevq_queue_entry(queue, outcome.ids[i]);
		if (entry->attempts > 0 && attempts == NULL)
			attempts = sevq_arena_alloc(&plan->arena, outcome.count);
		if (entry->attempts > 0)
			attempts[i] = entry->attempts;
		sevq_queue_remove(&plan->catalog, queue, entry);
	}
	outcome.attempts = attempts;
	sevq_plan_record(plan, queue, outcome);
}

void
sevq_plan_gather_contexts(struct sevq_plan *plan)
{
	struct sevq_store_batch *batch = &plan->batch;
	for (size_t i = 0; i < plan->catalog.touched_count; i++) {
		struct sevq_queue *queue = plan->catalog.touched[i];
		if (!queue->last_changed)
			continue;
		struct sevq_str key = sevq_tags_get(&plan->catalog.tags, queue->last_tag)->context_key;
		batch->contexts =
		    sevq_grow(batch->contexts, &batch->context_cap, batch->context_count + 1, sizeof *batch->contexts);
		batch->contexts[batch->context_count++] =
		    (struct sevq_store_context){ &queue->session, queue->last_outlives ? key : SEVQ_STR_NULL };
	}
}

/* --- reads and wakes ------------------------------------------------------------------------------------------------ */

static struct sevq_want *
add_want(struct sevq_plan *plan, size_t text_bytes)
{
	plan->want_bytes += text_bytes;
	plan->wants = sevq_grow(plan->wants, &plan->want_cap, plan->want_count + 1, sizeof *plan->wants);
	return &plan->wants[plan->want_count++];
}

enum sevq_state
sevq_entry_state(const struct sevq_entry *entry)
{
	if (entry->flags & SEVQ_ENTRY_LEASED)
		return SEVQ_STATE_LEASED;
	return entry->flags & SEVQ_ENTRY_DELAYED ? SEVQ_STATE_DELAYED : SEVQ_STATE_QUEUED;
}

int64_t
sevq_entry_available_at(const struct sevq_plan *plan, const struct sevq_entry *entry)
{
	return entry->flags & SEVQ_ENTRY_DELAYED ? sevq_catalog_extra(&plan->catalog, entry->id).available_at_ms : 0;
}

void
sevq_plan_want(struct sevq_plan *plan, struct sevq_op *op, const struct sevq_entry *entry, enum sevq_state state,
	       enum sevq_outcome_kind outcome, struct sevq_event *into)
{
	*add_want(plan, sevq_entry_text_bytes(entry)) = (struct sevq_want){
		.id = entry->id,
		.into = into,
		.op = op,
		.attempts = entry->attempts,
		.available_at_ms = sevq_entry_available_at(plan, entry),
		.state = state,
		.outcome = outcome,
	};
}

void
sevq_plan_want_again(struct sevq_plan *plan, struct sevq_op *op, int64_t id, size_t text_bytes, struct sevq_event *into)
{
	*add_want(plan, text_bytes) = (struct sevq_want){ .id = id,
							  .into = into,
							  .op = op,
							  .attempts = into->attempts,
							  .available_at_ms = into->available_at_ms,
							  .state = into->state,
							  .outcome = into->outcome,
							  .optional = true,
							  .old = true };
}

void
sevq_plan_want_for_wake(struct sevq_plan *plan, struct sevq_op *op, int64_t id, struct sevq_event *into)
{
	*add_want(plan, 0) = (struct sevq_want){ .id = id, .into = into, .op = op, .optional = true };
}

void
sevq_plan_wake(struct sevq_plan *plan, struct sevq_queue *queue, const struct sevq_event *event)
{
	plan->woken = sevq_grow(plan->woken, &plan->woken_cap, plan->woken_count + 1, sizeof *plan->woken);
	plan->woken[plan->woken_count++] = (struct sevq_woken_queue){ .queue = queue, .event = event };
}

/* The end of an exclusive lease lets out what it held back, whatever ended it. */
static void
wake_held_back(struct sevq_plan *plan)
{
	for (size_t i = 0; i < plan->catalog.touched_lease_count; i++) {
		const struct sevq_lease *lease = plan->catalog.touched_leases[i];
		if (lease->exclusive && lease->live == 0)
			sevq_plan_wake(plan, lease->queue, NULL);
	}
}

void
sevq_plan_gather_woken(struct sevq_plan *plan)
{
	size_t count = 0;
	wake_held_back(plan);
	for (size_t i = 0; i < plan->woken_count; i++) {
		struct sevq_woken_queue next = plan->woken[i];
		if (next.event != NULL) {
			next.now = next.event->wake == SEVQ_WAKE_NOW;
			next.source = next.event->source;
		}
		if (next.queue->woken >= count || plan->woken[next.queue->woken].queue != next.queue) {
			next.queue->woken = count;
			plan->woken[count++] = next;
			continue;
		}
		struct sevq_woken_queue *same = &plan->woken[next.queue->woken];
		same->now = same->now || next.now;
		if (next.source.s != NULL)
			same->source = next.source;
	}
	plan->woken_count = count;
}
