/* tick.c - pops the timers that are due, and acts on those that the catalog says still count. */
#include "queue/ops/tick.h"

#include "queue/ops/id_list.h"
#include "queue/ops/lease.h"

/* The most timers popped in one batch, and the most text read for them; the next turn goes on. */
#define TICK_TIMERS_MAX 1000
#define TICK_TEXT_BYTES_MAX (1 << 20)

static void
lease_due(struct plan *plan, struct op *op, const struct due_timer *timer)
{
	struct lease *lease = catalog_lease(&plan->state->catalog, timer->id);

	/*
	 * No attempt is counted for a lease that ended before the engine was opened: no
	 * server was there to take the ack.
	 */
	if (lease != NULL && timer->at_boot_ms == lease->timer_boot_ms)
		lease_lapse(plan, &op->arena, lease,
			    timer->at_boot_ms > plan->state->opened_boot_ms);
}

/*
 * Makes a delayed event deliverable. The wake tells of its source and of how it was sent, so its
 * row has to be read; answers how many bytes of text that reads.
 */
static size_t
delay_due(struct plan *plan, struct op *op, const struct due_timer *timer)
{
	struct extra extra = catalog_extra(&plan->state->catalog, timer->id);

	if (extra.available_boot_ms == 0 || extra.available_boot_ms > plan->state->boot_ms)
		return 0;
	struct entry *entry = queue_entry(extra.queue, timer->id);
	struct system_event *event = arena_alloc(&op->arena, sizeof(*event));
	extra.available_boot_ms = 0;
	journal_set_state(&plan->state->catalog, extra.queue, entry, entry->attempts, &extra);
	if (!((struct tick_op *)op)->skip_reads)
		plan_want_for_wake(plan, op, timer->id, event);
	if (entry->flags & ENTRY_NOW) /* which its row need not say */
		plan_wake_now(plan, extra.queue, event);
	else
		plan_wake(plan, extra.queue, event);
	return entry_text_bytes(entry);
}

/*
 * Settles an expired event. A leased one stays with its consumer: when the lease ends,
 * lease_return_event finds that it has expired.
 */
static void
expiry_due(struct plan *plan, struct op *op, const struct due_timer *timer)
{
	struct extra extra = catalog_extra(&plan->state->catalog, timer->id);

	if (extra.expires_boot_ms == 0 || extra.expires_boot_ms > plan->state->boot_ms ||
	    extra.lease != NULL)
		return;
	struct id_list one = id_list_alloc(&op->arena, 1);
	id_list_add(&one, timer->id);
	plan_settle(
	    plan, extra.queue,
	    (struct store_outcome){ .kind = OUTCOME_EXPIRED, .ids = one.ids, .count = one.count });
	plan_refresh_last(plan, extra.queue);
}

static struct due_timer
pop(struct plan *plan)
{
	struct due_timer timer = *timers_first(&plan->state->timers);

	timers_pop(&plan->state->timers);
	plan->popped = mem_grow(plan->popped, &plan->popped_cap, plan->popped_count + 1,
				sizeof(*plan->popped));
	plan->popped[plan->popped_count++] = timer;
	return timer;
}

static int
plan_tick(struct plan *plan, struct op *op)
{
	size_t bytes = 0;

	for (size_t i = 0; i < TICK_TIMERS_MAX && bytes < TICK_TEXT_BYTES_MAX; i++) {
		const struct due_timer *first = timers_first(&plan->state->timers);

		if (first == NULL || first->at_boot_ms > plan->state->boot_ms)
			break;
		struct due_timer timer = pop(plan);
		if (timer.kind == TIMER_LEASE)
			lease_due(plan, op, &timer);
		else if (timer.kind == TIMER_AVAILABLE)
			bytes += delay_due(plan, op, &timer);
		else
			expiry_due(plan, op, &timer);
	}
	return PLAN_DONE;
}

static void
tick_done(struct op *op, void *arg)
{
	(void)arg;
	op_clear(op);
}

void
tick_op_init(struct tick_op *op)
{
	static const struct op_kind kind = { OP_KIND(tick_op, end), .plan = plan_tick };

	op_start(&op->op, &kind);
	op->op.done = tick_done;
}

void
tick_start(struct queue_state *state)
{
	const struct extra *extra;
	const struct lease *lease;

	for (size_t at = 0; (extra = table_each(&state->catalog.leases.extras, &at)) != NULL;) {
		if (extra->available_boot_ms > 0)
			timers_add(&state->timers,
				   (struct due_timer){ extra->available_boot_ms, extra->id,
						       TIMER_AVAILABLE });
		if (extra->expires_boot_ms > 0)
			timers_add(&state->timers, (struct due_timer){ extra->expires_boot_ms,
								       extra->id, TIMER_EXPIRES });
		if (extra->lease != NULL &&
		    (extra->lease->timer_boot_ms == 0 ||
		     extra->lease_end_boot_ms < extra->lease->timer_boot_ms))
			extra->lease->timer_boot_ms = extra->lease_end_boot_ms;
	}
	for (size_t at = 0; (lease = table_each(&state->catalog.leases.by_id, &at)) != NULL;)
		timers_add(&state->timers,
			   (struct due_timer){ lease->timer_boot_ms, lease->id, TIMER_LEASE });
}
