/* timeline.c - the newest outcome that may give way is remembered with the event's deliveries. */
#include "queue/ops/timeline.h"

/* The number of events in the lease. */
static size_t
events_of(const struct queue_state *state, int64_t lease)
{
	const struct lease *found = leases_find(&state->catalog.leases, lease);

	return found != NULL ? found->count : 0;
}

static uint32_t *
counts_of(struct plan *plan, const struct store_outcome *outcome)
{
	return arena_alloc(&plan->arena, outcome->count * sizeof(uint32_t));
}

/* What happens to each event for the first time need not be stored. */
static const uint32_t *
unless_first(const uint32_t *counts, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (counts[i] > 1)
			return counts;
	return NULL;
}

void
timeline_record_extended(struct plan *plan, struct queue *queue, struct store_outcome outcome)
{
	struct catalog *catalog = &plan->state->catalog;
	uint32_t *counts = counts_of(plan, &outcome);
	size_t events = events_of(plan->state, outcome.lease);
	int64_t id = plan->state->next_outcome;

	for (size_t i = 0; i < outcome.count; i++) {
		int64_t event = outcome.ids[i];
		struct deliveries deliveries = leases_deliveries(&catalog->leases, event);

		plan_drop_entry(plan, deliveries.extended, event, events);
		counts[i] = ++deliveries.extensions;
		deliveries.extended = id;
		journal_set_deliveries(catalog, queue, &deliveries);
	}
	outcome.counts = unless_first(counts, outcome.count);
	plan_record(plan, queue, outcome);
}

/* The event's delivery has ended with this outcome, which counts no attempt. */
static void
note_given_back(const struct queue_state *state, struct deliveries *deliveries, uint32_t times,
		const struct store_outcome *outcome, size_t events)
{
	deliveries->given_back = times;
	if (times > state->options.returns_kept)
		deliveries->past = (struct past_delivery){ outcome->lease, deliveries->extended,
							   outcome->id, events };
	deliveries->extended = 0;
	deliveries->extensions = 0;
}

void
timeline_record_given_back(struct plan *plan, struct queue *queue, struct store_outcome outcome)
{
	struct catalog *catalog = &plan->state->catalog;
	uint32_t *counts = counts_of(plan, &outcome);
	size_t events = events_of(plan->state, outcome.lease);

	outcome.id = plan->state->next_outcome;
	for (size_t i = 0; i < outcome.count; i++) {
		int64_t event = outcome.ids[i];
		struct deliveries deliveries = leases_deliveries(&catalog->leases, event);
		struct past_delivery past = deliveries.past;

		plan_drop_entry(plan, past.leased, event, past.events);
		plan_drop_entry(plan, past.extended, event, past.events);
		plan_drop_entry(plan, past.returned, event, past.events);
		counts[i] = deliveries.given_back + 1;
		note_given_back(plan->state, &deliveries, counts[i], &outcome, events);
		journal_set_deliveries(catalog, queue, &deliveries);
	}
	outcome.counts = unless_first(counts, outcome.count);
	plan_record(plan, queue, outcome);
}

static void
forget_extensions(struct catalog *catalog, struct queue *queue, int64_t event)
{
	if (queue->delivered == 0)
		return;
	struct deliveries deliveries = leases_deliveries(&catalog->leases, event);
	if (deliveries.extensions == 0)
		return;
	deliveries.extended = 0;
	deliveries.extensions = 0;
	journal_set_deliveries(catalog, queue, &deliveries);
}

void
timeline_end_delivery(struct plan *plan, struct queue *queue, int64_t event)
{
	forget_extensions(&plan->state->catalog, queue, event);
}

void
timeline_load(struct queue_state *state, struct queue *queue, const struct store_outcome *outcome,
	      size_t place)
{
	struct catalog *catalog = &state->catalog;
	uint32_t count = outcome->counts != NULL ? outcome->counts[place] : 0;

	if (outcome->kind != OUTCOME_EXTENDED && outcome->kind != OUTCOME_RETURNED) {
		forget_extensions(catalog, queue, outcome->ids[place]);
		return;
	}
	struct deliveries deliveries = leases_deliveries(&catalog->leases, outcome->ids[place]);
	if (outcome->kind == OUTCOME_EXTENDED) {
		deliveries.extensions = count > 0 ? count : deliveries.extensions + 1;
		deliveries.extended = outcome->id;
	} else
		note_given_back(state, &deliveries, count > 0 ? count : deliveries.given_back + 1,
				outcome, events_of(state, outcome->lease));
	journal_set_deliveries(catalog, queue, &deliveries);
}
