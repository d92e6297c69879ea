/*
 * sqlite_vfs_test.c - the writes, syncs and locks of our VFS, and what other connections see of the
 * database.
 *
 * The shim of tests/fault lies below our VFS and counts and fails its calls. Other connections use
 * SQLite's own VFS: `another` in this process, and the sqlite3 shell.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>
#include <unistd.h>

#include "queue/sqlite/vfs.h"
#include "queue/sqlite/wal.h"
#include "queue/sqlite/wal_index.h"
#include "tests/fault/shim.h"
#include "tests/unit/files.h"

#define COUNT(table) (sizeof(table) / sizeof((table)[0]))
#define ALL "SELECT count(*) + coalesce(sum(length(bytes)), 0) FROM item"
#define ADD "INSERT INTO item(bytes) VALUES (zeroblob(100))"
#define ADD_PAGES "INSERT INTO item(bytes) VALUES (randomblob(20000))"
#define ADD_MORE_THAN_CACHED                                                                       \
	"WITH n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 60)"                       \
	" INSERT INTO item(bytes) SELECT randomblob(3000) FROM n"

static char directory[64], path[96];
static sqlite3 *db, *another;

static int
try(sqlite3 *connection, const char *statements)
{
	return sqlite3_exec(connection, statements, NULL, NULL, NULL);
}

static void
run(sqlite3 *connection, const char *statements)
{
	if (try(connection, statements) != SQLITE_OK)
		fail_msg("%s: %s", statements, sqlite3_errmsg(connection));
}

static int64_t
ask(sqlite3 *connection, const char *question)
{
	sqlite3_stmt *statement;

	assert_int_equal(sqlite3_prepare_v2(connection, question, -1, &statement, NULL), SQLITE_OK);
	if (sqlite3_step(statement) != SQLITE_ROW)
		fail_msg("%s: %s", question, sqlite3_errmsg(connection));
	int64_t answer = sqlite3_column_int64(statement, 0);
	sqlite3_finalize(statement);
	return answer;
}

/* Answers the question by another, read-only process. */
static int64_t
ask_shell(const char *question)
{
	char command[512];
	long long answer = -1;

	snprintf(command, sizeof(command), "sqlite3 -readonly %s '%s'", path, question);
	FILE *shell = popen(command, "re");
	assert_non_null(shell);
	assert_int_equal(fscanf(shell, "%lld", &answer), 1);
	assert_int_equal(pclose(shell), 0);
	return answer;
}

static void
assert_whole(sqlite3 *connection)
{
	assert_int_equal(
	    ask(connection, "SELECT integrity_check = 'ok' FROM pragma_integrity_check(1)"), 1);
}

/* The frames in the WAL, and how many of them are checkpointed. */
struct frames {
	int log, done;
};

static struct frames
checkpoint(void)
{
	struct frames frames;

	assert_int_equal(sqlite3_wal_checkpoint_v2(db, NULL, SQLITE_CHECKPOINT_PASSIVE, &frames.log,
						   &frames.done),
			 SQLITE_OK);
	return frames;
}

static void
fail_call(enum shim_kind kind, int k, int code)
{
	shim_arm(&(struct shim_fault){ .kind = kind, .k = k, .code = code });
}

static void
count_calls(void)
{
	shim_arm(&(struct shim_fault){ 0 });
}

/* Opens our connection without reading the file. */
static void
only_open_ours(void)
{
	assert_int_equal(
	    sqlite3_open_v2(path, &db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, vfs_register()),
	    SQLITE_OK);
}

static void
open_ours(void)
{
	only_open_ours();
	run(db, "PRAGMA journal_mode = WAL; PRAGMA wal_autocheckpoint = 0; PRAGMA cache_size = 10");
}

/* Closes our connection without a checkpoint: the files are those that a kill leaves. */
static void
kill_ours(void)
{
	sqlite3_db_config(db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL);
	sqlite3_close(db);
	db = NULL;
}

/* The same, but only up to this frame. */
static struct frames
checkpoint_up_to(uint32_t frame)
{
	assert_true(wal_index_limit(db, frame));
	struct frames frames = checkpoint();
	wal_index_end_limit(db);
	return frames;
}

/* A copy of one of the database's files. */
struct file {
	char name[128];
	struct buf bytes;
};

