/*
 * strand.h - finds the queues whose key the policy in force routes elsewhere, and those whose key
 * another policy would.
 *
 * A queue key stands when routing it alone gives it again. Otherwise its queue is stranded: whoever
 * asks for the key is sent to another queue, and nobody takes these events. Routing only ever gives
 * keys that stand, so only queues that were there when a policy was adopted, or that were loaded,
 * can be stranded.
 *
 * Here: judging all queues under one policy, some at a time, never while a batch is under way. Not
 * here: counting them (catalog/catalog.h), moving their events. Private to queue/.
 */
#ifndef QUEUE_STRAND_H
#define QUEUE_STRAND_H

#include "queue/state.h"

#define STRAND_SLICE 250 /* the most queues that are judged at a time: 1 to 4 ms */

/* Begins anew, for a policy just adopted or for queues just loaded. */
void strand_begin(struct queue_state *state);
/* Judges some of the queues that are left (walks[WALK_JUDGE].left). */
void strand_judge_some(struct queue_state *state);

/* Begins a trial, which takes over the policy; a trial before it ends. */
void strand_try(struct queue_state *state, struct policy *policy);
/* Judges some of the queues that the trial has left (walks[WALK_TRY].left). */
void strand_try_some(struct queue_state *state);
void strand_end_trial(struct queue_state *state); /* without a trial does nothing */

#endif
