/*
 * history.h - the driver's history: pages of what happened.
 */
#ifndef QUEUE_SQLITE_HISTORY_H
#define QUEUE_SQLITE_HISTORY_H

#include "queue/store.h"

/* As store_driver.history says (queue/store.h). */
void sqlite_history(struct store *base, const struct history_query *query, history_row *each,
		    history_done *done, void *arg);

#endif
