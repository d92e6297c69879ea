/*
 * strand.c - walks over the index of queues in slices, between batches.
 *
 * A batch between two slices may move queues to other slots of the index. So the walk goes round
 * until no queue is left to judge, instead of trusting that one round has met them all.
 */
#include "queue/strand.h"

#include "queue/policy/route.h"

#define SLICE_LOOKS (8 * STRAND_SLICE) /* the most queues that are looked at, judged or not */

void
strand_begin(struct queue_state *state)
{
	catalog_begin_generation(&state->catalog);
	state->strand_at = 0;
}

/* Routing may also refuse a key that it once gave: a new session.mainKey may not parse. */
static void
judge(struct queue_state *state, struct queue *queue)
{
	struct address address = { .session_key = queue->session.key };
	struct arena arena = { 0 };
	struct decision decision = { 0 };
	struct error err;

	if (route_decide(state->policy, &address, false, &arena, &decision, &err) < 0 ||
	    queue_key_check(decision.queue_key, &err) < 0)
		decision.queue_key = STR_NULL;
	struct strand strand = { decision.queue_key, decision.rule };
	bool stands = str_eq(strand.to, queue->session.key);
	catalog_judge(&state->catalog, queue, stands ? NULL : &strand);
	arena_clear(&arena);
}

bool
strand_judge_some(struct queue_state *state)
{
	struct catalog *catalog = &state->catalog;
	size_t judged = 0;

	for (size_t looks = 0;
	     catalog->unjudged > 0 && judged < STRAND_SLICE && looks < SLICE_LOOKS; looks++) {
		struct queue *queue = catalog_each(catalog, &state->strand_at);

		if (queue == NULL)
			state->strand_at = 0;
		else if (queue->judged != catalog->generation) {
			judge(state, queue);
			judged++;
		}
	}
	return catalog->unjudged > 0;
}
