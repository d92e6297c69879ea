/*
 * sqlite_store_test.c - the engine on SQLite: restarts, sweeps, full disks, files changed by other
 * programs, and every reason to refuse a file.
 *
 * A crash is simulated by a copy of the database and its WAL, opened elsewhere: the files are those
 * that a killed process leaves.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>

#include <cmocka.h>
#include <sqlite3.h>
#include <unistd.h>

#include "queue/clock.h"
#include "queue/engine.h"
#include "queue/sqlite/store.h"
#include "tests/unit/calls.h"
#include "tests/unit/files.h"

#define A "agent:main:a"
#define B "agent:main:b"
#define PATH_BYTES 512
#define COUNT(table) (sizeof(table) / sizeof((table)[0]))

static char directory[64], path[PATH_BYTES], copy[PATH_BYTES];
static struct sqlite_options storage;
static struct engine_options options;
static struct engine *engine;
static struct error error;

/* --- files --- */

static const char *
in_directory(char *into, const char *name)
{
	int len = snprintf(into, PATH_BYTES, "%s/%s", directory, name);

	assert_in_range(len, 1, PATH_BYTES - 1);
	return into;
}

static void
overwrite(const char *name, off_t offset, const char *bytes, size_t len)
{
	int fd = open(name, O_WRONLY | O_CLOEXEC);

	assert_int_equal(pwrite(fd, bytes, len, offset), (ssize_t)len);
	close(fd);
}

static bool
exists(const char *name)
{
	return access(name, F_OK) == 0;
}

static void
copy_file(const char *from, const char *to)
{
	struct buf bytes = read_file(from);

	write_file(to, bytes.data, bytes.len);
	buf_clear(&bytes);
}

static const char *
wal_of(const char *name)
{
	static char wal[PATH_BYTES + 4];

	snprintf(wal, sizeof(wal), "%s-wal", name);
	return wal;
}

/* Copies to `copy` what kill -9 would leave at this moment. */
static void
crash_copy(void)
{
	struct buf wal = { 0 };

	copy_file(path, copy);
	if (exists(wal_of(path)))
		wal = read_file(wal_of(path));
	write_file(wal_of(copy), wal.data != NULL ? wal.data : "", wal.len);
	buf_clear(&wal);
}

/* --- the engine --- */

static int
try_open(const char *name)
{
	struct store *store;
	struct policy *policy;

	storage.path = name;
	error = (struct error){ 0 };
	if (sqlite_open(&storage, &store, &error) < 0)
		return -1;
	assert_int_equal(policy_parse("", 0, NULL, &policy, &error), 0);
	if (engine_open(store, policy, &options, &engine, &error) == 0)
		return 0;
	store->driver->close(store, NULL);
	policy_free(policy);
	return -1;
}

static void
open_at(const char *name)
{
	if (try_open(name) < 0)
		fail_msg("%s: %s", error_code_name(error.code), error.detail);
}

static void
close_engine(void)
{
	engine_close(engine);
	engine = NULL;
}

static void
reopen(void)
{
	close_engine();
	open_at(path);
}

static int
begin(void **state)
{
	(void)state;
	if (make_directory(directory, sizeof(directory), "store") < 0)
		return -1;
	in_directory(path, "sevq.db");
	in_directory(copy, "copy.db");
	sqlite_options_init(&storage);
	storage.min_free_bytes = 0;
	engine_options_init(&options);
	options.recent_bytes = 0; /* so that events are read from the store */
	return 0;
}

static int
end(void **state)
{
	(void)state;
	close_engine();
	calls_free();
	return remove_directory(directory);
}

static struct call *
done(struct call *call)
{
	assert_int_equal(engine_turn(engine, &error), 0);
	assert_int_equal(call->answered, 1);
	if (call->op.error.code != ERROR_NONE)
		fail_msg("%s: %s", error_code_name(call->op.error.code), call->op.error.detail);
	return call;
}

static int64_t
put(const char *key, const char *text)
{
	return done(enqueue(engine, key, text))->enqueue.results[0].event.id;
}

/* Enqueues many different events in one call. */
static void
put_many(const char *key, size_t count)
{
	static unsigned serial;
	char texts[CALL_DRAFTS_MAX][16];
	struct draft drafts[CALL_DRAFTS_MAX];

	for (size_t n; count > 0; count -= n) {
		n = count < CALL_DRAFTS_MAX ? count : CALL_DRAFTS_MAX;
		for (size_t i = 0; i < n; i++) {
			snprintf(texts[i], sizeof(texts[i]), "%u", serial++);
			drafts[i] = draft(key, texts[i]);
		}
		done(enqueue_drafts(engine, drafts, n));
	}
	calls_free();
}

static void
assert_queued(const char *key, const char *texts)
{
	assert_texts(&done(peek(engine, key))->peek.found, texts);
}

static struct engine_stats
stats(void)
{
	struct engine_stats now;

	engine_stats(engine, &now);
	return now;
}

static size_t
depth(const char *key)
{
	size_t found = done(peek_page(engine, key, 1, NULL))->peek.depth;

	calls_free();
	return found;
}

static void
finish_chores(void)
{
	while (engine_chores(engine))
		continue;
}

/* --- the file without the engine --- */

/*
 * Runs statements on the file, as the sqlite3 shell does; answers the first column of the last row.
 */
static int64_t
shell(const char *name, const char *statements)
{
	sqlite3 *db;
	sqlite3_stmt *statement = NULL;
	int64_t value = -1;

	assert_int_equal(
	    sqlite3_open_v2(name, &db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, NULL),
	    SQLITE_OK);
	sqlite3_db_config(db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL);
	for (const char *rest = statements; *rest != '\0';) {
		assert_int_equal(sqlite3_prepare_v2(db, rest, -1, &statement, &rest), SQLITE_OK);
		int rc;
		while ((rc = sqlite3_step(statement)) == SQLITE_ROW)
			value = sqlite3_column_int64(statement, 0);
		if (rc != SQLITE_DONE)
			fail_msg("%s: %s", statements, sqlite3_errmsg(db));
		sqlite3_finalize(statement);
	}
	sqlite3_close(db);
	return value;
}

