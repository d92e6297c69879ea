/*
 * load.h - fills the state from the two logs of the store. Private to queue/.
 */
#ifndef QUEUE_LOAD_H
#define QUEUE_LOAD_H

#include "queue/catalog/move.h"
#include "queue/ready.h"
#include "queue/state.h"

/* The load has ended. err NULL: the state is complete; else the caller clears the state. */
typedef void load_done(void *arg, const struct error *err);

/* A load under way; embedded, filled in by load_start. */
struct load {
	struct queue_state *state;
	struct store_newest newest; /* known before the first event */
	struct move move;           /* under way; to NULL: none is */
	struct held_back *held;     /* events that once were, and are not now */
	size_t held_count, held_cap;
	struct store_loading callbacks;
	load_done *done;
	void *done_arg;
};

/*
 * Fills the state's catalog, timers, ids and time. Calls done, before it returns or later; load and
 * state must live until then.
 */
void load_start(struct load *load, struct queue_state *state, struct store *store, load_done *done,
		void *arg);

#endif
