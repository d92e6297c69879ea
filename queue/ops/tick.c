/* tick.c - pops the timers that are due and asks the catalog what they still mean. */
#include "queue/ops/tick.h"

#include "queue/ops/lease.h"
#include "queue/ops/id_list.h"

/* Timers dealt with in one batch, and text that is read for them; the rest is for the next turn. */
#define TICK_TIMERS_MAX 1000
#define TICK_TEXT_BYTES_MAX (1 << 20)

static void
lease_due(struct sevq_plan *plan, struct sevq_op *op, const struct sevq_timer *timer)
{
	struct sevq_lease *lease = sevq_catalog_lease(&plan->catalog, timer->id);
	/* A lease that ended while no server was there to take its ack is not the consumer's failure. */
	if (lease != NULL && timer->at_boot_ms == lease->timer_boot_ms)
		sevq_lease_lapse(plan, &op->arena, lease, timer->at_boot_ms > plan->opened_boot_ms);
}

/* Those who wait are told of the event as it was sent, and how that was its row alone says. Answers the bytes to be read. */
static size_t
delay_due(struct sevq_plan *plan, struct sevq_op *op, const struct sevq_timer *timer)
{
	struct sevq_extra extra = sevq_catalog_extra(&plan->catalog, timer->id);
	if (extra.available_boot_ms == 0 || extra.available_boot_ms > plan->boot_ms)
		return 0;
	struct sevq_entry *entry = sevq_queue_entry(extra.queue, timer->id);
	struct sevq_event *event = sevq_arena_alloc(&op->arena, sizeof *event);
	extra.available_boot_ms = 0;
	sevq_queue_set_state(&plan->catalog, extra.queue, entry, entry->attempts, &extra);
	if (!((struct sevq_tick *)op)->blind)
		sevq_plan_want_for_wake(plan, op, timer->id, event);
	sevq_plan_wake(plan, extra.queue, event);
	return sevq_entry_text_bytes(entry);
}

/* A leased event is its consumer's until the lease is over; giving it back finds that it has expired. */
static void
life_due(struct sevq_plan *plan, struct sevq_op *op, const struct sevq_timer *timer)
{
	struct sevq_extra extra = sevq_catalog_extra(&plan->catalog, timer->id);
	if (extra.expires_boot_ms == 0 || extra.expires_boot_ms > plan->boot_ms || extra.lease != NULL)
		return;
	struct sevq_taking one = sevq_taking_room(&op->arena, 1);
	sevq_taking_add(&one, timer->id);
	sevq_plan_settle(plan, extra.queue,
			 (struct sevq_store_outcome){ .kind = SEVQ_OUTCOME_EXPIRED, .ids = one.ids, .count = one.count });
	sevq_queue_refresh_last(&plan->catalog, extra.queue);
}

static struct sevq_timer
pop(struct sevq_plan *plan)
{
	struct sevq_timer timer = *sevq_timers_first(&plan->timers);
	sevq_timers_pop(&plan->timers);
	plan->popped = sevq_grow(plan->popped, &plan->popped_cap, plan->popped_count + 1, sizeof *plan->popped);
	plan->popped[plan->popped_count++] = timer;
	return timer;
}

static int
plan_tick(struct sevq_plan *plan, struct sevq_op *op)
{
	size_t bytes = 0;
	for (size_t i = 0; i < TICK_TIMERS_MAX && bytes < TICK_TEXT_BYTES_MAX; i++) {
		const struct sevq_timer *first = sevq_timers_first(&plan->timers);
		if (first == NULL || first->at_boot_ms > plan->boot_ms)
			break;
		struct sevq_timer timer = pop(plan);
		if (timer.kind == SEVQ_TIMER_LEASE)
			lease_due(plan, op, &timer);
		else if (timer.kind == SEVQ_TIMER_AVAILABLE)
			bytes += delay_due(plan, op, &timer);
		else
			life_due(plan, op, &timer);
	}
	return SEVQ_PLANNED;
}

static void
tick_done(struct sevq_op *op, void *arg)
{
	(void)arg;
	sevq_op_clear(op);
}

void
sevq_tick_init(struct sevq_tick *op)
{
	static const struct sevq_op_kind kind = { SEVQ_OP_KIND(tick, end), .plan = plan_tick };
	sevq_op_start(&op->op, &kind);
	op->op.done = tick_done;
}

void
sevq_tick_start(struct sevq_plan *plan)
{
	const struct sevq_extra *extra;
	const struct sevq_lease *lease;
	for (size_t at = 0; (extra = sevq_table_each(&plan->catalog.extras, &at)) != NULL;) {
		if (extra->available_boot_ms > 0)
			sevq_timers_add(&plan->timers,
					(struct sevq_timer){ extra->available_boot_ms, extra->id, SEVQ_TIMER_AVAILABLE });
		if (extra->expires_boot_ms > 0)
			sevq_timers_add(&plan->timers,
					(struct sevq_timer){ extra->expires_boot_ms, extra->id, SEVQ_TIMER_EXPIRES });
		if (extra->lease != NULL &&
		    (extra->lease->timer_boot_ms == 0 || extra->lease_end_boot_ms < extra->lease->timer_boot_ms))
			extra->lease->timer_boot_ms = extra->lease_end_boot_ms;
	}
	for (size_t at = 0; (lease = sevq_table_each(&plan->catalog.leases, &at)) != NULL;)
		sevq_timers_add(&plan->timers, (struct sevq_timer){ lease->timer_boot_ms, lease->id, SEVQ_TIMER_LEASE });
}