/* Opening is refused with the code and changes no byte of the file or its WAL. */
static void
assert_refused(const char *name, enum error_code code)
{
	struct buf before = read_file(name), wal_before = { 0 };

	if (exists(wal_of(name)))
		wal_before = read_file(wal_of(name));
	assert_int_equal(try_open(name), -1);
	assert_string_equal(error_code_name(error.code), error_code_name(code));
	assert_non_null(strstr(error.detail, name));
	struct buf after = read_file(name), wal_after = { 0 };
	if (exists(wal_of(name)))
		wal_after = read_file(wal_of(name));
	assert_int_equal(before.len, after.len);
	assert_memory_equal(before.data, after.data, before.len);
	assert_int_equal(wal_before.len, wal_after.len);
	if (wal_before.len > 0)
		assert_memory_equal(wal_before.data, wal_after.data, wal_before.len);
	buf_clear(&before), buf_clear(&after), buf_clear(&wal_before), buf_clear(&wal_after);
}

/* Makes a complete database with one event, and closes it. */
static void
make_database(void)
{
	open_at(path);
	put(A, "1");
	close_engine();
}

/* --- opening --- */

static mode_t
mode_of(const char *name)
{
	struct stat st;

	assert_int_equal(stat(name, &st), 0);
	return st.st_mode & 07777;
}

static void
a_new_database_is_private(void **state)
{
	(void)state;
	char name[PATH_BYTES];
	mode_t before = umask(0);
	open_at(in_directory(name, "new/deep/sevq.db"));
	umask(before);
	put(A, "1");
	assert_int_equal(mode_of(name), 0600);
	assert_int_equal(mode_of(wal_of(name)), 0600);
	assert_int_equal(mode_of(in_directory(name, "new/deep")), 0700);
	assert_int_equal(mode_of(in_directory(name, "new")), 0700);
	assert_int_equal(mode_of(in_directory(name, "new/deep/sevq.db.lock")), 0600);
}

static void
a_relative_path_is_accepted(void **state)
{
	(void)state;
	char before[PATH_BYTES];
	assert_non_null(getcwd(before, sizeof(before)));
	assert_int_equal(chdir(directory), 0);
	open_at("sevq.db");
	put(A, "1");
	close_engine();
	assert_int_equal(chdir(before), 0);
	open_at(path);
	assert_queued(A, "1");
}

static void
a_half_made_database_is_made_again(void **state)
{
	(void)state;
	char name[PATH_BYTES];
	write_file(in_directory(name, "sevq.db.new"), "half", 4);
	make_database();
	assert_false(exists(name));
}

static void
other_files_are_refused_unchanged(void **state)
{
	(void)state;
	char name[PATH_BYTES];
	char page[4096] = "SQLite format 2";
	write_file(in_directory(name, "empty"), "", 0);
	assert_refused(name, ERROR_STORAGE_FOREIGN);
	write_file(in_directory(name, "short"), "SQLite format 3", 16);
	assert_refused(name, ERROR_STORAGE_FOREIGN);
	write_file(in_directory(name, "old"), page, sizeof(page));
	assert_refused(name, ERROR_STORAGE_FOREIGN);
	shell(in_directory(name, "other.db"),
	      "CREATE TABLE event (id INTEGER PRIMARY KEY); PRAGMA user_version = 1;");
	assert_refused(name, ERROR_STORAGE_FOREIGN);
	assert_int_equal(mkdir(in_directory(name, "directory"), 0700), 0);
	assert_int_equal(try_open(name), -1);
	assert_int_equal(error.code, ERROR_STORAGE_FOREIGN);
	assert_int_equal(mkfifo(in_directory(name, "pipe"), 0600), 0);
	assert_int_equal(try_open(name), -1); /* and without waiting for a writer */
	assert_int_equal(error.code, ERROR_STORAGE_FOREIGN);
}

static void
a_newer_database_keeps_every_byte(void **state)
{
	(void)state;
	make_database();
	overwrite(path, 60, "\0\0\0\143", 4);
	assert_refused(path, ERROR_STORAGE_NEWER);
	overwrite(path, 60, "\377\377\377\377", 4);
	assert_refused(path, ERROR_STORAGE_NEWER);
}

#define WITHOUT_KEY_OWNERS                                                                         \
	"DROP INDEX idempotency_owner; ALTER TABLE idempotency DROP COLUMN owner;"

#define WITHOUT_MOVES                                                                              \
	"DROP INDEX outcome_moved; DROP VIEW pending; DROP VIEW moved; CREATE VIEW pending AS"     \
	" SELECT 1; ALTER TABLE outcome DROP COLUMN target; DELETE FROM outcome_kind WHERE id >= " \
	"16;"

static void
an_older_database_is_migrated(void **state)
{
	(void)state;
	make_database();
	int64_t version = shell(path, "PRAGMA user_version");
	shell(path,
	      "DROP INDEX session_last_context; ALTER TABLE session DROP COLUMN last_context;"
	      "ALTER TABLE outcome DROP COLUMN attempts; ALTER TABLE dead_letter DROP COLUMN "
	      "attempts; DROP TABLE newest; DROP TABLE clock;" WITHOUT_KEY_OWNERS WITHOUT_MOVES
	      "PRAGMA user_version = 1");
	open_at(path);
	assert_queued(A, "1");
	put(A, "2");
	reopen();
	assert_queued(A, "1 2");
	close_engine();
	assert_int_equal(shell(path, "PRAGMA user_version"), version);
	assert_int_equal(shell(path, "SELECT count(*) FROM session WHERE last_context IS NULL"), 1);
}

/* Its clock was a year ahead once: those rows are taken for the newest, and keys for new ones. */
static void
an_older_database_of_a_wrong_clock_is_migrated(void **state)
{
	(void)state;
	int64_t year = INT64_C(365) * 86400000;

	open_at(path);
	put(A, "before"), put(B, "ahead"), done(drain(engine, B, 0));
	close_engine();
	shell(
	    path,
	    "UPDATE event SET ts = ts + 365 * 86400000 WHERE id = 2;"
	    "UPDATE outcome SET ts = ts + 365 * 86400000;"
	    "INSERT INTO idempotency(ts, key, request, answer) SELECT ts, 'k', 1, '' FROM outcome;"
	    "ALTER TABLE newest DROP COLUMN steady; DROP TABLE clock;" WITHOUT_KEY_OWNERS
		WITHOUT_MOVES "PRAGMA user_version = 4");
	open_at(path);
	const struct system_event *event = &done(enqueue(engine, A, "2"))->enqueue.results[0].event;
	assert_in_range(event->ts_ms, clock_now().wall_ms - 10000, clock_now().wall_ms);
	assert_in_range(done(take_census(engine))->census.census.oldest_age_ms, 0, 10000);
	close_engine();
	assert_in_range(shell(path, "SELECT ahead FROM clock ORDER BY event LIMIT 1"), year - 10000,
			year + 10000);
	assert_int_equal(
	    shell(path, "SELECT ts < (SELECT ts FROM outcome) - 86400000 FROM idempotency"), 1);
}

