/*
 * state.h - what the queue knows from one batch to the next.
 *
 * Here: the catalog and everything else that outlives a batch: timers, waiting ops, the policy in
 * force, ids, clocks, counters. One of it, owned by the engine.
 * Not here: what one batch is about to change (plan), which step it is at (batch). Private to
 * queue/.
 *
 * While a batch is under way its plan has changed the catalog, and only the commit decides whether
 * the changes stay. So code outside a batch reads the catalog only when no batch is under way.
 */
#ifndef QUEUE_STATE_H
#define QUEUE_STATE_H

#include "queue/catalog/catalog.h"
#include "queue/catalog/recent.h"
#include "queue/catalog/timers.h"
#include "queue/op_list.h"
#include "queue/options.h"
#include "queue/policy/policy.h"
#include "queue/policy/route_cache.h"
#include "queue/stats.h"
#include "queue/steady.h"
#include "queue/strands.h"
#include "queue/waiting.h"

struct queue_state {
	struct engine_options options;
	struct policy *policy;          /* in force; owned */
	struct route_cache route_cache; /* under that policy */
	struct catalog catalog;
	struct census_walk census;
	struct trial *trial; /* of another policy, under way or ended; owned; NULL: none */
	struct timers timers;
	struct waiting waiting; /* ops that wait to be woken */
	struct recent recent;   /* events of written commits only */
	struct engine_stats stats;
	change_callback *on_change; /* NULL: nobody wants to know */
	void *on_change_arg;
	struct op_list submitted; /* for the next batch */
	/* an op was submitted by a wake or by PLAN_AGAIN: another batch follows in the same turn */
	bool turn_again;
	int64_t next_event, next_outcome; /* ids; ascend over the life of the database */
	/* the highest that are stored; after a restart, ids continue from them */
	int64_t stored_event, stored_outcome;
	struct steady steady; /* the queue's own clock */
	int64_t now_ms;       /* the stamp of rows: wall time (steady.h) */
	/* CLOCK_BOOTTIME at the same moment; timers are compared with it */
	int64_t boot_ms;
	int64_t opened_boot_ms;     /* when the engine was opened */
	int64_t tick_after_boot_ms; /* no tick before that: the last one failed */
	/* why the queue has stopped for good (ERROR_STORAGE_UNKNOWN); ERROR_NONE: it runs */
	struct error stopped;
};

/* Fills it in with the options, reads the clocks. policy is set by the caller. */
void state_init(struct queue_state *state, const struct engine_options *options);
void state_clear(struct queue_state *state); /* frees the policy too; ops are not touched */

/* Reads the clocks, before a batch is planned. */
void state_read_clocks(struct queue_state *state);
/* The same after a load, from what the store knows about time. */
void state_continue_clocks(struct queue_state *state, const struct steady_stored *stored);

/* When the next tick is due, in boot time; INT64_MAX: nothing is due. */
int64_t state_due_boot_ms(const struct queue_state *state);

/* Submits all ops that wait at the key, to be planned again in this turn. */
void state_wake_waiters(struct queue_state *state, struct str queue_key);
/* The same for all ops that wait anywhere; reports the keys. */
void state_wake_all_waiters(struct queue_state *state);

/* Reports a change of the queue, if anybody wants to know. */
static inline void
state_tell_change(const struct queue_state *state, struct str queue_key)
{
	if (state->on_change != NULL)
		state->on_change(state->on_change_arg, queue_key);
}

#endif
