/*
 * load.h - the catalog as the store's two logs tell it. Private to queue/.
 */
#ifndef QUEUE_LOAD_H
#define QUEUE_LOAD_H

#include "queue/plan.h"

/* Fills the plan's catalog, timers, ids and time. On failure the catalog is to be cleared. */
int plan_load(struct plan *plan, struct store *store, struct error *err);

#endif
