/* salvage_schema.c - compares a schema with that of an empty database of the same version. */
#include "queue/sqlite/salvage_schema.h"

#include "queue/sqlite/open.h"
#include "queue/sqlite/transaction.h"

static const char rows[] = "SELECT rowid, type, name, tbl_name, sql FROM sqlite_schema";

/* Rows have the same numbers, as all databases of a version have had the same migrations. */
static const char mend[] =
    "UPDATE sqlite_schema SET type = ?2, name = ?3, tbl_name = ?4, sql = ?5"
    " WHERE rowid = ?1 AND (type, name, tbl_name, sql) IS NOT (?2, ?3, ?4, ?5)";

static void
mend_row(sqlite3 *db, sqlite3_stmt *update, sqlite3_stmt *row, int *mended)
{
	for (int i = 0; i < sqlite3_column_count(row); i++)
		sqlite3_bind_value(update, i + 1, sqlite3_column_value(row, i));
	if (transaction_run(update) == SQLITE_OK)
		*mended += sqlite3_changes(db);
}

/* With writable_schema SQLite takes a schema of which it cannot read all. */
static void
mend_rows(sqlite3 *db, sqlite3 *empty, int *mended)
{
	sqlite3_stmt *row = NULL, *update = NULL;

	sqlite3_exec(db, "PRAGMA writable_schema = ON", NULL, NULL, NULL);
	if (sqlite3_prepare_v2(empty, rows, -1, &row, NULL) == SQLITE_OK &&
	    sqlite3_prepare_v2(db, mend, -1, &update, NULL) == SQLITE_OK)
		while (sqlite3_step(row) == SQLITE_ROW)
			mend_row(db, update, row, mended);
	sqlite3_finalize(row);
	sqlite3_finalize(update);
	sqlite3_exec(db, "PRAGMA writable_schema = RESET", NULL, NULL, NULL);
}

int
salvage_schema(struct sqlite_store *store, int *ret, struct error *err)
{
	struct sqlite_store empty = { .path = store->path };
	int version, failed = open_version(store, &version, err);

	*ret = 0;
	if (failed == 0 && sqlite3_open(":memory:", &empty.db) != SQLITE_OK)
		failed = transaction_fail(&empty, err, ERROR_STORAGE_FAILED, "cannot compare");
	if (failed == 0)
		failed = open_migrate(&empty, version, err);
	if (failed == 0)
		mend_rows(store->db, empty.db, ret);
	sqlite3_close(empty.db);
	return failed;
}
