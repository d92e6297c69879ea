/*
 * session_rows.h - how many event rows each session has on disk, and moves to it.
 *
 * The sweep removes a session's own row with the last of them, without asking the database.
 */
#ifndef QUEUE_SQLITE_SESSION_ROWS_H
#define QUEUE_SQLITE_SESSION_ROWS_H

#include "queue/sqlite/database.h"

struct session_rows {
	int64_t session;
	size_t held; /* by so many events of it, and outcomes that moved events to it */
	/* the queue's session while the store is loaded; NULL: nothing of it was pending so far */
	struct store_session *loading;
};

/* Counts an event row, also in the store's statistics. Never NULL; owned by the store. */
struct session_rows *session_rows_add_event(struct sqlite_store *store, int64_t session);

/* True: nothing holds the session's row any more. */
bool session_rows_remove_event(struct sqlite_store *store, int64_t session);

/*
 * Counts an outcome that moved events to the session: as long as that is stored, so is the
 * session's row. session_rows_release: true as above.
 */
void session_rows_hold(struct sqlite_store *store, int64_t session);
bool session_rows_release(struct sqlite_store *store, int64_t session);

void session_rows_clear(struct sqlite_store *store);

#endif
