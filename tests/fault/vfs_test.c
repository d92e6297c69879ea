/*
 * vfs_test.c - the VFS between SQLite and the shim: what a commit asks for, what a fault leaves behind, and that others read on.
 *
 * A writer goes through it as the driver does; a reader is another connection, of somebody with the sqlite3 shell.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>
#include <sqlite3.h>

#include "queue/sqlite/sqlite_private.h"
#include "tests/fault/shim.h"

#define COUNT "SELECT count(*) FROM t"
#define CHECKPOINT "PRAGMA wal_checkpoint(PASSIVE)"

static char directory[64], path[96];
static sqlite3 *writer, *reader;

/* Runs one statement; its code, or the first column of its first row in *value. */
static int
try_query(sqlite3 *db, const char *sql, int64_t *value)
{
	sqlite3_stmt *statement;
	int rc = sqlite3_prepare_v2(db, sql, -1, &statement, NULL);
	if (rc != SQLITE_OK)
		return rc;
	rc = sqlite3_step(statement);
	if (rc == SQLITE_ROW)
		*value = sqlite3_column_int64(statement, 0);
	sqlite3_finalize(statement);
	return rc == SQLITE_ROW || rc == SQLITE_DONE ? SQLITE_OK : rc;
}

static int
try(sqlite3 *db, const char *sql)
{
	int64_t value;
	return try_query(db, sql, &value);
}

static void
run(sqlite3 *db, const char *sql)
{
	if (try(db, sql) != SQLITE_OK)
		fail_msg("%s: %s", sql, sqlite3_errmsg(db));
}

static int64_t
ask(sqlite3 *db, const char *sql)
{
	int64_t value = -1;
	if (try_query(db, sql, &value) != SQLITE_OK)
		fail_msg("%s: %s", sql, sqlite3_errmsg(db));
	return value;
}

static sqlite3 *
open_db(const char *vfs)
{
	sqlite3 *db;
	assert_int_equal(sqlite3_open_v2(path, &db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, vfs), SQLITE_OK);
	return db;
}

static int
begin(void **state)
{
	(void)state;
	shim_register();
	strcpy(directory, "/dev/shm/sevq-vfs-XXXXXX");
	assert_non_null(mkdtemp(directory));
	snprintf(path, sizeof path, "%s/t.db", directory);
	writer = open_db(sevq_sqlite_vfs());
	run(writer, "PRAGMA journal_mode = WAL");
	run(writer, "PRAGMA synchronous = FULL");
	run(writer, "PRAGMA wal_autocheckpoint = 0");
	run(writer, "CREATE TABLE t(a INTEGER PRIMARY KEY, b)");
	run(writer, "INSERT INTO t(b) VALUES ('first')");
	reader = open_db(NULL);
	run(reader, "PRAGMA wal_autocheckpoint = 0");
	sqlite3_db_config(reader, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL);
	return 0;
}

static int
end(void **state)
{
	(void)state;
	shim_disarm();
	assert_int_equal(sqlite3_close(reader), SQLITE_OK);
	assert_int_equal(sqlite3_close(writer), SQLITE_OK);
	assert_int_equal(unlink(path), 0);
	assert_int_equal(rmdir(directory), 0); /* nothing else is left: the log went with its last connection */
	return 0;
}

static void
count_calls(void)
{
	shim_arm(&(struct shim_fault){ .k = 0 });
}

static void
let_fail(enum shim_kind kind, int code)
{
	shim_arm(&(struct shim_fault){ .kind = kind, .k = 1, .code = code });
}

static int64_t
log_bytes(void)
{
	char name[sizeof path + 4];
	struct stat st;
	snprintf(name, sizeof name, "%s-wal", path);
	assert_int_equal(stat(name, &st), 0);
	return st.st_size;
}

/* ---- writes --------------------------------------------------------------------------------------------------------- */

static void
a_commit_of_many_pages_is_one_write_and_one_sync(void **state)
{
	(void)state;
	count_calls();
	run(writer, "INSERT INTO t(b) VALUES (randomblob(40000))");
	assert_int_equal(shim_calls(SHIM_WRITE), 1);
	assert_int_equal(shim_calls(SHIM_SYNC), 1);
	assert_int_equal(ask(reader, "SELECT length(b) FROM t WHERE a = 2"), 40000);
}

