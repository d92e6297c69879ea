/*
 * sweep.h - removes outcomes past their time, with the events they settled.
 *
 * Here: one step at a time, each short. Not here: when (chores.c), idempotency keys (chores.c).
 */
#ifndef QUEUE_SQLITE_SWEEP_H
#define QUEUE_SQLITE_SWEEP_H

#include "queue/sqlite/database.h"

/* Does one step. False: nothing is left to remove now, or the disk does not let us. */
bool sweep_step(struct sqlite_store *store, const struct chores *chores);

void sweep_free(struct sweep *round); /* accepts NULL */

#endif