static void
a_version_that_only_the_wal_has_is_read(void **state)
{
	(void)state;
	static const char *const versions[] = { "PRAGMA user_version = 99",
						"PRAGMA user_version = -1" };
	make_database();
	for (size_t i = 0; i < COUNT(versions); i++) {
		shell(path, versions[i]);
		crash_copy();
		assert_refused(copy, ERROR_STORAGE_NEWER);
	}
}

static void
a_truncated_database_is_corrupt(void **state)
{
	(void)state;
	open_at(path);
	put_many(A, 1000);
	close_engine();
	struct buf whole = read_file(path);
	write_file(path, whole.data, whole.len / 2);
	assert_refused(path, ERROR_STORAGE_CORRUPT);
	write_file(path, whole.data, 4096 + 100);
	assert_refused(path, ERROR_STORAGE_CORRUPT);
	buf_clear(&whole);
}

/*
 * A checkpoint was killed after its first page: the file is shorter than its header says, and the
 * WAL has the rest.
 */
static void
a_killed_checkpoint_is_not_taken_for_truncation(void **state)
{
	(void)state;
	open_at(path);
	put_many(A, 1000);
	crash_copy();
	close_engine();
	struct buf whole = read_file(path);
	overwrite(copy, 0, whole.data, 4096);
	buf_clear(&whole);
	open_at(copy);
	assert_int_equal(depth(A), 1000);
	assert_int_equal(shell(copy, "PRAGMA integrity_check(1); SELECT count(*) FROM pending"),
			 1000);
}

static void
a_damaged_page_is_corrupt(void **state)
{
	(void)state;
	char junk[4096];
	memset(junk, 0x5a, sizeof(junk));
	open_at(path);
	put_many(A, 1000);
	close_engine();
	for (off_t page = 1; page < 8; page++) {
		copy_file(path, copy);
		overwrite(copy, page * 4096, junk, sizeof(junk));
		assert_refused(copy, ERROR_STORAGE_CORRUPT);
	}
}

/* The child page of a cell in an interior page of a b-tree. */
static off_t
child_page(const char *whole, off_t page, size_t cell)
{
	const unsigned char *inner = (const unsigned char *)whole + (page - 1) * 4096,
			    *pointer = inner + 12 + 2 * cell;
	const unsigned char *at = inner + (pointer[0] << 8 | pointer[1]);

	assert_int_equal(inner[0], 5);
	return (off_t)at[0] << 24 | at[1] << 16 | at[2] << 8 | at[3];
}

/*
 * One page is overwritten with another, so that its events come twice. The file is too large to be
 * checked page by page.
 */
static void
events_out_of_order_are_corrupt(void **state)
{
	(void)state;
	open_at(path);
	put_many(A, 1000);
	close_engine();
	off_t root = (off_t)shell(
	    path, "CREATE TABLE ballast(x); INSERT INTO ballast VALUES (zeroblob(9000000));"
		  "PRAGMA wal_checkpoint; SELECT rootpage FROM sqlite_schema WHERE name = 'event'");
	struct buf whole = read_file(path);
	off_t first = child_page(whole.data, root, 1), second = child_page(whole.data, root, 2);
	overwrite(path, (second - 1) * 4096, whole.data + (first - 1) * 4096, 4096);
	buf_clear(&whole);
	assert_refused(path, ERROR_STORAGE_CORRUPT);
}

static void
a_damaged_outcome_is_corrupt(void **state)
{
	(void)state;
	make_database();
	shell(path, "INSERT INTO outcome(ts, kind, session, events) VALUES (1, 1, 1, '[1,')");
	assert_refused(path, ERROR_STORAGE_CORRUPT);
	shell(path, "UPDATE outcome SET events = NULL WHERE 0; UPDATE outcome SET events = ''");
	assert_refused(path, ERROR_STORAGE_CORRUPT);
}

/* Values that no server of ours writes, and on which the whole queue depends. */
static void
numbers_and_keys_that_cannot_be_are_corrupt(void **state)
{
	static const char *const damage[] = {
		"UPDATE event SET id = 9223372036854775807",
		"UPDATE event SET id = -1",
		"UPDATE session SET key = 'agent'",
		"UPDATE session SET key = ''",
		"UPDATE session SET key = CAST(x'6167656e743a61ff3a62' AS TEXT)",
		"INSERT INTO outcome(id, ts, kind, session, events) VALUES"
		" (9223372036854775807, 1, 1, 1, '[1]')",
		"INSERT INTO outcome(id, ts, kind, session, events) VALUES (0, 1, 1, 1, '[1]')",
		"INSERT INTO outcome(ts, kind, session, events) VALUES"
		" (1, 1, 1, '[[1,9223372036854775807]]')",
		"INSERT INTO outcome(ts, kind, session, events, lease, attempts) VALUES"
		" (1, 12, 1, '[1]', 1, '1')",
		"INSERT INTO outcome(ts, kind, session, events) VALUES (1, 16, 1, '[1]')",
		"INSERT INTO outcome(ts, kind, session, events, target) VALUES"
		" (1, 16, 1, '[1]', 99)",
		"INSERT INTO outcome(ts, kind, session, events, target) VALUES"
		" (1, 14, 1, '[1]', 1)",
		"INSERT INTO session(id, key) VALUES (9, 'x'); INSERT INTO"
		" outcome(ts, kind, session, events, target) VALUES (1, 16, 1, '[1]', 9)",
		"UPDATE newest SET event = 9223372036854775807",
		"UPDATE newest SET outcome = -1",
		"UPDATE newest SET ts = 9223372036854775807",
		"UPDATE newest SET steady = -9223372036854775808",
		"UPDATE clock SET event = 9223372036854775807",
		"UPDATE clock SET outcome = -1",
		"UPDATE clock SET ahead = 9223372036854775807",
		"UPDATE clock SET unproven = -9223372036854775808",
		"UPDATE clock SET boot_ahead = 9223372036854775807",
	};

	(void)state;
	for (size_t i = 0; i < COUNT(damage); i++) {
		make_database();
		shell(path, damage[i]);
		assert_refused(path, ERROR_STORAGE_CORRUPT);
		unlink(path), unlink(wal_of(path));
	}
}

static void
an_event_without_a_session_is_corrupt(void **state)
{
	(void)state;
	make_database();
	shell(path, "DELETE FROM session");
	assert_refused(path, ERROR_STORAGE_CORRUPT);
}

