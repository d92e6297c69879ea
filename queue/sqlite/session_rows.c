/*
 * session_rows.c - how many event rows each session has on disk, and moves to it.
 */
#include "queue/sqlite/session_rows.h"

#include <stdlib.h>

#include "queue/sqlite/database.h"

static bool
same_session(const void *item, const void *key)
{
	const struct session_rows *rows = item;

	return rows->session == *(const int64_t *)key;
}

static struct session_rows *
hold(struct sqlite_store *store, int64_t session)
{
	struct session_rows *rows =
	    table_find(&store->session_rows, keyed_hash_id(session), same_session, &session);

	if (rows == NULL) {
		rows = mem_alloc(sizeof(*rows));
		rows->session = session;
		table_add(&store->session_rows, keyed_hash_id(session), rows);
	}
	rows->held++;
	return rows;
}

struct session_rows *
session_rows_add_event(struct sqlite_store *store, int64_t session)
{
	store->stats.events++;
	return hold(store, session);
}

bool
session_rows_remove_event(struct sqlite_store *store, int64_t session)
{
	store->stats.events--;
	return session_rows_release(store, session);
}

void
session_rows_hold(struct sqlite_store *store, int64_t session)
{
	hold(store, session);
}

bool
session_rows_release(struct sqlite_store *store, int64_t session)
{
	struct session_rows *rows =
	    table_find(&store->session_rows, keyed_hash_id(session), same_session, &session);

	if (rows == NULL || --rows->held > 0)
		return false;
	table_remove(&store->session_rows, keyed_hash_id(session), rows);
	free(rows);
	return true;
}

void
session_rows_clear(struct sqlite_store *store)
{
	void *rows;

	for (size_t at = 0; (rows = table_each(&store->session_rows, &at)) != NULL;)
		free(rows);
	table_clear(&store->session_rows);
}
