/*
 * strand.h - finds the queues whose key the policy in force routes elsewhere.
 *
 * A queue key stands when routing it alone gives it again. Otherwise its queue is stranded: whoever
 * asks for the key is sent to another queue, and nobody takes these events. Routing only ever gives
 * keys that stand, so only queues that were there when a policy was adopted, or that were loaded,
 * can be stranded.
 *
 * Here: judging all queues under one policy, some at a time. Not here: counting them
 * (catalog/catalog.h), moving their events. Private to queue/.
 */
#ifndef QUEUE_STRAND_H
#define QUEUE_STRAND_H

#include "queue/state.h"

/* The most queues that are judged at a time: about 3 ms. */
#define STRAND_SLICE 1000

/* Begins anew, for a policy just adopted or for queues just loaded. */
void strand_begin(struct queue_state *state);

/*
 * Judges some of the queues that are left (state->catalog.unjudged). Never while a batch is under
 * way. Returns whether any are left.
 */
bool strand_judge_some(struct queue_state *state);

#endif
