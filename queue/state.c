/* state.c - fills and empties the state, reads its clocks, wakes its waiting ops. */
#include "queue/state.h"

#include "queue/clock.h"

static void
take_clocks(struct queue_state *state)
{
	state->now_ms = state->steady.stamp_ms;
	state->boot_ms = state->steady.boot_ms;
	state->stats.clock_jumps = state->steady.jumps;
}

void
state_read_clocks(struct queue_state *state)
{
	struct clock now = clock_now();

	steady_read(&state->steady, &now, state->stored_event + 1, state->stored_outcome + 1);
	take_clocks(state);
}

void
state_continue_clocks(struct queue_state *state, const struct steady_stored *stored)
{
	struct clock now = clock_now();

	steady_continue(&state->steady, stored, &now);
	take_clocks(state);
}

void
state_init(struct queue_state *state, const struct engine_options *options)
{
	*state = (struct queue_state){ .options = *options };
	catalog_init(&state->catalog);
	state->catalog.matches.walk_max = options->walk_max;
	recent_init(&state->recent, options->recent_bytes);
	op_list_init(&state->submitted);
	struct clock now = clock_now();
	steady_begin(&state->steady, &now);
	take_clocks(state);
	state->opened_boot_ms = state->boot_ms;
}

void
state_clear(struct queue_state *state)
{
	policy_free(state->policy);
	route_cache_clear(&state->route_cache);
	timers_clear(&state->timers);
	waiting_clear(&state->waiting);
	recent_clear(&state->recent);
	catalog_clear(&state->catalog);
	steady_clear(&state->steady);
}

static void
wake_waiter(struct queue_state *state, struct op *op)
{
	op_list_add(&state->submitted, op);
	state->turn_again = true;
}

void
state_wake_waiters(struct queue_state *state, struct str queue_key)
{
	struct op *op;

	while ((op = waiting_take(&state->waiting, queue_key)) != NULL)
		wake_waiter(state, op);
}

void
state_wake_all_waiters(struct queue_state *state)
{
	struct op *op;

	while ((op = waiting_take(&state->waiting, STR_NULL)) != NULL) {
		state_tell_change(state, op->queue_key);
		wake_waiter(state, op);
	}
}

int64_t
state_due_boot_ms(const struct queue_state *state)
{
	const struct due_timer *first = timers_first(&state->timers);

	if (first == NULL)
		return INT64_MAX;
	return first->at_boot_ms > state->tick_after_boot_ms ? first->at_boot_ms
							     : state->tick_after_boot_ms;
}
