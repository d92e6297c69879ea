/*
 * salvage.c - copies the rows of a damaged database, one by one, to a new one.
 *
 * The database and the valid frames of its WAL are first put together in a scratch file, which
 * SQLite may migrate. Then each table is read in the order of its ids. Where SQLite cannot read on,
 * the next id that it can read is searched for, so a damaged page costs the rows in it and no
 * others.
 */
#include "queue/sqlite/salvage.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>

#include <unistd.h>

#include "queue/sqlite/open.h"
#include "queue/sqlite/path.h"
#include "queue/sqlite/row.h"
#include "queue/sqlite/transaction.h"
#include "schema/text.h"

#define COPY_BYTES (1 << 20)
#define JUMP_MAX (INT64_C(1) << 40) /* no id is so far behind another */
#define JOURNAL_MODE_AT 18          /* two bytes of SQLite's header: 2 is WAL, 1 is not */
#define EVENT_HASH_COLUMN 3         /* of the table event; texts follow from here: */
#define EVENT_CONTEXT_COLUMN 10
#define EVENT_TEXT_COLUMN 15

struct salvage {
	struct sqlite_store from, to; /* the scratch file; the new database, or no db */
	struct salvage_report *report;
	/* of the table that is being copied: */
	const struct table_to_copy *table;
	sqlite3_stmt *rows, *next, *insert;
};

static const struct table_to_copy {
	const char *name, *id; /* its integer key; NULL: it is read in one go */
	bool events;
} tables[] = {
	{ "session", "id", false },     { "event", "id", true },
	{ "outcome", "id", false },     { "dead_letter", "event", false },
	{ "idempotency", "id", false }, { "newest", "rowid", false },
	{ "clock", NULL, false },
};

bool
salvage_is_whole(const struct salvage_report *report)
{
	return report->damaged_events == 0 && report->damaged_rows == 0 && report->gaps == 0 &&
	       report->wal.commits_behind <= WAL_COMMITS_BEHIND_MAX &&
	       strcmp(report->integrity, "ok") == 0;
}

/* --- the scratch file --- */

static int
copy_bytes(int from, int to)
{
	char *bytes = mem_alloc(COPY_BYTES);
	ssize_t n;

	while ((n = read(from, bytes, COPY_BYTES)) > 0)
		if (write(to, bytes, (size_t)n) != n)
			n = -1;
	free(bytes);
	return n < 0 ? -1 : 0;
}

static int
fill_scratch(const char *from, int scratch, struct salvage_report *ret, struct error *err)
{
	static const char mode[] = { 1, 1 };
	int source = open(from, O_RDONLY | O_CLOEXEC | O_NONBLOCK), failed = 0;

	if (source < 0 || copy_bytes(source, scratch) < 0)
		failed = error_set(err, ERROR_STORAGE_FAILED, "cannot copy %s: %s", from,
				   strerror(errno));
	if (source >= 0)
		close(source);
	if (failed == 0)
		failed = wal_apply(from, scratch, &ret->wal, err);
	if (failed == 0 && pwrite(scratch, mode, sizeof(mode), JOURNAL_MODE_AT) != sizeof(mode))
		failed = error_set(err, ERROR_STORAGE_FAILED, "cannot write a copy of %s: %s", from,
				   strerror(errno));
	return failed;
}