static void
no_write_is_larger_than_a_page_may_be(void **state)
{
	(void)state;
	count_calls();
	run(writer, "INSERT INTO t(b) VALUES (randomblob(1000000))");
	assert_in_range(shim_calls(SHIM_WRITE), 1000000 / 65536 + 1, 1000000 / 65536 + 3);
	run(writer, CHECKPOINT);
	assert_int_equal(ask(reader, "SELECT length(b) FROM t WHERE a = 2"), 1000000);
	assert_int_equal(ask(reader, "SELECT integrity_check = 'ok' FROM pragma_integrity_check"), 1);
}

static void
what_is_gathered_can_be_read(void **state)
{
	(void)state;
	run(writer, "PRAGMA cache_size = 5"); /* pages go to the log before the commit, and come back */
	run(writer, "BEGIN");
	run(writer, "WITH RECURSIVE n(i) AS (VALUES (1) UNION ALL SELECT i + 1 FROM n WHERE i < 2000)"
		    " INSERT INTO t(b) SELECT printf('%0500d', i) FROM n");
	assert_int_equal(ask(writer, "SELECT sum(CAST(b AS INTEGER)) FROM t WHERE a > 1"), 2000 * 2001 / 2);
	run(writer, "UPDATE t SET b = 'x' || b WHERE a % 7 = 0");
	run(writer, "SAVEPOINT s");
	run(writer, "DELETE FROM t WHERE a % 3 = 0");
	run(writer, "ROLLBACK TO s");
	assert_int_equal(ask(reader, COUNT), 1);
	run(writer, "COMMIT");
	assert_int_equal(ask(reader, COUNT), 2001);
	assert_int_equal(ask(reader, "SELECT integrity_check = 'ok' FROM pragma_integrity_check"), 1);
}

static void
a_write_that_fails_is_told_and_forgotten(void **state)
{
	(void)state;
	let_fail(SHIM_WRITE, SQLITE_IOERR_WRITE);
	assert_int_equal(try(writer, "INSERT INTO t(b) VALUES ('lost')"), SQLITE_IOERR);
	shim_disarm();
	run(writer, "INSERT INTO t(b) VALUES ('second')");
	assert_int_equal(ask(reader, "SELECT group_concat(b) = 'first,second' FROM t"), 1);
}

static void
a_full_disk_is_told_as_such(void **state)
{
	(void)state;
	let_fail(SHIM_WRITE, SQLITE_FULL);
	assert_int_equal(try(writer, "INSERT INTO t(b) VALUES ('lost')"), SQLITE_FULL);
	shim_disarm();
	assert_int_equal(sqlite3_get_autocommit(writer), 1);
	assert_int_equal(ask(writer, COUNT), 1);
	run(writer, "INSERT INTO t(b) VALUES ('second')");
	assert_int_equal(ask(reader, COUNT), 2);
}

/* ---- syncs ---------------------------------------------------------------------------------------------------------- */

static void
a_checkpoint_does_not_sync_a_synced_log_again(void **state)
{
	(void)state;
	run(writer, "INSERT INTO t(b) VALUES ('second')");
	count_calls();
	run(writer, CHECKPOINT);
	assert_int_equal(shim_calls(SHIM_SYNC), 1); /* the database's */
}

static void
a_sync_that_failed_is_made_up_for(void **state)
{
	(void)state;
	let_fail(SHIM_SYNC, SQLITE_IOERR_FSYNC);
	assert_int_equal(try(writer, "INSERT INTO t(b) VALUES ('lost')"), SQLITE_IOERR);
	count_calls();
	run(writer, CHECKPOINT);
	assert_int_equal(shim_calls(SHIM_SYNC), 2); /* the log's first */
}

static void
an_unsynced_commit_is_synced_by_the_checkpoint(void **state)
{
	(void)state;
	run(writer, "PRAGMA synchronous = NORMAL");
	run(writer, "INSERT INTO t(b) VALUES ('second')");
	count_calls();
	run(writer, CHECKPOINT);
	assert_int_equal(shim_calls(SHIM_SYNC), 2);
}

/* ---- locks ---------------------------------------------------------------------------------------------------------- */