/* A new database beside the old WAL would take pages of another file from it, or lose it. */
static void
a_wal_without_its_database_is_left_alone(void **state)
{
	(void)state;
	open_at(path);
	put(A, "1");
	crash_copy();
	assert_int_equal(unlink(copy), 0);
	struct buf before = read_file(wal_of(copy));
	struct engine *first = engine;
	assert_int_equal(try_open(copy), -1);
	assert_int_equal(error.code, ERROR_STORAGE_CORRUPT);
	assert_non_null(strstr(error.detail, "-wal"));
	assert_ptr_equal(engine, first);
	struct buf after = read_file(wal_of(copy));
	assert_int_equal(before.len, after.len);
	assert_false(exists(copy));
	buf_clear(&before), buf_clear(&after);
}

static void
a_second_server_is_refused(void **state)
{
	(void)state;
	open_at(path);
	struct engine *first = engine;
	assert_int_equal(try_open(path), -1);
	assert_int_equal(error.code, ERROR_STORAGE_LOCKED);
	assert_ptr_equal(engine, first);
	put(A, "1"); /* the first server continues */
	reopen();
	assert_queued(A, "1");
}

static void
a_symbolic_link_meets_the_same_lock(void **state)
{
	(void)state;
	open_at(path);
	struct engine *first = engine;
	assert_int_equal(symlink(path, copy), 0);
	assert_int_equal(try_open(copy), -1);
	assert_int_equal(error.code, ERROR_STORAGE_LOCKED);
	assert_ptr_equal(engine, first);
}

static void
an_impossible_path_fails(void **state)
{
	(void)state;
	char name[PATH_BYTES], long_name[PATH_BYTES];
	write_file(in_directory(name, "file"), "x", 1);
	assert_int_equal(try_open(in_directory(name, "file/sevq.db")), -1);
	assert_int_equal(error.code, ERROR_STORAGE_FAILED);
	memset(long_name, 'x', 300);
	long_name[300] = '\0';
	assert_int_equal(try_open(in_directory(name, long_name)), -1);
	assert_int_equal(error.code, ERROR_STORAGE_FAILED);
}

/* --- across restarts --- */

static struct draft
rich_draft(void)
{
	struct draft rich = draft(" main ", "Zwei\nZeilen \"quoted\" \xf0\x9f\xa6\x9e '; -- \x01");

	rich.context_key = STR("cron:\xc3\xa9");
	rich.source = STR("exec-event");
	rich.traceparent = STR("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01");
	rich.wake = WAKE_NOW;
	rich.delivery = (struct delivery){ .channel = STR("telegram"),
					   .to = STR("-100 \"x\" \\"),
					   .account_id = STR("default"),
					   .thread_id = STR("42"),
					   .thread_is_number = true };
	return rich;
}

static void
assert_same_event(const struct system_event *have, const struct system_event *want)
{
	const struct str *pairs[][2] = {
		{ &have->session_key, &want->session_key },
		{ &have->original_session_key, &want->original_session_key },
		{ &have->text, &want->text },
		{ &have->context_key, &want->context_key },
		{ &have->source, &want->source },
		{ &have->traceparent, &want->traceparent },
	};

	for (size_t i = 0; i < COUNT(pairs); i++) {
		assert_true(str_eq(*pairs[i][0], *pairs[i][1]));
		assert_int_equal(pairs[i][0]->s == NULL, pairs[i][1]->s == NULL);
	}
	assert_delivery(&have->delivery, &want->delivery);
	assert_int_equal(have->delivery.thread_is_number, want->delivery.thread_is_number);
	assert_int_equal(have->id, want->id);
	assert_int_equal(have->ts_ms, want->ts_ms);
	assert_int_equal(have->rule, want->rule);
	assert_int_equal(have->wake, want->wake);
}

static void
an_event_comes_back_as_it_was_answered(void **state)
{
	(void)state;
	open_at(path);
	struct call *rich = done(enqueue_draft(engine, rich_draft())),
		    *plain = done(enqueue(engine, A, "x"));
	for (int round = 0; round < 2; round++) {
		assert_same_event(&done(find_event(engine, 1))->find.event,
				  &rich->enqueue.results[0].event);
		assert_same_event(&done(find_event(engine, 2))->find.event,
				  &plain->enqueue.results[0].event);
		reopen();
	}
	assert_int_equal(done(enqueue_draft(engine, rich_draft()))->enqueue.results[0].outcome,
			 ENQUEUE_DUPLICATE);
}

static void
the_longest_text_comes_back(void **state)
{
	(void)state;
	char *text = mem_alloc(TEXT_BYTES_MAX + 1);
	for (size_t i = 0; i < TEXT_BYTES_MAX; i++)
		text[i] = (char)('a' + i % 26);
	open_at(path);
	put(A, text);
	reopen();
	struct call *call = done(drain(engine, A, 0));
	assert_str(call->drain.taken.events[0].text, text);
	free(text);
}

static void
order_and_contexts_survive_a_restart(void **state)
{
	(void)state;
	open_at(path);
	put(A, "1"), done(enqueue_keyed(engine, A, "k", "2")), put("main", "3"),
	    done(enqueue_keyed(engine, A, "l", "4"));
	put(A, "5"), put("agent:main:main", "6");
	done(consume(engine, A, (int64_t[]){ 4, 1 }, 2));
	reopen();
	assert_queued(A, "2 5");
	assert_queued("main", "3 6");
	struct call *call = done(list_sessions(engine, (struct sessions_op){ 0 }));
	assert_int_equal(call->sessions.count, 2);
	assert_str(call->sessions.sessions[0].last_context_key, "k");
	assert_int_equal(call->sessions.sessions[1].rekeyed_from_count, 1);
	assert_str(call->sessions.sessions[1].rekeyed_from[0].key, "main");
	assert_int_equal(put(A, "7"), 7);
}

/*
 * More sessions than one load callback carries, each with a context key and a delivery context of
 * its own.
 */