static struct file
keep_file(const char *suffix)
{
	struct file file = { .bytes = { 0 } };
	char block[4096];

	snprintf(file.name, sizeof(file.name), "%s%s", path, suffix);
	FILE *stream = fopen(file.name, "re");
	assert_non_null(stream);
	for (size_t n; (n = fread(block, 1, sizeof(block), stream)) > 0;)
		buf_add(&file.bytes, block, n);
	fclose(stream);
	return file;
}

/*
 * Overwrites with the older copy and fills the rest with zeros, as a failed sync may leave a file:
 * newer writes are lost, but the file keeps its length.
 */
static void
lose_newer_writes(struct file *file)
{
	FILE *stream = fopen(file->name, "r+e");

	assert_non_null(stream);
	assert_int_equal(fseek(stream, 0, SEEK_END), 0);
	long size = ftell(stream);
	assert_true(size >= (long)file->bytes.len);
	rewind(stream);
	assert_int_equal(fwrite(file->bytes.data, 1, file->bytes.len, stream), file->bytes.len);
	for (long at = (long)file->bytes.len; at < size; at++)
		putc(0, stream);
	assert_int_equal(fclose(stream), 0);
	buf_clear(&file->bytes);
}

static int
begin(void **state)
{
	(void)state;
	if (make_directory(directory, sizeof(directory), "vfs") < 0)
		return -1;
	snprintf(path, sizeof(path), "%s/test.db", directory);
	shim_register();
	count_calls();
	open_ours();
	run(db, "CREATE TABLE item(id INTEGER PRIMARY KEY, bytes BLOB); CREATE TABLE other(id "
		"INTEGER PRIMARY KEY)");
	assert_int_equal(sqlite3_open_v2(path, &another, SQLITE_OPEN_READWRITE, "unix"), SQLITE_OK);
	return 0;
}

static int
end(void **state)
{
	(void)state;
	shim_disarm();
	sqlite3_close(another);
	sqlite3_close(db);
	db = another = NULL;
	return remove_directory(directory);
}

/* --- writes --- */

static void
a_commit_of_several_pages_is_a_write_a_sync_and_no_lock(void **state)
{
	(void)state;
	run(db, ADD_PAGES), run(db, ADD_PAGES);
	for (int i = 0; i < 5; i++) {
		count_calls();
		run(db, ADD_PAGES);
		assert_int_equal(shim_calls(SHIM_WRITE), 1);
		assert_int_equal(shim_calls(SHIM_SYNC), 1);
		assert_int_equal(shim_calls(SHIM_SHM), 0);
	}
}

/* SQLite's own VFS writes nothing when asked for 128 KiB or more, and reports it late. */
static void
no_write_is_larger_than_a_page_may_be(void **state)
{
	(void)state;
	count_calls();
	run(db, "INSERT INTO item(bytes) VALUES (zeroblob(1000000))");
	assert_in_range(shim_calls(SHIM_WRITE), 1000000 / 65536 + 1, 1000000 / 65536 + 3);
}

static void
a_read_sees_gathered_writes(void **state)
{
	(void)state;
	run(db, "BEGIN; " ADD_MORE_THAN_CACHED);
	assert_int_equal(ask(db, ALL), 60 + 60 * 3000);
	assert_int_equal(ask(another, ALL), 0);
	run(db, "UPDATE item SET bytes = zeroblob(2000)");
	assert_int_equal(ask(db, ALL), 60 + 60 * 2000);
	run(db, "COMMIT");
	assert_int_equal(ask(another, ALL), 60 + 60 * 2000);
	assert_whole(another);
}

/*
 * The transaction outgrows the page cache, so gathered writes can fail before COMMIT, in it, or at
 * its sync.
 */
static void
a_failed_write_fails_its_transaction_only(void **state)
{
	(void)state;
	static const int codes[] = { SQLITE_FULL, SQLITE_IOERR };
	for (size_t c = 0; c < COUNT(codes); c++) {
		int64_t before = ask(db, ALL);
		bool told = true;
		int k = 1;

		for (; told; k++) {
			fail_call(SHIM_WRITE, k, codes[c]);
			told =
			    try(db, "BEGIN; " ADD_MORE_THAN_CACHED
				    "; UPDATE item SET bytes = zeroblob(10); COMMIT") != SQLITE_OK;
			assert_int_equal(told, shim_failed() > 0);
			shim_disarm();
			if (!sqlite3_get_autocommit(db))
				run(db, "ROLLBACK");
			if (told)
				assert_int_equal(ask(another, ALL), before);
			run(db, ADD);
			before = ask(db, ALL);
			assert_int_equal(ask(another, ALL), before);
			assert_whole(another);
		}
		assert_true(k > 5);
	}
}

