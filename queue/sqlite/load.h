/*
 * load.h - the driver's load: which of the stored events are still pending.
 */
#ifndef QUEUE_SQLITE_LOAD_H
#define QUEUE_SQLITE_LOAD_H

#include "queue/store.h"

/* Does what store_driver.load says (queue/store.h), and returns how it ended. */
int sqlite_load(struct store *base, const struct store_loading *loading,
		struct store_newest *newest, struct error *err);

#endif
