/* ready.c - looks at the queues that a batch has touched, and at nothing else. */
#include "queue/ready.h"

static bool
takes(enum outcome_kind kind)
{
	return kind == OUTCOME_DRAINED || kind == OUTCOME_CONSUMED || kind == OUTCOME_LEASED;
}

static void
set_ready(struct queue *queue, int64_t steady_ms, int64_t ts_ms)
{
	queue->ready_steady_ms = steady_ms;
	queue->ready_ts_ms = ts_ms;
}

/* A queue of which something was taken is ready anew, if it still is. */
void
ready_follow(struct plan *plan)
{
	const struct queue_state *state = plan->state;
	const struct catalog *catalog = &state->catalog;

	for (size_t i = 0; i < plan->records.outcome_count; i++)
		if (takes(plan->records.outcomes[i].kind))
			set_ready(queue_of_session(plan->records.outcomes[i].session), 0, 0);
	for (size_t i = 0; i < catalog->touched_count; i++) {
		struct queue *queue = catalog->touched[i];

		if (queue_deliverable(queue) == 0)
			set_ready(queue, 0, 0);
		else if (queue->ready_ts_ms == 0)
			set_ready(queue, state->steady.steady_ms, state->now_ms);
	}
}

static const struct entry *
oldest_deliverable(const struct queue *queue)
{
	const struct entry *entry = queue_first(queue, 0);

	while (entry != NULL && !entry_deliverable(entry))
		entry = queue_next(queue, entry);
	return entry;
}

void
ready_load(struct queue_state *state)
{
	struct queue *queue;

	for (size_t at = 0; (queue = catalog_each(&state->catalog, &at)) != NULL;) {
		const struct entry *oldest =
		    queue_deliverable(queue) > 0 ? oldest_deliverable(queue) : NULL;

		if (oldest != NULL)
			set_ready(queue, steady_of_event(&state->steady, oldest->id, oldest->ts_ms),
				  oldest->ts_ms);
	}
}

int64_t
ready_unattended_since(const struct queue_state *state, const struct queue *queue)
{
	return queue->ready_ts_ms > 0 && queue_deliverable(queue) > 0 &&
		       waiting_count_hashed(&state->waiting, queue->session.key, queue->hash) == 0
		   ? queue->ready_steady_ms
		   : INT64_MAX;
}

/* What may have been taken before the server started leaves it as much time as any queue. */
static bool
is_unattended(const struct queue_state *state, const struct queue *queue)
{
	int64_t since_ms = ready_unattended_since(state, queue);
	int64_t running_ms = state->boot_ms - state->opened_boot_ms;
	int64_t limit_ms = state->options.unattended_ms;

	return since_ms != INT64_MAX && running_ms >= limit_ms &&
	       state->steady.steady_ms - since_ms >= limit_ms;
}

static bool
is_full(const struct queue_state *state, const struct queue *queue)
{
	return queue->depth * 10 >= state->options.session_pending_max * 9;
}

unsigned
ready_problems(const struct queue_state *state, const struct queue *queue)
{
	unsigned set = 0;

	if (queue->strand != NULL)
		set |= SESSION_PROBLEM(PROBLEM_STRANDED);
	if (is_full(state, queue))
		set |= SESSION_PROBLEM(PROBLEM_FULL);
	if (is_unattended(state, queue))
		set |= SESSION_PROBLEM(PROBLEM_UNATTENDED);
	return set;
}