static void
a_rolled_back_transaction_is_not_written_on_close(void **state)
{
	(void)state;
	checkpoint(); /* otherwise ROLLBACK reads the WAL, which writes the gathered pages */
	run(db, "BEGIN; INSERT INTO item(bytes) VALUES (randomblob(200000)); ROLLBACK");
	count_calls();
	kill_ours();
	assert_int_equal(shim_calls(SHIM_WRITE), 0);
	open_ours();
	assert_int_equal(ask(db, ALL), 0);
}

/* --- syncs --- */

static void
a_synced_wal_is_not_synced_again_for_a_checkpoint(void **state)
{
	(void)state;
	run(db, ADD_PAGES);
	count_calls();
	struct frames frames = checkpoint();
	assert_int_equal(frames.done, frames.log);
	assert_int_equal(shim_calls(SHIM_SYNC), 1); /* the database */
}

static void
a_limited_checkpoint_copies_no_more_frames_and_syncs_nothing(void **state)
{
	(void)state;
	run(db, ADD_MORE_THAN_CACHED);
	run(db, ADD_MORE_THAN_CACHED);
	int64_t all = ask(db, ALL);
	for (int frame = 20; frame <= 60; frame += 20) {
		count_calls();
		struct frames frames = checkpoint_up_to((uint32_t)frame);
		assert_true(frames.log > 100);
		assert_int_equal(frames.done, frame);
		assert_int_equal(shim_calls(SHIM_SYNC), 0);
		assert_int_equal(ask(db, ALL), all);
		assert_int_equal(ask_shell(ALL), all);
		run(db, ADD);
		all = ask(db, ALL);
	}
	struct frames frames = checkpoint();
	assert_int_equal(frames.done, frames.log);
	run(db, ADD); /* the WAL starts over */
	assert_in_range(checkpoint().log, 1, 10);
	assert_whole(db);
}

static void
after_a_kill_between_limited_checkpoints_nothing_is_lost(void **state)
{
	(void)state;
	run(db, ADD_MORE_THAN_CACHED);
	run(db, ADD_MORE_THAN_CACHED);
	int64_t all = ask(db, ALL);
	assert_int_equal(checkpoint_up_to(50).done, 50);
	sqlite3_close(another), another = NULL;
	kill_ours();
	open_ours();
	assert_int_equal(ask(db, ALL), all);
	struct frames frames = checkpoint();
	assert_int_equal(frames.done, frames.log);
	assert_int_equal(ask(db, ALL), all);
}

/* Its snapshot may be older than the limit: then the checkpoint goes no further than that. */
static void
a_limited_checkpoint_copies_nothing_that_a_reader_must_not_see(void **state)
{
	(void)state;
	run(db, ADD);
	run(another, "BEGIN");
	int64_t seen = ask(another, ALL);
	run(db, ADD_MORE_THAN_CACHED);
	assert_in_range(checkpoint_up_to(50).done, 0, 10);
	assert_int_equal(ask(another, ALL), seen);
	run(another, "COMMIT");
	assert_int_equal(checkpoint_up_to(50).done, 50);
	assert_int_equal(ask(another, ALL), ask(db, ALL));
}

static void
a_failed_sync_is_repeated_before_a_checkpoint(void **state)
{
	(void)state;
	run(db, ADD_PAGES);
	fail_call(SHIM_SYNC, 1, SQLITE_IOERR);
	assert_int_not_equal(try(db, ADD_PAGES), SQLITE_OK);
	count_calls();
	checkpoint();
	assert_int_equal(shim_calls(SHIM_SYNC), 2);
}

static sqlite3_file *
wal_with_deferred_sync(void)
{
	sqlite3_file *log = wal_of(db);

	wal_defer_sync(log, true);
	count_calls();
	return log;
}

static void
a_deferred_sync_is_left_to_the_caller(void **state)
{
	(void)state;
	run(db, ADD_PAGES);
	sqlite3_file *log = wal_with_deferred_sync();
	run(db, ADD_PAGES);
	assert_int_equal(shim_calls(SHIM_WRITE), 1);
	assert_int_equal(ask(another, ALL), 2 * 20001);
	run(db, ADD_PAGES);
	assert_int_equal(shim_calls(SHIM_SYNC), 0);
	wal_defer_sync(log, false);
	assert_int_equal(wal_sync(log), SQLITE_OK);
	assert_int_equal(shim_calls(SHIM_SYNC), 1);
	assert_int_equal(wal_sync(log), SQLITE_OK);
	assert_int_equal(shim_calls(SHIM_SYNC), 1); /* nothing was written since */
	run(db, ADD_PAGES);
	assert_int_equal(shim_calls(SHIM_SYNC), 2);
}

