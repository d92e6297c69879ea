/* clock_rows.c - one row for each start of the machine and each jump of its clock. */
#include "queue/sqlite/clock_rows.h"

#include "queue/sqlite/row.h"
#include "queue/sqlite/transaction.h"

static struct clock_mark
read_mark(sqlite3_stmt *row)
{
	return (struct clock_mark){
		sqlite3_column_int64(row, 0),           sqlite3_column_int64(row, 1),
		sqlite3_column_int64(row, 2),           sqlite3_column_int64(row, 3),
		(uint64_t)sqlite3_column_int64(row, 4), sqlite3_column_int64(row, 5)
	};
}

/* Whether the mark may stand behind those read so far: both ids ascend. */
static bool
follows(const struct clock_marks *marks, const struct clock_mark *mark)
{
	struct clock_mark before = clock_marks_newest(marks);

	return mark->event >= before.event && mark->outcome >= before.outcome &&
	       mark->event <= BOUNDS_ID_MAX && mark->outcome <= BOUNDS_ID_MAX &&
	       bounds_hold_time(mark->ahead_ms) && bounds_hold_time(mark->unproven_ms) &&
	       bounds_hold_time(mark->boot_ahead_ms);
}

int
clock_rows_load(struct sqlite_store *store, struct error *err)
{
	sqlite3_stmt *row = NULL;
	int rc = sqlite3_prepare_v2(store->db,
				    "SELECT event, outcome, ahead, unproven, boot, boot_ahead FROM "
				    "clock ORDER BY event, outcome",
				    -1, &row, NULL);

	bool is_damaged = false;

	while (rc == SQLITE_OK && !is_damaged && (rc = sqlite3_step(row)) == SQLITE_ROW) {
		struct clock_mark mark = read_mark(row);

		rc = SQLITE_OK;
		is_damaged = !follows(&store->marks, &mark);
		if (!is_damaged)
			clock_marks_add(&store->marks, &mark);
	}
	int failed =
	    is_damaged
		? error_set(err, ERROR_STORAGE_CORRUPT, "the clock in %s is damaged", store->path)
	    : rc != SQLITE_DONE ? transaction_fail(store, err, ERROR_STORAGE_FAILED, "cannot read")
				: 0;
	sqlite3_finalize(row);
	return failed;
}

int
clock_rows_add(struct sqlite_store *store, const struct clock_mark *mark)
{
	sqlite3_stmt *add = store->statement[STATEMENT_ADD_MARK];

	sqlite3_bind_int64(add, 1, mark->event);
	sqlite3_bind_int64(add, 2, mark->outcome);
	sqlite3_bind_int64(add, 3, mark->ahead_ms);
	sqlite3_bind_int64(add, 4, mark->unproven_ms);
	sqlite3_bind_int64(add, 5, (int64_t)mark->boot_id);
	sqlite3_bind_int64(add, 6, mark->boot_ahead_ms);
	return transaction_run(add);
}

void
clock_rows_added(struct sqlite_store *store, const struct clock_mark *mark)
{
	struct clock_marks *marks = &store->marks;
	struct clock_mark newest = clock_marks_newest(marks);

	if (marks->count > 0 && newest.event == mark->event && newest.outcome == mark->outcome)
		marks->count--;
	clock_marks_add(marks, mark);
}

/* The lowest ids that are stored; INT64_MAX: none are. */
static void
find_oldest_rows(struct sqlite_store *store, int64_t *event, int64_t *outcome)
{
	sqlite3_stmt *row = store->statement[STATEMENT_OLDEST_ROWS];

	*event = *outcome = 0; /* if it cannot be read, nothing is removed */
	if (sqlite3_step(row) == SQLITE_ROW) {
		bool events = sqlite3_column_type(row, 0) != SQLITE_NULL,
		     outcomes = sqlite3_column_type(row, 1) != SQLITE_NULL;

		*event = events ? sqlite3_column_int64(row, 0) : INT64_MAX;
		*outcome = outcomes ? sqlite3_column_int64(row, 1) : INT64_MAX;
	}
	sqlite3_reset(row);
}

/* Removes the marks before the first that a row needs from the table, and counts them. */
static int
remove_marks(struct sqlite_store *store, size_t *count)
{
	sqlite3_stmt *remove = store->statement[STATEMENT_REMOVE_MARKS];
	int64_t event, outcome;

	find_oldest_rows(store, &event, &outcome);
	*count = clock_marks_unneeded(&store->marks, event, outcome);
	if (*count == 0)
		return SQLITE_OK;
	sqlite3_bind_int64(remove, 1, store->marks.items[*count].event);
	sqlite3_bind_int64(remove, 2, store->marks.items[*count].outcome);
	return transaction_run(remove);
}

bool
clock_rows_keep_time(struct sqlite_store *store, const struct store_time *time)
{
	sqlite3_stmt *keep = store->statement[STATEMENT_KEEP_TIME];
	struct error err; /* reported to nobody: rows tell the time too, and ready a broken store */
	size_t removed = 0;
	int rc = transaction_begin(store);

	if (rc == SQLITE_OK && time->mark != NULL)
		rc = clock_rows_add(store, time->mark);
	if (rc == SQLITE_OK) {
		sqlite3_bind_int64(keep, 1, time->steady_ms);
		rc = transaction_run(keep);
	}
	if (rc == SQLITE_OK)
		rc = remove_marks(store, &removed);
	if (transaction_end(store, rc, &err) < 0)
		return false;
	clock_marks_drop(&store->marks, removed);
	if (time->mark != NULL)
		clock_rows_added(store, time->mark);
	return true;
}