static void
many_sessions_survive_a_restart(void **state)
{
	(void)state;
	char key[64], context[16];
	open_at(path);
	for (int i = 0; i < 300; i++) {
		snprintf(key, sizeof(key), "agent:main:many:%d", i % 100);
		snprintf(context, sizeof(context), "context %d", i);
		struct draft one = draft(key, context);
		one.context_key = str_of(context);
		one.delivery.to = str_of(context);
		done(enqueue_draft(engine, one));
		calls_free();
	}
	reopen();
	assert_int_equal(stats().pending, 300);
	for (int i = 0; i < 100; i++) {
		snprintf(key, sizeof(key), "agent:main:many:%d", i);
		snprintf(context, sizeof(context), "context %d", i + 200);
		const struct sessions_op input = { .address.session_key = str_of(key) };
		const struct sessions_op *found = &done(list_sessions(engine, input))->sessions;
		assert_int_equal(found->count, 1);
		assert_int_equal(found->sessions[0].depth, 3);
		assert_str(found->sessions[0].last_context_key, context);
		assert_str(found->sessions[0].delivery.to, context);
		calls_free();
	}
}

static void
a_crash_keeps_what_was_answered(void **state)
{
	(void)state;
	open_at(path);
	put(A, "1"), put(A, "2"), done(drain(engine, A, 1)), put(B, "3");
	crash_copy();
	close_engine();
	open_at(copy);
	assert_queued(A, "2");
	assert_queued(B, "3");
	assert_int_equal(put(A, "4"), 4);
}

static void
row_counts_survive_a_restart(void **state)
{
	(void)state;
	open_at(path);
	put_many(A, 10), put_many(B, 5);
	done(drain(engine, A, 0));
	for (int round = 0; round < 2; round++) {
		assert_int_equal(stats().store.events, 15);
		assert_int_equal(stats().store.outcomes, 1);
		reopen();
	}
}

/* --- the sweep --- */

static void
ids_and_times_continue_from_rows_that_were_removed(void **state)
{
	(void)state;
	open_at(path);
	put(A, "1"), put(B, "2");
	done(drain(engine, A, 0)), done(drain(engine, B, 0));
	close_engine();
	int64_t newest = shell(path, "UPDATE event SET ts = ts + 30000 WHERE id = 2 RETURNING ts");
	options.retention_ms = -1000;
	open_at(path);
	finish_chores();
	assert_int_equal(shell(path, "SELECT count(*) FROM event"), 0);
	assert_int_equal(shell(path, "SELECT count(*) FROM outcome"), 0);
	reopen(); /* what knows the ids and the time now is a row of their own */
	const struct system_event *event = &done(enqueue(engine, A, "3"))->enqueue.results[0].event;
	assert_int_equal(event->id, 3);
	assert_int_equal(event->ts_ms, newest);
	assert_int_equal(done(take_lease(engine, A, 0, 60000))->lease_take.lease_id, 3);
}

/* The newest time may be that of a drain, later than that of any event. */
static void
times_continue_from_an_outcome_later_than_any_event(void **state)
{
	(void)state;
	open_at(path);
	put(A, "1");
	done(drain(engine, A, 0));
	close_engine();
	int64_t newest = shell(path, "UPDATE outcome SET ts = ts + 30000 RETURNING ts");
	open_at(path);
	assert_int_equal(done(enqueue(engine, A, "2"))->enqueue.results[0].event.ts_ms, newest);
}

static void
the_sweep_deletes_events_settled_long_ago(void **state)
{
	(void)state;
	open_at(path);
	put(A, "1"), put(A, "2"), put(B, "3"), put(B, "4");
	done(drain(engine, A, 0)), done(consume(engine, B, (int64_t[]){ 3 }, 1));
	finish_chores();
	assert_int_equal(shell(path, "SELECT count(*) FROM event"), 4);
	close_engine();
	shell(path, "UPDATE outcome SET ts = ts - 8 * 86400000 WHERE id = 1");
	open_at(path);
	finish_chores();
	assert_int_equal(shell(path, "SELECT group_concat(id) = '3,4' FROM event"), 1);
	assert_int_equal(shell(path, "SELECT count(*) FROM outcome"), 1);
	/* a session's row is deleted with its last event */
	assert_int_equal(shell(path, "SELECT key = '" B "' FROM session"), 1);
	assert_int_equal(shell(path, "SELECT count(*) FROM session"), 1);
	assert_int_equal(stats().store.events, 2);
	assert_int_equal(stats().store.outcomes, 1);
	assert_int_equal(stats().store.swept, 2);
	assert_queued(B, "4");
	put(A, "5"); /* its session's row is made again */
	reopen();
	assert_queued(A, "5");
}

static void
the_sweep_keeps_at_most_the_given_number_of_rows(void **state)
{
	(void)state;
	options.retention_rows = 10;
	open_at(path);
	for (int i = 0; i < 10; i++) {
		put_many(A, 5);
		done(drain(engine, A, 0));
	}
	put(A, "last");
	finish_chores();
	assert_int_equal(stats().store.events, 11); /* ten settled events, one pending */
	assert_int_equal(shell(path, "SELECT count(*) FROM event"), 11);
	assert_int_equal(shell(path, "SELECT count(*) FROM outcome"), 2);
	assert_queued(A, "last");
}

/*
 * After a crash behind any step of the sweep, also in the middle of a long outcome, exactly the
 * pending events are pending.
 */
static void
no_step_of_the_sweep_brings_an_event_back(void **state)
{
	(void)state;
	int steps = 0;
	options.retention_ms = -1000;
	open_at(path);
	put_many(A, 700), put_many(B, 3), put_many(A, 700);
	done(drain(engine, A, 0));
	put_many(A, 300), put_many(B, 300);
	int64_t odd[60];
	for (int i = 0; i < 60; i++)
		odd[i] = 1404 + 5 * i;
	done(consume(engine, A, odd, COUNT(odd)));
	put("agent:main:last", "x"), done(drain(engine, "agent:main:last", 0));
	size_t a = depth(A), b = depth(B);
	struct engine *running = engine;
	for (bool more = true; more; steps++) {
		more = engine_chores(running);
		crash_copy();
		open_at(copy);
		assert_int_equal(depth(A), a);
		assert_int_equal(depth(B), b);
		assert_int_equal(shell(copy, "SELECT count(*) FROM pending"), (int64_t)(a + b));
		if (steps % 2 == 0) { /* the sweep continues from there */
			finish_chores();
			assert_int_equal(shell(copy, "SELECT count(*) FROM event"),
					 (int64_t)(a + b));
			assert_int_equal(shell(copy, "SELECT count(*) FROM outcome"), 0);
		}
		close_engine();
		engine = running;
	}
	assert_true(steps > 4);
	assert_int_equal(stats().store.events, a + b);
}