static void
a_failed_deferred_sync_stays_due(void **state)
{
	(void)state;
	sqlite3_file *log = wal_with_deferred_sync();
	run(db, ADD_PAGES);
	wal_defer_sync(log, false);
	fail_call(SHIM_SYNC, 1, SQLITE_IOERR);
	assert_int_equal(wal_sync(log), SQLITE_IOERR);
	assert_int_equal(wal_sync(log), SQLITE_OK);
	assert_int_equal(shim_calls(SHIM_SYNC), 2);
}

static void
a_checkpoint_does_the_deferred_sync(void **state)
{
	(void)state;
	sqlite3_file *log = wal_with_deferred_sync();
	run(db, ADD_PAGES);
	wal_defer_sync(log, false);
	checkpoint();
	assert_int_equal(shim_calls(SHIM_SYNC), 2); /* of the WAL and of the database */
}

/* Otherwise new frames could be on the disk behind the header of the old WAL. */
static void
the_header_of_a_restarted_wal_is_synced_at_once(void **state)
{
	(void)state;
	run(db, ADD_PAGES);
	checkpoint();
	wal_with_deferred_sync();
	run(db, ADD_PAGES);
	assert_int_equal(shim_calls(SHIM_WRITE), 2);
	assert_int_equal(shim_calls(SHIM_SYNC), 1);
	run(db, ADD_PAGES);
	assert_int_equal(shim_calls(SHIM_SYNC), 1);
}

/* --- other connections --- */

static void
nobody_else_can_write_until_we_close(void **state)
{
	(void)state;
	assert_int_equal(try(another, ADD), SQLITE_BUSY);
	run(db, ADD);
	assert_int_equal(try(another, ADD), SQLITE_BUSY);
	checkpoint();
	assert_int_equal(try(another, ADD), SQLITE_BUSY);
	sqlite3_close(db);
	run(another, ADD);
	open_ours();
	assert_int_equal(ask(db, ALL), 202);
	run(db, ADD);
	assert_int_equal(try(another, ADD), SQLITE_BUSY);
}

static void
another_process_sees_every_commit(void **state)
{
	(void)state;
	sqlite3_close(another);
	another = NULL;
	for (int i = 1; i <= 30; i++) {
		run(db, ADD);
		assert_int_equal(ask_shell("SELECT count(*) FROM item"), i);
		assert_int_equal(ask_shell("SELECT count(*) FROM item"), i);
		if (i % 7 == 0) {
			struct frames frames = checkpoint();

			assert_int_equal(frames.done, frames.log);
			assert_int_equal(ask_shell("SELECT count(*) FROM item"), i);
		}
	}
}

static void
the_wal_starts_over_after_a_checkpoint(void **state)
{
	(void)state;
	for (int i = 0; i < 10; i++) {
		for (int n = 0; n < 10; n++)
			run(db, ADD_PAGES),
			    assert_int_equal(ask(another, "SELECT count(*) FROM item"),
					     i * 10 + n + 1);
		struct frames frames = checkpoint();
		assert_int_equal(frames.done, frames.log);
		assert_in_range(frames.log, 50, 150);
	}
	assert_whole(another);
}

static void
the_wal_grows_during_a_read_and_starts_over_afterwards(void **state)
{
	(void)state;
	run(db, ADD_PAGES);
	checkpoint();
	run(db, ADD_PAGES);
	run(another, "BEGIN");
	assert_int_equal(ask(another, ALL), 2 * 20001);
	for (int i = 0; i < 10; i++) {
		struct frames before = checkpoint();

		run(db, ADD_PAGES);
		struct frames after = checkpoint();
		assert_true(after.log > before.log);
		assert_true(after.done < after.log);
		assert_int_equal(ask(another, ALL), 2 * 20001);
	}
	run(another, "COMMIT");
	struct frames frames = checkpoint();
	assert_int_equal(frames.done, frames.log);
	run(db, ADD_PAGES);
	assert_true(checkpoint().log < frames.log);
	assert_int_equal(ask(another, ALL), 13 * 20001);
}