static void
a_commit_takes_no_lock_that_is_there(void **state)
{
	(void)state;
	run(writer, "INSERT INTO t(b) VALUES ('second')");
	count_calls();
	run(writer, "INSERT INTO t(b) VALUES ('third')");
	assert_int_equal(ask(writer, COUNT), 3);
	assert_int_equal(shim_calls(SHIM_SHM), 0);
}

static void
nobody_else_writes(void **state)
{
	(void)state;
	assert_int_equal(try(reader, "INSERT INTO t(b) VALUES ('theirs')"), SQLITE_BUSY);
	run(writer, CHECKPOINT);
	assert_int_equal(try(reader, "INSERT INTO t(b) VALUES ('theirs')"), SQLITE_BUSY);
	run(writer, "INSERT INTO t(b) VALUES ('second')");
	assert_int_equal(ask(reader, COUNT), 2);
}

/* Each commit, also the first after the log has started over, and while nothing happens. */
static void
others_read_what_was_committed(void **state)
{
	(void)state;
	for (int n = 2; n < 200; n++) {
		run(writer, "INSERT INTO t(b) VALUES ('another')");
		assert_int_equal(ask(reader, COUNT), n);
		assert_int_equal(ask(reader, COUNT), n);
		if (n % 7 == 0)
			run(writer, CHECKPOINT);
		if (n % 14 == 0)
			assert_int_equal(ask(reader, COUNT), n);
	}
}

static void
a_checkpoint_takes_everything_and_the_log_starts_over(void **state)
{
	(void)state;
	int64_t bytes = 0;
	int frames, done;
	for (int round = 0; round < 10; round++) {
		for (int n = 0; n < 20; n++)
			run(writer, "INSERT INTO t(b) VALUES (randomblob(100))");
		assert_int_equal(sqlite3_wal_checkpoint_v2(writer, NULL, SQLITE_CHECKPOINT_PASSIVE, &frames, &done), SQLITE_OK);
		assert_int_equal(done, frames);
		bytes = round == 0 ? log_bytes() : bytes;
	}
	assert_in_range(log_bytes(), 1, bytes + 10 * 4120);
}

static void
a_reader_keeps_its_view_and_then_lets_the_log_start_over(void **state)
{
	(void)state;
	run(reader, "BEGIN");
	assert_int_equal(ask(reader, COUNT), 1);
	int64_t before = log_bytes();
	for (int n = 0; n < 50; n++) {
		run(writer, "INSERT INTO t(b) VALUES ('another')");
		run(writer, CHECKPOINT);
		assert_int_equal(ask(reader, COUNT), 1);
	}
	int64_t grown = log_bytes();
	assert_true(grown >= before + 50 * 4120);
	run(reader, "COMMIT");
	assert_int_equal(ask(reader, COUNT), 51);
	for (int n = 0; n < 50; n++) {
		run(writer, "INSERT INTO t(b) VALUES ('another')");
		run(writer, CHECKPOINT);
	}
	assert_in_range(log_bytes(), 1, grown + 4120);
	assert_int_equal(ask(reader, COUNT), 101);
}

static void
a_lock_that_fails_is_told(void **state)
{
	(void)state;
	run(writer, CHECKPOINT);
	let_fail(SHIM_SHM, SQLITE_IOERR_SHMLOCK);
	assert_int_equal(try(writer, "INSERT INTO t(b) VALUES ('lost')"), SQLITE_IOERR);
	shim_disarm();
	run(writer, "INSERT INTO t(b) VALUES ('second')");
	assert_int_equal(ask(reader, COUNT), 2);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_commit_of_many_pages_is_one_write_and_one_sync),
		TEST(no_write_is_larger_than_a_page_may_be),
		TEST(what_is_gathered_can_be_read),
		TEST(a_write_that_fails_is_told_and_forgotten),
		TEST(a_full_disk_is_told_as_such),
		TEST(a_checkpoint_does_not_sync_a_synced_log_again),
		TEST(a_sync_that_failed_is_made_up_for),
		TEST(an_unsynced_commit_is_synced_by_the_checkpoint),
		TEST(a_commit_takes_no_lock_that_is_there),
		TEST(nobody_else_writes),
		TEST(others_read_what_was_committed),
		TEST(a_checkpoint_takes_everything_and_the_log_starts_over),
		TEST(a_reader_keeps_its_view_and_then_lets_the_log_start_over),
		TEST(a_lock_that_fails_is_told),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
