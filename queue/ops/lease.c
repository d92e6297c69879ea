/*
 * lease.c - how events get under a lease, and how they return to their queue.
 *
 * Delivery at least once. A lease holds events for one consumer until a time. They keep their
 * places in the queue, but nobody else can take them meanwhile. An ack settles them. A nack, or the
 * end of the lease, returns them and counts an attempt; after the last attempt allowed an event
 * becomes a dead letter instead. Each of these is an outcome in the log, so a restart finds the
 * leases as they were.
 */
#include "queue/ops/lease.h"

#include "queue/ops/timeline.h"

struct lease_returned
lease_returned_alloc(struct arena *arena, size_t count)
{
	return (struct lease_returned){ id_list_alloc(arena, count), id_list_alloc(arena, count),
					id_list_alloc(arena, count) };
}

void
lease_return_event(struct plan *plan, struct queue *queue, int64_t id, bool count_attempt,
		   int64_t delay_ms, struct lease_returned *returned)
{
	struct entry *entry = queue_entry(queue, id);
	struct extra extra = catalog_extra(&plan->state->catalog, id);
	bool expired = extra.expires_boot_ms > 0 && extra.expires_boot_ms <= plan->state->boot_ms;
	int attempts = entry->attempts + (count_attempt && !expired ? 1 : 0);

	extra.lease = NULL;
	extra.available_boot_ms = delay_ms > 0 ? plan->state->boot_ms + delay_ms : 0;
	extra.available_at_ms = delay_ms > 0 ? plan->state->now_ms + delay_ms : 0;
	journal_set_state(&plan->state->catalog, queue, entry, attempts, &extra);
	if (count_attempt)
		timeline_end_delivery(plan, queue, id);
	if (expired)
		id_list_add(&returned->expired, id);
	else if (count_attempt && attempts >= plan->state->options.attempts_max)
		id_list_add(&returned->dead, id);
	else
		id_list_add(&returned->queued, id);
	if (delay_ms > 0)
		plan_set_timer(plan,
			       (struct due_timer){ extra.available_boot_ms, id, TIMER_AVAILABLE });
}

void
lease_record_returned(struct plan *plan, struct queue *queue, const struct lease_returned *returned,
		      struct store_outcome kind)
{
	struct store_outcome dead = { .kind = OUTCOME_DEAD,
				      .lease = kind.lease,
				      .detail =
					  kind.detail.s != NULL ? kind.detail : STR("attempts"),
				      .ids = returned->dead.ids,
				      .count = returned->dead.count };
	struct store_outcome expired = { .kind = OUTCOME_EXPIRED,
					 .lease = kind.lease,
					 .ids = returned->expired.ids,
					 .count = returned->expired.count };

	kind.ids = returned->queued.ids;
	kind.count = returned->queued.count;
	if (kind.count > 0 && kind.kind == OUTCOME_RETURNED)
		timeline_record_given_back(plan, queue, kind);
	else if (kind.count > 0)
		plan_record(plan, queue, kind);
	plan_settle(plan, queue, dead);
	plan_settle(plan, queue, expired);
	if (dead.count + expired.count > 0)
		plan_refresh_last(plan, queue);
	if (kind.count > 0 && kind.until_ms <= plan->state->now_ms)
		plan_wake(plan, queue, NULL);
}

void
lease_set_timer(struct plan *plan, struct lease *lease, int64_t at_boot_ms)
{
	journal_set_timer(&plan->state->catalog, lease, at_boot_ms);
	plan_set_timer(plan, (struct due_timer){ at_boot_ms, lease->id, TIMER_LEASE });
}

void
lease_lapse(struct plan *plan, struct arena *arena, struct lease *lease, bool count_attempt)
{
	struct lease_returned returned = lease_returned_alloc(arena, lease->count);
	struct queue *queue = lease->queue;
	struct store_outcome lapsed = { .kind = count_attempt ? OUTCOME_LAPSED : OUTCOME_RETURNED,
					.lease = lease->id };
	struct id_list held = id_list_held(&plan->state->catalog, lease, arena);
	int64_t next_boot_ms = INT64_MAX;

	for (size_t i = 0; i < held.count; i++) {
		int64_t end_boot_ms =
		    catalog_extra(&plan->state->catalog, held.ids[i]).lease_end_boot_ms;

		if (end_boot_ms <= plan->state->boot_ms)
			lease_return_event(plan, queue, held.ids[i], count_attempt, 0, &returned);
		else if (end_boot_ms < next_boot_ms)
			next_boot_ms = end_boot_ms;
	}
	if (next_boot_ms < INT64_MAX)
		lease_set_timer(plan, lease, next_boot_ms);
	lease_record_returned(plan, queue, &returned, lapsed);
}

void
lease_hold(struct plan *plan, struct lease *lease, int64_t id, int64_t lease_ms)
{
	struct entry *entry = queue_entry(lease->queue, id);
	struct extra extra = catalog_extra_of(&plan->state->catalog, entry);

	extra.lease = lease;
	extra.lease_end_boot_ms = plan->state->boot_ms + lease_ms;
	journal_set_state(&plan->state->catalog, lease->queue, entry, entry->attempts, &extra);
}