/* More outcomes than one round of the sweep takes, with interleaved events. */
static void
many_outcomes_are_swept_in_rounds(void **state)
{
	(void)state;
	const int each = 90;
	options.retention_ms = -1000;
	open_at(path);
	for (int i = 0; i < 100; i++) {
		for (int k = 0; k < each; k += 3)
			put_many(A, 3), put_many(B, 3);
		done(drain(engine, i % 2 == 0 ? A : B, 0)),
		    done(drain(engine, i % 2 == 0 ? B : A, 0));
	}
	put(A, "pending");
	finish_chores();
	assert_int_equal(shell(path, "SELECT count(*) FROM event"), 1);
	assert_int_equal(shell(path, "SELECT count(*) FROM outcome"), 0);
	assert_int_equal(stats().store.swept, 200 * each);
	assert_int_equal(stats().store.events, 1);
	assert_int_equal(stats().store.outcomes, 0);
	assert_queued(A, "pending");
}

/* A step that failed leaves the count of the session's row too, which goes with its last event. */
static void
a_failed_step_of_the_sweep_changes_no_count(void **state)
{
	(void)state;
	options.retention_ms = -1000;
	open_at(path);
	close_engine();
	shell(
	    path,
	    "CREATE TRIGGER refusal BEFORE DELETE ON event WHEN old.id = 4 AND NOT EXISTS"
	    " (SELECT 1 FROM event WHERE text = 'now') BEGIN SELECT raise(ABORT, 'not now'); END");
	open_at(path);
	put_many(A, 5);
	done(drain(engine, A, 0));
	put(A, "pending"), put(B, "x"), done(drain(engine, B, 0)), put(B, "newest");
	finish_chores();
	assert_int_equal(stats().store.swept, 0);
	assert_int_equal(stats().store.events, 8);
	put(B, "now");
	while (stats().store.swept < 5) /* the sweep is tried again a second later */
		engine_chores(engine);
	finish_chores();
	reopen();
	assert_queued(A, "pending");
}

static void
the_newest_event_is_swept_like_the_others(void **state)
{
	(void)state;
	options.retention_ms = -1000;
	open_at(path);
	put(B, "x"), put_many(A, 3);
	done(drain(engine, A, 0)), done(take_lease(engine, B, 0, 60000));
	finish_chores();
	assert_int_equal(shell(path, "SELECT group_concat(id) = '1' FROM event"), 1);
	assert_int_equal(put(A, "5"), 5);
	assert_queued(A, "5");
}

/* Leases and nacks stay as long as the event that they are about, and go with it. */
static void
an_event_is_forgotten_whole(void **state)
{
	(void)state;
	open_at(path);
	put(A, "1"), put(B, "2");
	for (int i = 0; i < 3; i++)
		done(nack(engine, done(take_lease(engine, A, 0, 60000))->lease_take.lease_id, NULL,
			  0));
	done(drain(engine, A, 0)), done(drain(engine, B, 0));
	close_engine();
	shell(path, "UPDATE outcome SET ts = ts - 8 * 86400000 WHERE id <= 6");
	open_at(path);
	finish_chores();
	assert_int_equal(shell(path, "SELECT count(*) FROM event"), 2);
	assert_int_equal(shell(path, "SELECT count(*) FROM outcome"), 8);
	close_engine();
	shell(path, "UPDATE outcome SET ts = ts - 8 * 86400000 WHERE id = 7");
	open_at(path);
	finish_chores();
	assert_int_equal(shell(path, "SELECT group_concat(id) = '2' FROM event"), 1);
	assert_int_equal(shell(path, "SELECT group_concat(id) = '8' FROM outcome"), 1);
	assert_int_equal(stats().store.outcomes, 1);
}

static void
a_grown_wal_is_checkpointed(void **state)
{
	(void)state;
	struct stat st;
	open_at(path);
	for (int i = 0; i < 3; i++) {
		while (stats().store.wal_bytes < 4200000)
			put_many(A, CALL_DRAFTS_MAX), done(drain(engine, A, 0));
		finish_chores();
		assert_int_equal(stats().store.checkpoints, i + 1);
	}
	assert_int_equal(stat(wal_of(path), &st), 0);
	assert_true(st.st_size < 6000000);
	close_engine();
	assert_false(exists(wal_of(path)));
}

/* Nothing else happens while frames are copied, so a step copies a thousand of them at most. */
static void
a_grown_wal_is_checkpointed_in_steps(void **state)
{
	uint64_t frames = 0;
	size_t steps = 0;

	(void)state;
	open_at(path);
	while (stats().store.wal_bytes < 14000000)
		put_many(A, CALL_DRAFTS_MAX), done(drain(engine, A, 0));
	frames = stats().store.wal_bytes / 4120;
	for (; stats().store.checkpoints == 0; steps++)
		assert_true(engine_chores(engine));
	assert_in_range(steps, frames / 1000 + 1, frames / 1000 + 2);
	assert_int_equal(stats().store.wal_bytes, 0);
}

/* --- full --- */

/* Enqueues until the store refuses; answers how many events are pending then. */
static size_t
fill(const char *key)
{
	char text[2000];

	memset(text, 'x', sizeof(text));
	text[sizeof(text) - 1] = '\0';
	for (;;) {
		struct draft big = draft(key, text);

		big.allow_duplicate = true;
		struct call *call = enqueue_draft(engine, big);
		assert_int_equal(engine_turn(engine, &error), 0);
		enum error_code code = call->op.error.code;
		calls_free();
		if (code != ERROR_NONE) {
			assert_int_equal(code, ERROR_STORAGE_FULL);
			return depth(key);
		}
	}
}

static void
a_full_database_refuses_enqueues_but_not_drains(void **state)
{
	(void)state;
	struct stat st;
	storage.max_bytes = 4 << 20;
	open_at(path);
	size_t held = fill(A);
	assert_true(held > 1000);
	assert_false(engine_ready(engine, &error));
	assert_int_equal(error.code, ERROR_STORAGE_FULL);
	/* one at a time, so that each event has an outcome of its own */
	for (size_t i = 0; i < held; i++) {
		assert_int_equal(done(drain(engine, A, 1))->drain.taken.count, 1);
		calls_free();
	}
	assert_int_equal(depth(A), 0);
	options.retention_ms = -1000;
	reopen();
	finish_chores();
	assert_true(fill(A) > held / 2); /* pages that the sweep freed are used again */
	close_engine();
	assert_int_equal(stat(path, &st), 0);
	assert_true(st.st_size <= (4 << 20) + (1 << 20));
}

