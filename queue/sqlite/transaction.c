/*
 * transaction.c - one transaction: begin, run statements, end, and why it failed.
 *
 * The bottom of the driver's own files: what they all do with a connection.
 */
#include "queue/sqlite/transaction.h"

#include "queue/sqlite/wal_index.h"

int
transaction_run(sqlite3_stmt *statement)
{
	int rc = sqlite3_step(statement);

	sqlite3_reset(statement);
	return rc == SQLITE_DONE ? SQLITE_OK : rc;
}

int
transaction_begin(struct sqlite_store *store)
{
	return transaction_run(store->statement[STATEMENT_BEGIN]);
}

int
transaction_fail(struct sqlite_store *store, struct error *err, enum error_code code,
		 const char *what)
{
	int rc = sqlite3_errcode(store->db);

	/* the SQL is always the same, so an error in it is one in the schema */
	if (rc == SQLITE_CORRUPT || rc == SQLITE_NOTADB || rc == SQLITE_ERROR)
		code = ERROR_STORAGE_CORRUPT;
	if (rc == SQLITE_FULL)
		code = ERROR_STORAGE_FULL;
	return error_set(err, code, "%s %s: %s", what, store->path, sqlite3_errmsg(store->db));
}

int
transaction_fail_read(struct sqlite_store *store, struct error *err)
{
	transaction_fail(store, err, ERROR_STORAGE_FAILED, "cannot read");
	err->code = ERROR_STORAGE_FAILED;
	return -1;
}

void
transaction_mark_broken(struct sqlite_store *store)
{
	store->broken = true;
	wal_index_erase(store->db);
}

/* Until disk.c has looked. */
static void
note_full(struct sqlite_store *store)
{
	store->full = store->starved = store->base.wants_chores = true;
	if (store->base.limit == STORE_LIMIT_NONE)
		store->base.limit = STORE_LIMIT_DISK;
}

int
transaction_refuse_full(const struct sqlite_store *store, struct error *err)
{
	return error_set(err, ERROR_STORAGE_FULL, "there is no room for events: %s is reached",
			 store_limit_name(store->base.limit));
}

int
transaction_end(struct sqlite_store *store, int rc, struct error *err)
{
	enum error_code code = ERROR_STORAGE_FAILED;

	if (rc == SQLITE_OK) {
		rc = transaction_run(store->statement[STATEMENT_COMMIT]);
		if (rc == SQLITE_OK)
			return 0;
		if (rc != SQLITE_FULL)
			code = ERROR_STORAGE_UNKNOWN;
	}
	transaction_fail(store, err, ERROR_STORAGE_FAILED, "cannot write");
	if (!sqlite3_get_autocommit(store->db)) /* unless SQLite has rolled back by itself */
		transaction_run(store->statement[STATEMENT_ROLLBACK]);
	if (!sqlite3_get_autocommit(store->db))
		code = ERROR_STORAGE_UNKNOWN;
	else if (rc == SQLITE_FULL)
		code = ERROR_STORAGE_FULL;
	if (code == ERROR_STORAGE_FULL) {
		note_full(store);
		transaction_refuse_full(store, err);
	}
	if (code == ERROR_STORAGE_UNKNOWN)
		transaction_mark_broken(store);
	err->code = code;
	return -1;
}

/* If it fails, each statement takes and releases the locks by itself: slower, but no harm. */
void
transaction_begin_read(struct sqlite_store *store)
{
	transaction_run(store->statement[STATEMENT_BEGIN_READ]);
}

void
transaction_end_read(struct sqlite_store *store)
{
	if (!sqlite3_get_autocommit(store->db)) /* unless a failed read has ended it */
		transaction_run(store->statement[STATEMENT_COMMIT]);
}
