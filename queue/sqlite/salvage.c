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

#include "queue/sqlite/clock_rows.h"
#include "queue/sqlite/format.h"
#include "queue/sqlite/leap.h"
#include "queue/sqlite/moved_rows.h"
#include "queue/sqlite/open.h"
#include "queue/sqlite/path.h"
#include "queue/sqlite/row.h"
#include "queue/sqlite/salvage_schema.h"
#include "queue/sqlite/transaction.h"

#define COPY_BYTES (1 << 20)
#define JUMP_MAX (INT64_C(1) << 42) /* no id is so far behind another, even by leap.c */
#define STEPS_MAX 1000              /* more than a page has rows */
#define PAGE_COUNT_AT 28

struct salvage {
	struct sqlite_store from, to; /* the scratch file; the new database, or no db */
	struct salvage_report *report;
	/* of the table that is being copied; read: a row by its id, as the server does */
	const struct table_to_copy *table;
	sqlite3_stmt *rows, *next, *insert, *remove, *read;
	int64_t before_previous, previous; /* ids of the last rows whose order is right */
	bool previous_copied;
	int64_t stepped_over; /* the id of a row that cannot be read, and */
	int steps;            /* how many ids before it were tried */
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

/*
 * Gives the scratch file the length that its header says: where the frame of the last page is
 * damaged, SQLite would not read the rest.
 */
static int
lengthen(int scratch, const struct wal_scan *wal)
{
	unsigned char pages[4];
	off_t now = lseek(scratch, 0, SEEK_END);

	if (pread(scratch, pages, sizeof(pages), PAGE_COUNT_AT) != sizeof(pages))
		return 0;
	off_t wanted = (off_t)format_be32(pages) * PAGE_BYTES;
	bool is_sound = wanted <= now + (off_t)wal->whole * PAGE_BYTES;
	return is_sound && wanted > now ? ftruncate(scratch, wanted) : 0;
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
	if (failed == 0 &&
	    (lengthen(scratch, &ret->wal) < 0 ||
	     pwrite(scratch, mode, sizeof(mode), FORMAT_JOURNAL_MODE_AT) != sizeof(mode)))
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
	for (; *said != '\0'; said++) /* it may quote what is damaged */
		if (*said < ' ' || *said > '~')
			*said = *said == '\n' ? ' ' : '?';
}

/* The connection reads a schema that was put right anew. */
static int
mend_schema(struct salvage *s, struct error *err)
{
	char *said = s->report->integrity;
	int mended;

	if (salvage_schema(&s->from, &mended, err) < 0)
		return -1;
	if (mended > 0 && strcmp(said, "ok") == 0)
		snprintf(said, sizeof(s->report->integrity), "the schema is damaged");
	sqlite3_close(s->from.db);
	return open_file(&s->from, err);
}

/* --- what a server would not take --- */

static bool
is_whole_session(struct salvage *s, int64_t id)
{
	(void)id;
	return row_is_queue_key(row_text(s->rows, 1)) && row_is_text(row_text(s->rows, 2));
}

static bool
is_whole_event(struct salvage *s, int64_t id)
{
	struct arena arena = { 0 };
	struct system_event event;

	sqlite3_bind_int64(s->read, 1, id);
	bool is_whole = sqlite3_step(s->read) == SQLITE_ROW &&
			row_read_event(&s->from, s->read, &arena, &event) == 0;
	sqlite3_reset(s->read);
	arena_clear(&arena);
	return is_whole;
}

/* A server follows what was moved. */
static bool
is_whole_move(struct salvage *s, const struct store_outcome *outcome, struct arena *arena)
{
	struct str key;

	return outcome->kind != OUTCOME_MOVED ||
	       (moved_rows_key(&s->from, outcome->session_row, arena, &key) == SQLITE_DONE &&
		moved_rows_key(&s->from, outcome->target_row, arena, &key) == SQLITE_DONE);
}

static bool
is_whole_outcome(struct salvage *s, int64_t id)
{
	struct arena arena = { 0 };
	struct store_outcome outcome;

	sqlite3_bind_int64(s->read, 1, id - 1);
	bool is_whole = sqlite3_step(s->read) == SQLITE_ROW &&
			row_read_outcome(s->read, &arena, &outcome) == 0 && outcome.id == id &&
			is_whole_move(s, &outcome, &arena);
	sqlite3_reset(s->read);
	arena_clear(&arena);
	return is_whole;
}

static bool
is_whole_key(struct salvage *s, int64_t id)
{
	(void)id;
	return row_is_text(row_text(s->rows, 2)) && row_is_text(row_text(s->rows, 4));
}

static bool
is_whole_newest(struct salvage *s, int64_t id)
{
	(void)id;
	return row_is_newest(&(struct store_newest){
	    sqlite3_column_int64(s->rows, 0), sqlite3_column_int64(s->rows, 1),
	    sqlite3_column_int64(s->rows, 2), sqlite3_column_int64(s->rows, 3) });
}

/* One mark that is damaged makes all of them useless. There are few. */
static bool
is_whole_mark(struct salvage *s, int64_t id)
{
	(void)id;
	struct sqlite_store all = { .db = s->from.db, .path = s->from.path };
	struct error ignored;
	bool is_whole = clock_rows_load(&all, &ignored) == 0;

	clock_marks_clear(&all.marks);
	return is_whole;
}

#define COUNT_IN(member) offsetof(struct salvage_report, member)

static const struct table_to_copy {
	const char *name, *id; /* its integer key; NULL: it is read in one go */
	size_t counted_in;     /* where in the report */
	bool (*is_whole)(struct salvage *s, int64_t id); /* of the row under s->rows */
	enum statement read;                             /* STATEMENT_COUNT: none */
} tables[] = {
	{ "session", "id", COUNT_IN(other_rows), is_whole_session, STATEMENT_COUNT },
	{ "event", "id", COUNT_IN(events), is_whole_event, STATEMENT_READ_EVENT },
	{ "outcome", "id", COUNT_IN(outcomes), is_whole_outcome, STATEMENT_OLDEST_OUTCOME },
	{ "dead_letter", "event", COUNT_IN(other_rows), NULL, STATEMENT_COUNT },
	{ "idempotency", "id", COUNT_IN(other_rows), is_whole_key, STATEMENT_COUNT },
	{ "newest", "rowid", COUNT_IN(other_rows), is_whole_newest, STATEMENT_COUNT },
	{ "clock", NULL, COUNT_IN(other_rows), is_whole_mark, STATEMENT_COUNT },
};

/* --- rows --- */

static void
note_damaged_row(struct salvage *s, int64_t id)
{
	struct salvage_report *report = s->report;

	if (s->table->counted_in != COUNT_IN(events)) {
		report->damaged_rows++;
		return;
	}
	if (report->damaged_events < SALVAGE_IDS_MAX)
		report->ids[report->damaged_events] = id;
	report->damaged_events++;
}

/* A row that is there already was read twice, behind an id out of order. */
static bool
insert_row(struct salvage *s)
{
	if (s->insert == NULL)
		return true;
	for (int i = 0; i < sqlite3_bind_parameter_count(s->insert); i++)
		sqlite3_bind_value(s->insert, i + 1, sqlite3_column_value(s->rows, i));
	int rc = transaction_run(s->insert);
	return rc == SQLITE_OK || rc == SQLITE_CONSTRAINT;
}

static uint64_t *
count_of_table(struct salvage *s)
{
	return (uint64_t *)((char *)s->report + s->table->counted_in);
}

static bool
copy_row(struct salvage *s, int64_t id)
{
	const struct table_to_copy *table = s->table;

	if ((table->is_whole != NULL && !table->is_whole(s, id)) || !insert_row(s)) {
		note_damaged_row(s, id);
		return false;
	}
	++*count_of_table(s);
	return true;
}

/* The previous row has the id of another: what it holds must not stand under that. */
static void
take_back_previous(struct salvage *s)
{
	if (!s->previous_copied)
		return;
	--*count_of_table(s);
	note_damaged_row(s, s->previous);
	if (s->remove == NULL)
		return;
	sqlite3_bind_int64(s->remove, 1, s->previous);
	transaction_run(s->remove);
}

/*
 * Rows stand in the order of their ids. Where two do not, the id of one of them is damaged: of this
 * row if it does not fit behind the row before the previous either, else of the previous.
 */
static void
copy_row_in_order(struct salvage *s, int64_t id)
{
	if (id <= s->before_previous) {
		note_damaged_row(s, id);
		return;
	}
	if (id <= s->previous)
		take_back_previous(s);
	else
		s->before_previous = s->previous;
	s->previous = id;
	s->previous_copied = copy_row(s, id);
}

/*
 * Copies rows behind *last, until there are no more or SQLite cannot read on; *last is then the id
 * of the last row that it could read.
 */
static int
copy_rows(struct salvage *s, int64_t *last)
{
	int64_t id = 0;
	int rc;

	sqlite3_bind_int64(s->rows, 1, *last);
	while ((rc = sqlite3_step(s->rows)) == SQLITE_ROW) {
		if (s->table->id == NULL) {
			copy_row(s, id);
			continue;
		}
		id = sqlite3_column_int64(s->rows, sqlite3_column_count(s->rows) - 1);
		copy_row_in_order(s, id);
	}
	sqlite3_reset(s->rows);
	*last = id > *last ? id : *last;
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

/* The lowest id behind *last behind which SQLite can read on; false: there is none. */
static bool
skip_gap(struct salvage *s, int64_t *last)
{
	int64_t low = *last, jump = 1;

	while (!can_read_behind(s, low + jump))
		if ((jump *= 2) > JUMP_MAX)
			return false;
	int64_t high = low + jump;
	while (high - low > 1) {
		int64_t mid = low + (high - low) / 2;

		if (can_read_behind(s, mid))
			high = mid;
		else
			low = mid;
	}
	*last = high;
	return true;
}

/*
 * SQLite could not read the row behind *last. Steps over it, or over a gap. The id of such a row
 * may be damaged too, and far too high, so the rows that should stand before it are tried.
 */
static bool
step_over(struct salvage *s, int64_t *last)
{
	int64_t id;
	int rc = find_next(s, *last, &id);

	if (rc != SQLITE_ROW || id <= *last) {
		s->report->gaps++;
		return rc != SQLITE_DONE && skip_gap(s, last);
	}
	if (id != s->stepped_over) {
		note_damaged_row(s, id);
		s->stepped_over = id;
		s->steps = 0;
	}
	*last = ++s->steps < STEPS_MAX ? *last + 1 : id;
	return true;
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

/*
 * INSERT with a parameter for each column, and none for the id that is selected again; and DELETE.
 */
static void
prepare_changes(struct salvage *s)
{
	int columns = sqlite3_column_count(s->rows) - (s->table->id != NULL);
	struct buf sql = { 0 };

	buf_addf(&sql, "INSERT INTO %s VALUES (?", s->table->name);
	for (int i = 1; i < columns; i++)
		buf_adds(&sql, ", ?");
	buf_add(&sql, ")", 2);
	s->insert = prepare(s->to.db, sql.data);
	sql.len = 0;
	buf_addf(&sql, "DELETE FROM %s WHERE %s = ?", s->table->name,
		 s->table->id != NULL ? s->table->id : "rowid");
	buf_add(&sql, "", 1);
	s->remove = s->table->id != NULL ? prepare(s->to.db, sql.data) : NULL;
	buf_clear(&sql);
}

static void
copy_table(struct salvage *s, const struct table_to_copy *table)
{
	int64_t last = 0;

	s->table = table;
	s->stepped_over = s->before_previous = s->previous = 0;
	if (!prepare_table(s)) {
		s->report->gaps++;
		return;
	}
	if (s->to.db != NULL)
		prepare_changes(s);
	if (table->read != STATEMENT_COUNT)
		s->read = prepare(s->from.db, statements_sql(table->read));
	while (copy_rows(s, &last) != SQLITE_DONE)
		if (s->next == NULL || !step_over(s, &last))
			break;
	sqlite3_finalize(s->rows);
	sqlite3_finalize(s->next);
	sqlite3_finalize(s->insert);
	sqlite3_finalize(s->remove);
	sqlite3_finalize(s->read);
	s->rows = s->next = s->insert = s->remove = s->read = NULL;
}

/*
 * Gives the new database what a start relies on: the row of newest, ids behind those that
 * are lost, and a session for each event and each move.
 */
static int
complete(struct salvage *s)
{
	static const char orphans[] =
	    "DELETE FROM event WHERE session NOT IN (SELECT id FROM session)";
	static const char lost_moves[] =
	    "DELETE FROM outcome WHERE target NOT IN (SELECT id FROM session)";
	static const char newest[] =
	    "INSERT INTO newest SELECT 0, 0, 0, 0 WHERE NOT EXISTS (SELECT 1"
	    " FROM newest)";
	int rc = sqlite3_exec(s->to.db, orphans, NULL, NULL, NULL);

	if (rc == SQLITE_OK) {
		uint64_t lost = (uint64_t)sqlite3_changes(s->to.db);

		s->report->events -= lost;
		s->report->damaged_events += lost;
		rc = sqlite3_exec(s->to.db, lost_moves, NULL, NULL, NULL);
	}
	if (rc == SQLITE_OK) {
		uint64_t lost = (uint64_t)sqlite3_changes(s->to.db);

		s->report->outcomes -= lost;
		s->report->damaged_rows += lost;
		rc = sqlite3_exec(s->to.db, newest, NULL, NULL, NULL);
	}
	if (rc == SQLITE_OK)
		rc = leap_apply(s->to.db, &(struct leap){ 0 });
	return rc == SQLITE_OK ? sqlite3_exec(s->to.db, "COMMIT", NULL, NULL, NULL) : rc;
}

static int
copy_tables(struct salvage *s, struct error *err)
{
	static const char begin[] = "BEGIN; DELETE FROM newest; DELETE FROM clock";
	sqlite3_stmt **key = &s->from.statement[STATEMENT_SESSION_KEY];
	int rc = SQLITE_OK;

	*key = prepare(s->from.db, statements_sql(STATEMENT_SESSION_KEY));

	if (s->to.db != NULL)
		rc = sqlite3_exec(s->to.db, begin, NULL, NULL, NULL);
	for (size_t i = 0; rc == SQLITE_OK && i < sizeof(tables) / sizeof(tables[0]); i++)
		copy_table(s, &tables[i]);
	sqlite3_finalize(*key);
	*key = NULL;
	if (rc == SQLITE_OK && s->to.db != NULL)
		rc = complete(s);
	if (rc != SQLITE_OK)
		return transaction_fail(&s->to, err, ERROR_STORAGE_FAILED, "cannot write");
	return 0;
}

/* --- the whole --- */

static bool
has_something(const struct salvage_report *report)
{
	return report->events > 0 || report->outcomes > 0 || report->other_rows > 0;
}

static int
salvage_into(struct salvage *s, const char *from, struct error *err)
{
	if (make_scratch(s, from, err) < 0 || open_file(&s->from, err) < 0)
		return -1;
	note_integrity(s);
	if (mend_schema(s, err) < 0 || open_migrate(&s->from, OPEN_NEWEST, err) < 0)
		return -1;
	if (s->to.path != NULL && (open_create(&s->to, err) < 0 || open_file(&s->to, err) < 0))
		return -1;
	if (copy_tables(s, err) < 0)
		return -1;
	return has_something(s->report)
		   ? 0
		   : error_set(err, ERROR_STORAGE_CORRUPT, "nothing can be read of %s: %s", from,
			       s->report->integrity);
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
	json_clear(&s->from.delivery_json);
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
