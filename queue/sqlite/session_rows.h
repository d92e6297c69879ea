/*
 * session_rows.h - how many event rows each session has on disk.
 *
 * The sweep removes a session's own row with its last event, without asking the database.
 */
#ifndef QUEUE_SQLITE_SESSION_ROWS_H
#define QUEUE_SQLITE_SESSION_ROWS_H

#include "queue/sqlite/database.h"

struct session_rows {
	int64_t session;
	size_t events;
	/* the queue's session while the store is loaded; NULL: nothing of it was pending so far */
	struct store_session *loading;
};

/* Counts an event row, also in the store's statistics. Never NULL; owned by the store. */
struct session_rows *session_rows_add_event(struct sqlite_store *store, int64_t session);

/* True: that was the session's last event. */
bool session_rows_remove_event(struct sqlite_store *store, int64_t session);

void session_rows_clear(struct sqlite_store *store);

#endif