/* A reader that begins now takes the checkpointed pages from the database. */
static void
a_partial_checkpoint_is_seen_by_others(void **state)
{
	(void)state;
	run(db, ADD_PAGES);
	run(another, "BEGIN");
	assert_int_equal(ask(another, ALL), 20001);
	run(db, "INSERT INTO other DEFAULT VALUES");
	struct frames frames = checkpoint();
	assert_in_range(frames.done, 1, frames.log - 1);
	assert_int_equal(ask_shell(ALL), 20001);
	run(another, "COMMIT");
	assert_int_equal(ask(another, ALL), 20001);
	assert_whole(another);
}

/* Each reader has a read mark; there are more readers than marks, so we share one. */
static void
many_closed_readers_do_not_block_a_checkpoint(void **state)
{
	(void)state;
	sqlite3 *readers[SQLITE_SHM_NLOCK];
	for (size_t i = 0; i < COUNT(readers); i++) {
		run(db, ADD);
		assert_int_equal(sqlite3_open_v2(path, &readers[i], SQLITE_OPEN_READONLY, "unix"),
				 SQLITE_OK);
		run(readers[i], "BEGIN");
		assert_int_equal(ask(readers[i], "SELECT count(*) FROM item"), i + 1);
		assert_int_equal(ask(db, "SELECT count(*) FROM item"), i + 1);
	}
	struct frames frames = checkpoint();
	assert_true(frames.done < frames.log);
	for (size_t i = 0; i < COUNT(readers); i++) {
		assert_int_equal(ask(readers[i], "SELECT count(*) FROM item"), i + 1);
		sqlite3_close(readers[i]);
	}
	frames = checkpoint();
	assert_int_equal(frames.done, frames.log);
	run(db, ADD);
	assert_true(checkpoint().log < frames.log);
}

/* --- a WAL-index that outlived its server --- */

/* `another` keeps the WAL-index alive, as an idle shell does. */
static void
frames_that_only_an_old_wal_index_knows_are_ignored(void **state)
{
	(void)state;
	assert_int_equal(ask(another, ALL), 0);
	run(db, ADD_PAGES);
	struct file log = keep_file("-wal");
	run(db, ADD_PAGES), run(db, ADD);
	kill_ours();
	lose_newer_writes(&log);
	open_ours();
	assert_int_equal(ask(db, ALL), 20001);
	run(db, ADD);
	assert_int_equal(ask(another, ALL), 20001 + 101);
	kill_ours();
	open_ours();
	assert_int_equal(ask(db, ALL), 20001 + 101);
	assert_whole(db);
}

static void
a_checkpoint_that_only_an_old_wal_index_knows_is_repeated(void **state)
{
	(void)state;
	assert_int_equal(ask(another, ALL), 0);
	run(db, ADD_PAGES);
	struct file database = keep_file("");
	struct frames before = checkpoint();
	assert_int_equal(before.done, before.log);
	kill_ours();
	lose_newer_writes(&database);
	open_ours();
	assert_int_equal(ask(db, ALL), 20001);
	struct frames after = checkpoint();
	assert_int_equal(after.done, before.done);
	run(db, ADD); /* the WAL starts over */
	assert_int_equal(ask(another, ALL), 20001 + 101);
	assert_whole(another);
}

/* As after a failed sync: the other connection is the last to close, so it checkpoints. */
static void
an_invalidated_wal_index_is_used_by_nobody(void **state)
{
	(void)state;
	assert_int_equal(ask(another, ALL), 0);
	run(db, ADD_PAGES);
	struct file log = keep_file("-wal");
	run(db, ADD_PAGES);
	wal_index_erase(db);
	kill_ours();
	lose_newer_writes(&log);
	sqlite3_close(another);
	another = NULL;
	open_ours();
	assert_int_equal(ask(db, ALL), 20001);
	assert_whole(db);
}

static void
a_reader_keeps_its_snapshot_over_a_restart(void **state)
{
	(void)state;
	run(db, ADD_PAGES);
	run(another, "BEGIN");
	assert_int_equal(ask(another, ALL), 20001);
	run(db, "UPDATE item SET bytes = randomblob(30000)");
	kill_ours();
	open_ours();
	for (int i = 0; i < 5; i++) {
		assert_int_equal(ask(db, ALL), 30001 + 20001 * i);
		run(db, ADD_PAGES);
		struct frames frames = checkpoint();
		assert_true(frames.done < frames.log);
		run(another, "PRAGMA shrink_memory"); /* drops its cached pages */
		assert_int_equal(ask(another, ALL), 20001);
		assert_whole(another);
	}
	run(another, "COMMIT");
	assert_int_equal(ask(another, ALL), 30001 + 20001 * 5);
	struct frames frames = checkpoint();
	assert_int_equal(frames.done, frames.log);
}