/* Makes the file at s->from.path. */
static int
make_scratch(struct salvage *s, const char *from, struct error *err)
{
	int scratch = open(s->from.path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	if (scratch < 0)
		return error_set(err, ERROR_STORAGE_FAILED, "cannot create %s: %s", s->from.path,
				 strerror(errno));
	int failed = fill_scratch(from, scratch, s->report, err);
	close(scratch);
	return failed;
}

static int
open_file(struct sqlite_store *store, struct error *err)
{
	if (sqlite3_open_v2(store->path, &store->db, SQLITE_OPEN_READWRITE, "unix") == SQLITE_OK)
		return 0;
	return transaction_fail(store, err, ERROR_STORAGE_FAILED, "cannot open");
}

/* Before the migrations, which may mend an index. */
static void
note_integrity(struct salvage *s)
{
	sqlite3_stmt *check = NULL;
	char *said = s->report->integrity;

	if (sqlite3_prepare_v2(s->from.db, "PRAGMA integrity_check(1)", -1, &check, NULL) ==
		SQLITE_OK &&
	    sqlite3_step(check) == SQLITE_ROW)
		snprintf(said, sizeof(s->report->integrity), "%s", sqlite3_column_text(check, 0));
	else
		snprintf(said, sizeof(s->report->integrity), "%s", sqlite3_errmsg(s->from.db));
	sqlite3_finalize(check);
}

/* --- rows --- */

static bool
has_text_columns(sqlite3_stmt *row)
{
	for (int i = EVENT_CONTEXT_COLUMN; i <= EVENT_TEXT_COLUMN; i++)
		if (!row_is_text(row_text(row, i)))
			return false;
	return true;
}

static bool
is_whole_event(sqlite3_stmt *row)
{
	struct str text = row_text(row, EVENT_TEXT_COLUMN);

	return text.len > 0 && has_text_columns(row) &&
	       text_hash(text) == (uint64_t)sqlite3_column_int64(row, EVENT_HASH_COLUMN);
}

static void
note_damaged_row(struct salvage *s, int64_t id)
{
	struct salvage_report *report = s->report;

	if (!s->table->events) {
		report->damaged_rows++;
		return;
	}
	if (report->damaged_events < SALVAGE_IDS_MAX)
		report->ids[report->damaged_events] = id;
	report->damaged_events++;
}

static bool
insert_row(struct salvage *s)
{
	if (s->insert == NULL)
		return true;
	for (int i = 0; i < sqlite3_bind_parameter_count(s->insert); i++)
		sqlite3_bind_value(s->insert, i + 1, sqlite3_column_value(s->rows, i));
	return transaction_run(s->insert) == SQLITE_OK;
}

static void
copy_row(struct salvage *s, int64_t id)
{
	bool is_outcome = strcmp(s->table->name, "outcome") == 0;

	if ((s->table->events && !is_whole_event(s->rows)) || !insert_row(s)) {
		note_damaged_row(s, id);
		return;
	}
	*(s->table->events ? &s->report->events
	  : is_outcome     ? &s->report->outcomes
			   : &s->report->other_rows) += 1;
}

/* Copies rows behind *last, and advances it, until there are no more or SQLite cannot read on. */
static int
copy_rows(struct salvage *s, int64_t *last)
{
	int rc;

	sqlite3_bind_int64(s->rows, 1, *last);
	while ((rc = sqlite3_step(s->rows)) == SQLITE_ROW) {
		*last = s->table->id != NULL
			    ? sqlite3_column_int64(s->rows, sqlite3_column_count(s->rows) - 1)
			    : 0;
		copy_row(s, *last);
	}
	sqlite3_reset(s->rows);
	return rc;
}

/* The next id behind this one; SQLITE_ROW, SQLITE_DONE, or it cannot be read. */
static int
find_next(struct salvage *s, int64_t after, int64_t *id)
{
	sqlite3_bind_int64(s->next, 1, after);
	int rc = sqlite3_step(s->next);
	if (rc == SQLITE_ROW)
		*id = sqlite3_column_int64(s->next, 0);
	sqlite3_reset(s->next);
	return rc;
}

static bool
can_read_behind(struct salvage *s, int64_t after)
{
	int64_t id;
	int rc = find_next(s, after, &id);

	return rc == SQLITE_ROW || rc == SQLITE_DONE;
}

/* The lowest id behind which SQLite can read on; false: there is none. */
static bool
skip_gap(struct salvage *s, int64_t *last)
{
	int64_t low = *last, jump = 1;

	while (!can_read_behind(s, *last + jump))
		if ((jump *= 2) > JUMP_MAX)
			return false;
	for (int64_t high = *last + jump; high - low > 1;) {
		int64_t mid = low + (high - low) / 2;

		if (can_read_behind(s, mid))
			high = *last = mid;
		else
			low = *last = mid;
		*last = high;
	}
	return true;
}

/* SQLite could not read the row behind *last. Steps over it, or over a gap. */
static bool
step_over(struct salvage *s, int64_t *last)
{
	int64_t id;
	int rc = find_next(s, *last, &id);

	if (rc == SQLITE_ROW) {
		note_damaged_row(s, id);
		*last = id;
		return true;
	}
	s->report->gaps++;
	return rc != SQLITE_DONE && skip_gap(s, last);
}

/* --- tables --- */

static sqlite3_stmt *
prepare(sqlite3 *db, const char *sql)
{
	sqlite3_stmt *statement = NULL;

	sqlite3_prepare_v2(db, sql, -1, &statement, NULL);
	return statement;
}

/* The id is the last column as well, wherever the table has it. */
static bool
prepare_table(struct salvage *s)
{
	const char *name = s->table->name, *id = s->table->id;
	char sql[200];

	if (id == NULL) {
		snprintf(sql, sizeof(sql), "SELECT * FROM %s WHERE ?1 < 1", name);
		s->rows = prepare(s->from.db, sql);
		s->next = NULL;
		return s->rows != NULL;
	}
	snprintf(sql, sizeof(sql), "SELECT *, %s FROM %s WHERE %s > ? ORDER BY %s", id, name, id,
		 id);
	s->rows = prepare(s->from.db, sql);
	snprintf(sql, sizeof(sql), "SELECT %s FROM %s WHERE %s > ? ORDER BY %s LIMIT 1", id, name,
		 id, id);
	s->next = prepare(s->from.db, sql);
	return s->rows != NULL;
}

/* INSERT with a parameter for each column, and none for the id that is selected again. */
static void
prepare_insert(struct salvage *s)
{
	int columns = sqlite3_column_count(s->rows) - (s->table->id != NULL);
	struct buf sql = { 0 };

	buf_addf(&sql, "INSERT INTO %s VALUES (?", s->table->name);
	for (int i = 1; i < columns; i++)
		buf_adds(&sql, ", ?");
	buf_add(&sql, ")", 2);
	s->insert = prepare(s->to.db, sql.data);
	buf_clear(&sql);
}

static void
copy_table(struct salvage *s, const struct table_to_copy *table)
{
	int64_t last = 0;

	s->table = table;
	if (!prepare_table(s)) {
		s->report->gaps++;
		return;
	}
	if (s->to.db != NULL)
		prepare_insert(s);
	while (copy_rows(s, &last) != SQLITE_DONE)
		if (s->next == NULL || !step_over(s, &last))
			break;
	sqlite3_finalize(s->rows);
	sqlite3_finalize(s->next);
	sqlite3_finalize(s->insert);
	s->rows = s->next = s->insert = NULL;
}

/* Gives the new database what a start relies on: the row of newest, and a session for each event.
 */
static int
complete(struct salvage *s)
{
	static const char orphans[] =
	    "DELETE FROM event WHERE session NOT IN (SELECT id FROM session)";
	static const char newest[] =
	    "INSERT INTO newest SELECT 0, 0, 0, 0 WHERE NOT EXISTS (SELECT 1"
	    " FROM newest); COMMIT";
	int rc = sqlite3_exec(s->to.db, orphans, NULL, NULL, NULL);

	if (rc == SQLITE_OK) {
		uint64_t lost = (uint64_t)sqlite3_changes(s->to.db);

		s->report->events -= lost;
		s->report->damaged_events += lost;
		rc = sqlite3_exec(s->to.db, newest, NULL, NULL, NULL);
	}
	return rc;
}

static int
copy_tables(struct salvage *s, struct error *err)
{
	static const char begin[] = "BEGIN; DELETE FROM newest; DELETE FROM clock";
	int rc = SQLITE_OK;

	if (s->to.db != NULL)
		rc = sqlite3_exec(s->to.db, begin, NULL, NULL, NULL);
	for (size_t i = 0; rc == SQLITE_OK && i < sizeof(tables) / sizeof(tables[0]); i++)
		copy_table(s, &tables[i]);
	if (rc == SQLITE_OK && s->to.db != NULL)
		rc = complete(s);
	if (rc != SQLITE_OK)
		return transaction_fail(&s->to, err, ERROR_STORAGE_FAILED, "cannot write");
	return 0;
}

/* --- the whole --- */

static int
salvage_into(struct salvage *s, const char *from, struct error *err)
{
	if (make_scratch(s, from, err) < 0 || open_file(&s->from, err) < 0)
		return -1;
	note_integrity(s);
	if (open_migrate(&s->from, err) < 0)
		return -1;
	if (s->to.path != NULL && (open_create(&s->to, err) < 0 || open_file(&s->to, err) < 0))
		return -1;
	return copy_tables(s, err);
}

static int
salvage_locked(struct salvage *s, const char *from, struct error *err)
{
	struct sqlite_store lock = { .path = (char *)(uintptr_t)from, .lock_fd = -1 };
	int failed = -1;

	if (access(from, F_OK) < 0)
		error_set(err, ERROR_STORAGE_FAILED, "cannot open %s: %s", from, strerror(errno));
	else if (open_lock(&lock, err) == 0)
		failed = salvage_into(s, from, err);
	if (lock.lock_fd >= 0)
		close(lock.lock_fd);
	sqlite3_close(s->from.db);
	sqlite3_close(s->to.db);
	unlink(s->from.path);
	return failed;
}

int
salvage_check(const char *from, struct salvage_report *ret, struct error *err)
{
	struct salvage s = { .from.path = path_with_suffix(from, ".check"), .report = ret };

	*ret = (struct salvage_report){ 0 };
	int failed = salvage_locked(&s, from, err);
	free(s.from.path);
	return failed;
}

int
salvage_database(const char *from, const char *to, struct salvage_report *ret, struct error *err)
{
	struct salvage s = { .from.path = path_with_suffix(to, ".scratch"),
			     .to.path = path_with_suffix(to, ".part"),
			     .report = ret };
	int failed = 0;

	*ret = (struct salvage_report){ 0 };
	if (access(to, F_OK) == 0)
		failed = error_set(err, ERROR_STORAGE_FOREIGN, "%s is there already", to);
	if (failed == 0)
		failed = salvage_locked(&s, from, err);
	if (failed == 0 && rename(s.to.path, to) < 0)
		failed = error_set(err, ERROR_STORAGE_FAILED, "cannot rename %s: %s", s.to.path,
				   strerror(errno));
	if (failed == 0)
		failed = path_sync_directory(to, err);
	if (failed < 0)
		unlink(s.to.path);
	free(s.from.path);
	free(s.to.path);
	return failed;
}
