/* strand.c - walks over all queues in slices, between batches, and routes the key of each. */
#include "queue/strand.h"

#include <stdlib.h>

#include "queue/policy/route.h"

/*
 * Routes the key of a queue under the policy. False: the key stands. Routing may also refuse a key
 * that it once gave, because a new session.mainKey may not parse. The key that is given lives in
 * the arena.
 */
static bool
is_stranded(const struct policy *policy, const struct queue *queue, struct arena *arena,
	    struct strand *ret)
{
	struct address address = { .session_key = queue->session.key };
	struct decision decision = { 0 };
	struct error err;

	if (route_decide(policy, &address, false, arena, &decision, &err) < 0 ||
	    queue_key_check(decision.queue_key, &err) < 0)
		decision.queue_key = STR_NULL;
	*ret = (struct strand){ decision.queue_key, decision.rule };
	return !str_eq(ret->to, queue->session.key);
}

/* Where the key of the queue leads; NULL: it stands, or leads nowhere. */
static struct str
leads_to(const struct strand *strand)
{
	return strand != NULL ? strand->to : STR_NULL;
}

/* strand NULL: the key stands. */
static void
set_strand(struct queue_state *state, struct queue *queue, const struct strand *strand)
{
	bool same = str_eq(leads_to(queue->strand), leads_to(strand));

	catalog_set_strand(&state->catalog, queue, strand);
	if (!same)
		state_tell_change(state, queue->session.key);
}

void
strand_begin(struct queue_state *state)
{
	catalog_walk_begin(&state->catalog, WALK_JUDGE);
}

void
strand_judge_some(struct queue_state *state)
{
	struct queue *queue;

	for (size_t i = 0;
	     i < STRAND_SLICE && (queue = catalog_walk_next(&state->catalog, WALK_JUDGE)) != NULL;
	     i++) {
		struct arena arena = { 0 };
		struct strand strand;
		bool stranded = is_stranded(state->policy, queue, &arena, &strand);

		set_strand(state, queue, stranded ? &strand : NULL);
		arena_clear(&arena);
	}
}

/* --- trials --- */

void
strand_end_trial(struct queue_state *state)
{
	struct trial *trial = state->trial;

	state->trial = NULL;
	if (trial == NULL)
		return;
	policy_free(trial->policy);
	arena_clear(&trial->arena);
	free(trial);
}

void
strand_try(struct queue_state *state, struct policy *policy)
{
	strand_end_trial(state);
	state->trial = mem_alloc(sizeof(*state->trial));
	state->trial->policy = policy;
	catalog_walk_begin(&state->catalog, WALK_TRY);
	state->trial->strands.complete = state->catalog.walks[WALK_TRY].left == 0;
}

static void
count_stranded(struct trial *trial, const struct queue *queue, const struct strand *strand)
{
	trial->strands.sessions++;
	trial->strands.events += queue->depth;
	if (trial->count < TRIAL_LISTED_MAX)
		trial->items[trial->count++] =
		    (struct trial_item){ arena_dup(&trial->arena, queue->session.key),
					 arena_dup(&trial->arena, strand->to), queue->depth };
}

void
strand_try_some(struct queue_state *state)
{
	struct trial *trial = state->trial;
	struct queue *queue;

	for (size_t i = 0;
	     i < STRAND_SLICE && (queue = catalog_walk_next(&state->catalog, WALK_TRY)) != NULL;
	     i++) {
		struct arena arena = { 0 };
		struct strand strand;

		if (is_stranded(trial->policy, queue, &arena, &strand))
			count_stranded(trial, queue, &strand);
		arena_clear(&arena);
	}
	trial->strands.complete = state->catalog.walks[WALK_TRY].left == 0;
}