static void
too_little_free_space_refuses_enqueues_but_not_drains(void **state)
{
	(void)state;
	open_at(path);
	put(A, "1");
	close_engine();
	storage.min_free_bytes = UINT64_MAX;
	open_at(path);
	struct call *refused = enqueue(engine, A, "2");
	assert_texts(&done(drain(engine, A, 0))->drain.taken, "1");
	assert_int_equal(refused->op.error.code, ERROR_STORAGE_FULL);
}

/* --- files changed by other programs --- */

static void
assert_stops(void)
{
	struct call *call = enqueue(engine, A, "2");

	assert_int_equal(engine_turn(engine, &error), -1);
	assert_int_equal(error.code, ERROR_STORAGE_UNKNOWN);
	assert_int_equal(call->answered, 0);
	assert_int_equal(engine_turn(engine, &error), -1);
}

static void
a_removed_file_stops_the_engine(void **state)
{
	(void)state;
	open_at(path);
	put(A, "1");
	assert_int_equal(unlink(path), 0);
	assert_stops();
}

static void
a_replaced_file_stops_the_engine(void **state)
{
	(void)state;
	open_at(path);
	put(A, "1");
	crash_copy();
	struct buf before = read_file(copy);
	assert_int_equal(rename(copy, path), 0);
	assert_stops();
	close_engine();
	struct buf after = read_file(path);
	assert_int_equal(before.len, after.len);
	assert_memory_equal(before.data, after.data, before.len); /* the new file is not touched */
	buf_clear(&before), buf_clear(&after);
}

/* Commits to a removed WAL would be lost. */
static void
a_removed_wal_stops_the_engine(void **state)
{
	(void)state;
	open_at(path);
	put(A, "1");
	crash_copy();
	assert_int_equal(unlink(wal_of(path)), 0);
	assert_stops();
	assert_string_equal(error.detail + strlen(error.detail) -
				strlen("-wal was removed or replaced"),
			    "-wal was removed or replaced");
	close_engine();
	open_at(copy);
	assert_queued(A, "1");
}

static void
a_replaced_wal_stops_the_engine(void **state)
{
	(void)state;
	char moved[PATH_BYTES], log[PATH_BYTES];
	in_directory(log, "sevq.db-wal");
	open_at(path);
	put(A, "1");
	assert_int_equal(rename(log, in_directory(moved, "moved")), 0);
	copy_file(moved, log);
	assert_stops();
	close_engine();
	open_at(path); /* the WAL that is there now */
	assert_queued(A, "1");
}

/* Otherwise the other writer's events would be in the store and not in the catalog. */
static void
a_writer_during_the_start_is_noticed(void **state)
{
	(void)state;
	sqlite3 *db;
	make_database();
	assert_int_equal(sqlite3_open_v2(path, &db, SQLITE_OPEN_READWRITE, NULL), SQLITE_OK);
	assert_int_equal(sqlite3_exec(db, "BEGIN IMMEDIATE; DELETE FROM event", NULL, NULL, NULL),
			 SQLITE_OK);
	assert_int_equal(try_open(path), -1);
	assert_int_equal(error.code, ERROR_STORAGE_LOCKED);
	assert_non_null(strstr(error.detail, path));
	assert_int_equal(sqlite3_exec(db, "COMMIT", NULL, NULL, NULL), SQLITE_OK);
	open_at(path);
	assert_int_equal(sqlite3_exec(db, "DELETE FROM outcome", NULL, NULL, NULL), SQLITE_BUSY);
	assert_int_equal(depth(A), 0);
	sqlite3_close(db);
}

static void
a_concurrent_reader_does_no_harm(void **state)
{
	(void)state;
	sqlite3 *db;
	sqlite3_stmt *all;
	open_at(path);
	put_many(A, 100);
	assert_int_equal(sqlite3_open_v2(path, &db, SQLITE_OPEN_READONLY, NULL), SQLITE_OK);
	assert_int_equal(sqlite3_prepare_v2(db, "SELECT id FROM pending", -1, &all, NULL),
			 SQLITE_OK);
	assert_int_equal(sqlite3_step(all), SQLITE_ROW);
	while (stats().store.wal_bytes < 4200000)
		put_many(A, CALL_DRAFTS_MAX), done(drain(engine, A, 0));
	finish_chores();
	put(A, "1");
	sqlite3_finalize(all);
	sqlite3_close(db);
	assert_queued(A, "1");
	reopen();
	assert_queued(A, "1");
}

/* What can be wrong with a row of the table event. */
static const char *const damages[] = {
	"text = 'b'",
	"text = CAST(x'ff' AS TEXT)",
	"text = ''",
	"text_hash = text_hash + 1",
	"ts = 9223372036854775807",
	"ts = -9223372036854775808",
	"available_at = 9223372036854775807",
	"available_at = -9223372036854775808",
	"expires_at = 9223372036854775807",
	"expires_at = -9223372036854775808",
	"rule = 99",
	"wake = -1",
	"exec = 7",
	"delivery = '{'",
	"context_key = CAST(x'61ff' AS TEXT)",
	"original_key = CAST(x'c3' AS TEXT)",
	"source = CAST(x'ff' AS TEXT)",
	"traceparent = CAST(x'ff' AS TEXT)",
};

/* Makes a database of events 1, 2 and 3 of A, and 4 of B, and damages the second. */
static void
make_damaged(const char *damage)
{
	char update[200];

	options.recent_bytes = 0;
	open_at(path);
	put(A, "1"), put(A, "a"), put(A, "3"), put(B, "4");
	close_engine();
	snprintf(update, sizeof(update), "UPDATE event SET %s WHERE id = 2", damage);
	shell(path, update);
	open_at(path);
}

static void
assert_is_damaged(struct call *call)
{
	assert_int_equal(call->op.error.code, ERROR_STORAGE_FAILED);
	assert_non_null(strstr(call->op.error.detail, "event 2 is damaged"));
}

static void
a_damaged_event_is_neither_served_nor_in_the_way(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(damages); i++) {
		make_damaged(damages[i]);
		struct call *named[] = { find_event(engine, 2), withdraw(engine, 2),
					 consume(engine, A, (int64_t[]){ 2 }, 1) },
			    *found = find_event(engine, 1), *looked = peek(engine, A),
			    *leased = take_lease(engine, A, 1, 60000), *rest = drain(engine, A, 0),
			    *other = drain(engine, B, 0);
		assert_int_equal(engine_turn(engine, &error), 0);
		for (size_t n = 0; n < COUNT(named); n++)
			assert_is_damaged(named[n]);
		assert_str(found->find.event.text, "1");
		assert_int_equal(looked->peek.depth, 3);
		assert_texts(&looked->peek.found, "1 3");
		assert_texts(&leased->lease_take.taken, "1");
		assert_texts(&rest->drain.taken, "3");
		assert_int_equal(rest->drain.remaining, 2);
		assert_texts(&other->drain.taken, "4");
		assert_int_equal(engine_store(engine)->damaged[0], 2);
		assert_in_range(engine_store(engine)->damaged_reads, 1, 20);
		assert_int_equal(engine_deliverable(engine, STR(A)), 0);
		calls_free();
		close_engine();
		open_at(path);
		assert_int_equal(done(drain(engine, A, 0))->drain.taken.count, 0);
		assert_int_equal(done(purge(engine, A, NULL))->purge.purged, 2);
		close_engine();
		unlink(path);
	}
}

