/*
 * load.h - the catalog as the store's two logs tell it. Private to queue/.
 */
#ifndef SEVQ_QUEUE_LOAD_H
#define SEVQ_QUEUE_LOAD_H

#include "queue/plan.h"

/* Fills the plan's catalog, timers, ids and time. On failure the catalog is to be cleared. */
int sevq_plan_load(struct sevq_plan *plan, struct sevq_store *store, struct sevq_error *err);

#endif
