/*
 * chores.h - the driver's chores: what is done between commits.
 */
#ifndef QUEUE_SQLITE_CHORES_H
#define QUEUE_SQLITE_CHORES_H

#include "queue/store.h"

/* Does what store_driver.chores says (queue/store.h). True: there is more to do. */
bool sqlite_chores(struct store *base, const struct chores *chores);

#endif
