/* ready.c - looks at the queues that a batch has touched, and at nothing else. */
#include "queue/ready.h"

#include <stdlib.h>

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

static void
count_dead(struct dead_letters *dead, const struct store_outcome *outcome)
{
	if (outcome_makes_dead_letters(outcome->kind))
		dead_letters_add(dead, outcome->session->key, outcome->count);
	else if (outcome->kind == OUTCOME_DISCARDED)
		dead_letters_remove(dead, outcome->session->key, outcome->count);
	else if (outcome->kind == OUTCOME_REQUEUED)
		dead_letters_remove(dead, outcome->died_in, outcome->count);
}

/* A queue of which something was taken is ready anew, if it still is. */
void
ready_follow(struct plan *plan)
{
	const struct queue_state *state = plan->state;
	struct catalog *catalog = &plan->state->catalog;

	for (size_t i = 0; i < plan->records.outcome_count; i++) {
		if (takes(plan->records.outcomes[i].kind))
			set_ready(queue_of_session(plan->records.outcomes[i].session), 0, 0);
		else
			count_dead(&catalog->dead, &plan->records.outcomes[i]);
	}
	for (size_t i = 0; i < catalog->touched_count; i++) {
		struct queue *queue = catalog->touched[i];

		if (queue_deliverable(queue) == 0)
			set_ready(queue, 0, 0);
		else if (queue->ready_ts_ms == 0)
			set_ready(queue, state->steady.steady_ms, state->now_ms);
	}
}

static int
by_id(const void *a, const void *b)
{
	const struct held_back *x = a, *y = b;

	if (x->id != y->id)
		return (x->id > y->id) - (x->id < y->id);
	return (x->until_steady_ms > y->until_steady_ms) -
	       (x->until_steady_ms < y->until_steady_ms);
}

/* Leaves of each event the latest time. Returns how many remain. */
static size_t
leave_latest(struct held_back *held, size_t count)
{
	size_t left = 0;

	if (count > 1)
		qsort(held, count, sizeof(*held), by_id);
	for (size_t i = 0; i < count; i++)
		if (i + 1 == count || held[i + 1].id != held[i].id)
			held[left++] = held[i];
	return left;
}

static int
id_of(const void *id, const void *held)
{
	int64_t x = *(const int64_t *)id, y = ((const struct held_back *)held)->id;

	return (x > y) - (x < y);
}

/* Sets the queue ready since the first of its events could be had; others came after that one. */
static void
load_queue(const struct queue_state *state, struct queue *queue, const struct held_back *held,
	   size_t count)
{
	const struct held_back *since = NULL;

	for (const struct entry *e = queue_first(queue, 0); e != NULL; e = queue_next(queue, e)) {
		if (!entry_deliverable(e))
			continue;
		since = count > 0 ? bsearch(&e->id, held, count, sizeof(*held), id_of) : NULL;
		int64_t ready_ms = since != NULL ? since->until_steady_ms
						 : steady_of_event(&state->steady, e->id, e->ts_ms);
		if (queue->ready_ts_ms == 0 || ready_ms < queue->ready_steady_ms)
			set_ready(queue, ready_ms, since != NULL ? since->until_ts_ms : e->ts_ms);
		if (since == NULL)
			return;
	}
}

void
ready_load(struct queue_state *state, struct held_back *held, size_t count)
{
	struct queue *queue;

	count = leave_latest(held, count);
	for (size_t at = 0; (queue = catalog_each(&state->catalog, &at)) != NULL;)
		if (queue_deliverable(queue) > 0)
			load_queue(state, queue, held, count);
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
	if (dead_letters_count(&state->catalog.dead, queue->session.key, queue->hash) > 0)
		set |= SESSION_PROBLEM(PROBLEM_DEAD);
	return set;
}
