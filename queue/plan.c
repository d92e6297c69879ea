/* plan.c - the few ways an op may change a batch, and the way back. */
#include "queue/plan.h"

#include <assert.h>
#include <stdlib.h>

struct sevq_plan_mark
sevq_plan_mark(const struct sevq_plan *plan)
{
	return (struct sevq_plan_mark){ .journal = sevq_catalog_mark(&plan->catalog),
					.events = plan->batch.event_count,
					.outcomes = plan->batch.outcome_count,
					.wants = plan->want_count,
					.duplicates = plan->duplicates,
					.next_id = plan->next_id };
}

void
sevq_plan_undo(struct sevq_plan *plan, struct sevq_plan_mark mark)
{
	sevq_catalog_rollback(&plan->catalog, mark.journal);
	plan->batch.event_count = mark.events;
	plan->batch.outcome_count = mark.outcomes;
	plan->want_count = mark.wants;
	plan->duplicates = mark.duplicates;
	plan->next_id = mark.next_id;
}

void
sevq_plan_reset(struct sevq_plan *plan)
{
	plan->batch.event_count = plan->batch.outcome_count = plan->want_count = plan->duplicates = 0;
}

void
sevq_plan_clear(struct sevq_plan *plan)
{
	free(plan->batch.events);
	free(plan->batch.outcomes);
	free(plan->wants);
	sevq_catalog_clear(&plan->catalog);
}

int
sevq_plan_route(struct sevq_plan *plan, struct sevq_op *op, const struct sevq_address *address, struct sevq_decision *ret)
{
	if (sevq_address_check(address, &op->error) < 0)
		return -1;
	return sevq_route(plan->policy, address, false, &op->arena, ret, &op->error);
}

int
sevq_plan_queue(struct sevq_plan *plan, struct sevq_op *op, const struct sevq_address *address, struct sevq_str *key,
		struct sevq_queue **queue)
{
	struct sevq_decision decision;
	if (sevq_plan_route(plan, op, address, &decision) < 0)
		return -1;
	*key = decision.queue_key;
	*queue = sevq_catalog_find(&plan->catalog, decision.queue_key);
	return 0;
}

void
sevq_plan_append(struct sevq_plan *plan, struct sevq_queue *queue, struct sevq_event *event, uint64_t text_hash, uint32_t tag)
{
	struct sevq_store_batch *batch = &plan->batch;
	event->id = plan->next_id++;
	event->ts_ms = plan->now_ms;
	batch->events = sevq_grow(batch->events, &batch->event_cap, batch->event_count + 1, sizeof *batch->events);
	batch->events[batch->event_count++] =
	    (struct sevq_store_event){ .event = *event, .session = &queue->session, .text_hash = text_hash };
	sevq_queue_append(&plan->catalog, queue,
			  (struct sevq_entry){ .id = event->id,
					       .ts_ms = event->ts_ms,
					       .text_hash = text_hash,
					       .tag = tag,
					       .text_bytes_m1 = (uint16_t)(event->text.len - 1) });
}

void
sevq_plan_settle(struct sevq_plan *plan, struct sevq_queue *queue, enum sevq_outcome_kind kind, int64_t *ids, size_t count)
{
	struct sevq_store_batch *batch = &plan->batch;
	if (count == 0)
		return;
	for (size_t i = 0; i < count; i++)
		sevq_queue_remove(&plan->catalog, queue, sevq_queue_entry(queue, ids[i]));
	batch->outcomes = sevq_grow(batch->outcomes, &batch->outcome_cap, batch->outcome_count + 1, sizeof *batch->outcomes);
	batch->outcomes[batch->outcome_count++] = (struct sevq_store_outcome){
		.kind = kind, .ts_ms = plan->now_ms, .session = &queue->session, .ids = ids, .count = count
	};
}

void
sevq_plan_want(struct sevq_plan *plan, struct sevq_op *op, int64_t id, struct sevq_event *into)
{
	plan->wants = sevq_grow(plan->wants, &plan->want_cap, plan->want_count + 1, sizeof *plan->wants);
	plan->wants[plan->want_count++] = (struct sevq_want){ id, into, op };
}

void
sevq_event_copy(struct sevq_event *to, const struct sevq_event *from, struct sevq_arena *arena)
{
	*to = *from;
	struct sevq_str *text[] = {
		&to->session_key, &to->original_session_key, &to->text,        &to->context_key,         &to->source,
		&to->traceparent, &to->delivery.channel,     &to->delivery.to, &to->delivery.account_id, &to->delivery.thread_id
	};
	for (size_t i = 0; i < sizeof text / sizeof *text; i++)
		*text[i] = sevq_arena_dup(arena, *text[i]);
}
