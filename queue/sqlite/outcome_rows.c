/* outcome_rows.c - a row is read, and written again with the rest of its events. */
#include "queue/sqlite/outcome_rows.h"

#include "queue/sqlite/ids.h"
#include "queue/sqlite/row.h"
#include "queue/sqlite/transaction.h"

/* Reads the row. False: it is damaged or not there. */
static bool
read_row(struct sqlite_store *store, int64_t id, struct arena *arena, struct store_outcome *ret)
{
	sqlite3_stmt *row = store->statement[STATEMENT_READ_OUTCOME];

	sqlite3_bind_int64(row, 1, id);
	bool found = sqlite3_step(row) == SQLITE_ROW && row_read_outcome(row, arena, ret) == 0;
	sqlite3_reset(row);
	return found;
}

/* Takes the ids, which ascend as the outcome's do, and their counts out of both lists. */
static void
subtract(struct store_outcome *outcome, uint32_t *counts, const struct store_drop *drop)
{
	size_t kept = 0;

	for (size_t i = 0, j = 0; i < outcome->count; i++) {
		while (j < drop->count && drop->ids[j] < outcome->ids[i])
			j++;
		if (j < drop->count && drop->ids[j] == outcome->ids[i])
			continue;
		if (counts != NULL)
			counts[kept] = counts[i];
		outcome->ids[kept++] = outcome->ids[i];
	}
	outcome->count = kept;
}

static int
write_row(struct sqlite_store *store, const struct store_outcome *outcome, struct arena *arena)
{
	sqlite3_stmt *write = store->statement[STATEMENT_WRITE_EVENTS_OF_OUTCOME];
	struct buf text = { 0 };

	ids_write(&text, outcome->ids, outcome->count);
	struct str ids = arena_dup(arena, (struct str){ text.data, text.len });
	text.len = 0;
	if (outcome->counts != NULL)
		counts_write(&text, outcome->counts, outcome->count);
	sqlite3_bind_int64(write, 1, outcome->id);
	row_bind_text(write, 2, ids);
	row_bind_text(write, 3,
		      outcome->counts != NULL ? (struct str){ text.data, text.len } : STR_NULL);
	int rc = transaction_run(write);
	buf_clear(&text);
	return rc;
}

int
outcome_rows_remove(struct sqlite_store *store, int64_t outcome, int64_t *target)
{
	sqlite3_stmt *remove = store->statement[STATEMENT_REMOVE_OUTCOME];

	sqlite3_bind_int64(remove, 1, outcome);
	int rc = sqlite3_step(remove);
	*target = rc == SQLITE_ROW ? sqlite3_column_int64(remove, 0) : 0;
	if (rc == SQLITE_ROW)
		rc = sqlite3_step(remove);
	sqlite3_reset(remove);
	return rc == SQLITE_DONE ? SQLITE_OK : rc;
}

static int
drop_from(struct sqlite_store *store, struct store_outcome *outcome, const struct store_drop *drop,
	  struct arena *arena, size_t *removed)
{
	size_t bytes = outcome->count * sizeof(*outcome->counts);
	uint32_t *counts = outcome->counts != NULL
			       ? memcpy(arena_alloc(arena, bytes), outcome->counts, bytes)
			       : NULL;

	subtract(outcome, counts, drop);
	outcome->counts = counts;
	if (outcome->count > 0)
		return write_row(store, outcome, arena);
	int64_t target; /* none: moves give way to nothing */
	++*removed;
	return outcome_rows_remove(store, outcome->id, &target);
}

int
outcome_rows_drop(struct sqlite_store *store, const struct store_drop *drop, size_t *removed)
{
	struct arena arena = { 0 };
	struct store_outcome outcome;
	int rc = SQLITE_OK;

	if (read_row(store, drop->outcome, &arena, &outcome))
		rc = drop_from(store, &outcome, drop, &arena, removed);
	arena_clear(&arena);
	return rc;
}