static void
history_is_listed_without_a_damaged_event(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(damages); i++) {
		make_damaged("id = 2");
		done(drain(engine, A, 0));
		close_engine();
		char update[200];
		snprintf(update, sizeof(update), "UPDATE event SET %s WHERE id = 2", damages[i]);
		shell(path, update);
		open_at(path);
		struct call *listed =
		    done(list_history(engine, (struct history_op){ .limit = 10 }));
		assert_int_equal(listed->history.count, 2);
		assert_str(listed->history.items[0].event.text, "3");
		assert_str(listed->history.items[1].event.text, "1");
		struct call *named = find_event(engine, 2);
		assert_int_equal(engine_turn(engine, &error), 0);
		assert_is_damaged(named);
		close_engine();
		unlink(path);
	}
}

/* --- for people --- */

static void
do_something(int64_t newest)
{
	const char *key = random() % 2 == 0 ? A : B;
	int64_t id = 1 + random() % newest;

	switch (random() % 6) {
	case 0:
		done(drain(engine, key, 1 + (size_t)random() % 5));
		break;
	case 1:
		done(consume(engine, key, (int64_t[]){ id, id + 1, id + 5 }, 3));
		break;
	case 2:
		withdraw(engine, id);
		assert_int_equal(engine_turn(engine, &error), 0);
		break;
	case 3:
		done(purge(engine, key, random() % 3 == 0 ? NULL : "k"));
		break;
	default:
		put_many(key, 1 + (size_t)random() % 4);
		done(enqueue_keyed(engine, key, "k", random() % 2 == 0 ? "x" : "y"));
	}
	calls_free();
}

static void
assert_view_agrees(void)
{
	char query[200];

	for (int i = 0; i < 2; i++) {
		const char *key = i == 0 ? A : B;
		struct call *call = done(peek(engine, key));
		struct buf ids = { 0 };

		buf_adds(&ids, "SELECT coalesce(group_concat(id), '') = '");
		for (size_t j = 0; j < call->peek.found.count; j++)
			buf_addf(&ids, j > 0 ? ",%" PRId64 : "%" PRId64,
				 call->peek.found.events[j].id);
		snprintf(query, sizeof(query),
			 "' FROM (SELECT id FROM pending WHERE session_key = '%s' ORDER BY id)",
			 key);
		buf_adds(&ids, query);
		buf_add(&ids, "", 1);
		if (shell(path, ids.data) != 1)
			fail_msg("%s", ids.data);
		buf_clear(&ids);
	}
	calls_free();
}

static void
the_pending_view_agrees_with_the_catalog(void **state)
{
	(void)state;
	options.retention_ms = -1000;
	options.session_pending_max = 30;
	options.overflow = OVERFLOW_DROP_OLDEST;
	srandom(3);
	open_at(path);
	for (int round = 0; round < 60; round++) {
		for (int i = 0; i < 5; i++)
			do_something(1 + (int64_t)stats().enqueued);
		assert_view_agrees();
		if (round % 10 == 9) {
			reopen();
			assert_view_agrees();
			finish_chores();
		}
	}
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_new_database_is_private),
		TEST(a_relative_path_is_accepted),
		TEST(a_half_made_database_is_made_again),
		TEST(other_files_are_refused_unchanged),
		TEST(a_newer_database_keeps_every_byte),
		TEST(an_older_database_is_migrated),
		TEST(an_older_database_of_a_wrong_clock_is_migrated),
		TEST(a_version_that_only_the_wal_has_is_read),
		TEST(a_truncated_database_is_corrupt),
		TEST(a_killed_checkpoint_is_not_taken_for_truncation),
		TEST(a_damaged_page_is_corrupt),
		TEST(events_out_of_order_are_corrupt),
		TEST(a_damaged_outcome_is_corrupt),
		TEST(numbers_and_keys_that_cannot_be_are_corrupt),
		TEST(an_event_without_a_session_is_corrupt),
		TEST(a_wal_without_its_database_is_left_alone),
		TEST(a_second_server_is_refused),
		TEST(a_symbolic_link_meets_the_same_lock),
		TEST(an_impossible_path_fails),
		TEST(an_event_comes_back_as_it_was_answered),
		TEST(the_longest_text_comes_back),
		TEST(order_and_contexts_survive_a_restart),
		TEST(many_sessions_survive_a_restart),
		TEST(a_crash_keeps_what_was_answered),
		TEST(row_counts_survive_a_restart),
		TEST(ids_and_times_continue_from_rows_that_were_removed),
		TEST(times_continue_from_an_outcome_later_than_any_event),
		TEST(the_sweep_deletes_events_settled_long_ago),
		TEST(the_sweep_keeps_at_most_the_given_number_of_rows),
		TEST(no_step_of_the_sweep_brings_an_event_back),
		TEST(many_outcomes_are_swept_in_rounds),
		TEST(a_failed_step_of_the_sweep_changes_no_count),
		TEST(the_newest_event_is_swept_like_the_others),
		TEST(an_event_is_forgotten_whole),
		TEST(a_grown_wal_is_checkpointed),
		TEST(a_grown_wal_is_checkpointed_in_steps),
		TEST(a_full_database_refuses_enqueues_but_not_drains),
		TEST(too_little_free_space_refuses_enqueues_but_not_drains),
		TEST(a_removed_file_stops_the_engine),
		TEST(a_replaced_file_stops_the_engine),
		TEST(a_removed_wal_stops_the_engine),
		TEST(a_replaced_wal_stops_the_engine),
		TEST(a_writer_during_the_start_is_noticed),
		TEST(a_concurrent_reader_does_no_harm),
		TEST(a_damaged_event_is_neither_served_nor_in_the_way),
		TEST(history_is_listed_without_a_damaged_event),
		TEST(the_pending_view_agrees_with_the_catalog),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