static void
a_writer_blocks_our_recovery_and_then_we_block_writers(void **state)
{
	(void)state;
	sqlite3_close(db);
	run(another, "BEGIN IMMEDIATE; " ADD);
	only_open_ours();
	assert_int_equal(try(db, ALL), SQLITE_BUSY);
	assert_int_equal(sqlite3_extended_errcode(db), SQLITE_BUSY_RECOVERY);
	run(another, "COMMIT");
	assert_int_equal(ask(db, ALL), 101);
	assert_int_equal(try(another, ADD), SQLITE_BUSY);
}

/* First with an existing WAL-index, then without one. */
static void
an_existing_wal_is_rewritten_before_it_is_read(void **state)
{
	(void)state;
	assert_int_equal(ask(another, ALL), 0); /* it keeps the WAL-index open */
	for (int i = 0; i < 5; i++)
		run(db, ADD_PAGES);
	for (int i = 0; i < 2; i++) {
		if (i == 1) {
			sqlite3_close(another);
			another = NULL;
		}
		kill_ours();
		only_open_ours();
		count_calls();
		assert_int_equal(ask(db, ALL), 5 * 20001);
		assert_in_range(shim_calls(SHIM_WRITE), 2, 3); /* 64 KiB each */
		assert_int_equal(shim_calls(SHIM_SYNC), 1);
		assert_whole(db);
	}
	count_calls();
	checkpoint();
	assert_int_equal(shim_calls(SHIM_SYNC), 1); /* the database */
}

static void
a_wal_that_cannot_be_rewritten_is_not_read(void **state)
{
	(void)state;
	static const struct shim_fault faults[] = {
		{ .kind = SHIM_WRITE, .k = 2, .code = SQLITE_FULL },
		{ .kind = SHIM_SYNC, .k = 1, .code = SQLITE_IOERR_FSYNC }
	};
	assert_int_equal(ask(another, ALL), 0); /* it keeps the WAL-index open */
	for (int i = 0; i < 5; i++)
		run(db, ADD_PAGES);
	for (size_t i = 0; i < COUNT(faults); i++) {
		kill_ours();
		only_open_ours();
		shim_arm(&faults[i]);
		assert_int_equal(try(db, ALL), faults[i].code & 0xff);
		assert_int_equal(sqlite3_extended_errcode(db), faults[i].code);
		shim_disarm();
		assert_int_equal(ask(db, ALL), 5 * 20001);
	}
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_commit_of_several_pages_is_a_write_a_sync_and_no_lock),
		TEST(no_write_is_larger_than_a_page_may_be),
		TEST(a_read_sees_gathered_writes),
		TEST(a_failed_write_fails_its_transaction_only),
		TEST(a_rolled_back_transaction_is_not_written_on_close),
		TEST(a_synced_wal_is_not_synced_again_for_a_checkpoint),
		TEST(a_failed_sync_is_repeated_before_a_checkpoint),
		TEST(a_limited_checkpoint_copies_no_more_frames_and_syncs_nothing),
		TEST(after_a_kill_between_limited_checkpoints_nothing_is_lost),
		TEST(a_limited_checkpoint_copies_nothing_that_a_reader_must_not_see),
		TEST(a_deferred_sync_is_left_to_the_caller),
		TEST(a_failed_deferred_sync_stays_due),
		TEST(a_checkpoint_does_the_deferred_sync),
		TEST(the_header_of_a_restarted_wal_is_synced_at_once),
		TEST(nobody_else_can_write_until_we_close),
		TEST(another_process_sees_every_commit),
		TEST(the_wal_starts_over_after_a_checkpoint),
		TEST(the_wal_grows_during_a_read_and_starts_over_afterwards),
		TEST(a_partial_checkpoint_is_seen_by_others),
		TEST(many_closed_readers_do_not_block_a_checkpoint),
		TEST(frames_that_only_an_old_wal_index_knows_are_ignored),
		TEST(a_checkpoint_that_only_an_old_wal_index_knows_is_repeated),
		TEST(an_invalidated_wal_index_is_used_by_nobody),
		TEST(a_reader_keeps_its_snapshot_over_a_restart),
		TEST(a_writer_blocks_our_recovery_and_then_we_block_writers),
		TEST(an_existing_wal_is_rewritten_before_it_is_read),
		TEST(a_wal_that_cannot_be_rewritten_is_not_read),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
