/*
 * sqlite_wal_scan_test.c - a flipped bit in a WAL is told from a torn tail.
 *
 * A template has a WAL of COMMITS commits, each a few frames long, and how many events the database
 * holds after each. Every test copies it, changes the copy, and opens it.
 */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>
#include <sqlite3.h>
#include <unistd.h>

#include "queue/sqlite/database.h"
#include "queue/sqlite/store.h"
#include "queue/sqlite/wal_scan.h"
#include "tests/unit/calls.h"
#include "tests/unit/files.h"

#define A "agent:main:a"
#define COMMITS 8
#define HEADER_BYTES 32
#define FRAME_HEADER_BYTES 24
#define FRAME_BYTES (FRAME_HEADER_BYTES + PAGE_BYTES)
#define BLOCK_BYTES 4096
#define PATH_BYTES 128

static char directory[64], template[PATH_BYTES], copy[PATH_BYTES];
static struct error error;
static struct buf database, wal;
static size_t frames, ends[COMMITS]; /* frames up to the end of each commit */

static char *
wal_name(const char *path)
{
	static char name[PATH_BYTES + 8];

	snprintf(name, sizeof(name), "%s-wal", path);
	return name;
}

/* Writes the template as `copy`, with this WAL. */
static void
write_copy(const char *bytes, size_t len)
{
	char shm[PATH_BYTES + 8];

	snprintf(shm, sizeof(shm), "%s-shm", copy);
	unlink(shm);
	write_file(copy, database.data, database.len);
	write_file(wal_name(copy), bytes, len);
}

static struct engine *
open_engine(const char *path)
{
	struct sqlite_options storage;
	struct engine_options options;
	struct policy *policy;
	struct engine *engine;
	struct store *store;

	sqlite_options_init(&storage);
	engine_options_init(&options);
	storage.path = path;
	storage.min_free_bytes = 0;
	if (sqlite_open(&storage, &store, &error) < 0)
		return NULL;
	assert_int_equal(policy_parse("", 0, NULL, &policy, NULL), 0);
	assert_int_equal(engine_open(store, policy, &options, &engine, &error), 0);
	return engine;
}

/* How many events the copy holds; -1: it is refused as damaged, and unchanged. */
static int
open_copy(const char *bytes, size_t len)
{
	struct engine *engine = open_engine(copy);
	struct engine_stats stats;

	if (engine == NULL) {
		struct buf now = read_file(wal_name(copy));

		assert_int_equal(error.code, ERROR_STORAGE_CORRUPT);
		assert_int_equal(now.len, len);
		assert_memory_equal(now.data, bytes, len);
		buf_clear(&now);
		return -1;
	}
	engine_stats(engine, &stats);
	engine_close(engine);
	return (int)stats.pending;
}

static int
make_template(void **state)
{
	(void)state;
	struct wal_scan scan;

	assert_int_equal(make_directory(directory, sizeof(directory), "wal"), 0);
	snprintf(template, sizeof(template), "%s/template.db", directory);
	snprintf(copy, sizeof(copy), "%s/copy.db", directory);
	struct engine *engine = open_engine(template);
	assert_non_null(engine);
	for (int i = 0; i < COMMITS; i++) {
		char text[6000];

		memset(text, 'a' + i, sizeof(text) - 1);
		text[sizeof(text) - 1] = '\0';
		enqueue(engine, A, text);
		assert_int_equal(engine_turn(engine, &error), 0);
		assert_int_equal(wal_scan(template, &scan, &error), 0);
		ends[i] = scan.frames;
	}
	database = read_file(template);
	wal = read_file(wal_name(template));
	frames = (wal.len - HEADER_BYTES) / FRAME_BYTES;
	engine_close(engine);
	calls_free();
	return 0;
}

static int
remove_template(void **state)
{
	(void)state;
	buf_clear(&database);
	buf_clear(&wal);
	return remove_directory(directory);
}

static void
shell(sqlite3 *db, const char *script)
{
	char *why = NULL;

	if (sqlite3_exec(db, script, NULL, NULL, &why) != SQLITE_OK)
		fail_msg("%s", why);
}

/* The commit, from 0, that the byte of the WAL is part of; -1: none, it is in the header. */
static int
commit_of(size_t at)
{
	int commit = 0;

	if (at < HEADER_BYTES)
		return -1;
	while (ends[commit] <= (at - HEADER_BYTES) / FRAME_BYTES)
		commit++;
	return commit;
}

static void
a_whole_wal_is_counted(void **state)
{
	(void)state;
	struct wal_scan scan;

	write_copy(wal.data, wal.len);
	assert_int_equal(wal_scan(copy, &scan, &error), 0);
	assert_int_equal(scan.frames, frames);
	assert_int_equal(scan.frames, scan.committed);
	assert_int_equal(scan.commits_behind, 0);
	assert_int_equal(open_copy(wal.data, wal.len), COMMITS);
}

/*
 * A flip in the last commits leaves at most one whole commit behind it, as a torn tail does: the
 * commits before it are kept. Before these, and in the header, it is refused.
 */
static void
assert_told(size_t at, int bit)
{
	int commit = commit_of(at);
	bool is_refused = commit < COMMITS - 1 - WAL_COMMITS_BEHIND_MAX;

	wal.data[at] ^= (char)(1 << bit);
	write_copy(wal.data, wal.len);
	int events = open_copy(wal.data, wal.len);
	wal.data[at] ^= (char)(1 << bit);
	if (events != (is_refused ? -1 : commit))
		fail_msg("bit %d of byte %zu, in commit %d of %d: %d events", bit, at, commit,
			 COMMITS, events);
}

/* Every byte of the header, and bytes of every frame's header and page. */
static void
a_flipped_bit_is_damage_and_no_torn_tail(void **state)
{
	(void)state;
	srandom(11);
	for (size_t at = 0; at < HEADER_BYTES + 4; at++)
		assert_told(at, (int)(random() % 8));
	for (size_t frame = 0; frame < frames; frame++) {
		size_t begin = HEADER_BYTES + frame * FRAME_BYTES;

		/* not the bytes that say where a commit ends: there may be one more or less then */
		assert_told(begin + 8 + (size_t)random() % (FRAME_HEADER_BYTES - 8),
			    (int)(random() % 8));
		assert_told(begin + FRAME_HEADER_BYTES + (size_t)(random() % PAGE_BYTES),
			    (int)(random() % 8));
	}
}

/*
 * As a disk loses them: blocks of the file, which hold parts of frames. Of the last commit but one,
 * so much may be lost that it is unknown where it ended; it may be refused too.
 */
static void
lose_blocks(size_t at, size_t end)
{
	struct buf bytes = { 0 };
	int first = commit_of(at) < 0 ? 0 : commit_of(at), last = commit_of(end - 1),
	    behind = COMMITS - 1 - last;

	buf_add(&bytes, wal.data, wal.len);
	memset(bytes.data + at, 0, end - at);
	write_copy(bytes.data, bytes.len);
	int events = open_copy(bytes.data, bytes.len);
	buf_clear(&bytes);
	if (events != (behind > WAL_COMMITS_BEHIND_MAX ? -1 : first) &&
	    (events != -1 || behind != WAL_COMMITS_BEHIND_MAX))
		fail_msg("bytes %zu to %zu, in commits %d to %d of %d: %d events", at, end, first,
			 last, COMMITS, events);
}

static void
lost_blocks_are_damage(void **state)
{
	(void)state;
	for (size_t at = 0; at < wal.len; at += BLOCK_BYTES)
		for (size_t end = at + BLOCK_BYTES; end <= wal.len && end <= at + 6 * BLOCK_BYTES;
		     end += BLOCK_BYTES)
			lose_blocks(at, end);
}

/* A crash in a commit leaves the commits before it, wherever it cuts. */
static void
a_torn_tail_is_no_damage(void **state)
{
	(void)state;
	srandom(12);
	for (int i = 0; i < 40; i++) {
		size_t len = 1 + (size_t)random() % (wal.len - 1);
		int commit = commit_of(len - 1);
		bool is_end = commit >= 0 && len == HEADER_BYTES + ends[commit] * FRAME_BYTES;

		write_copy(wal.data, len);
		assert_int_equal(open_copy(wal.data, len),
				 commit < 0 ? 0 : commit + (is_end ? 1 : 0));
	}
}

/* Of the last commit any sectors may be missing, and others be there. */
static void
a_last_commit_with_holes_is_no_damage(void **state)
{
	(void)state;
	size_t begin = HEADER_BYTES + ends[COMMITS - 2] * FRAME_BYTES;
	struct buf bytes = { 0 };

	srandom(13);
	for (int i = 0; i < 100; i++) {
		size_t sector = i % 2 == 0 ? 512 : BLOCK_BYTES;

		bytes.len = 0;
		buf_add(&bytes, wal.data, wal.len);
		memset(bytes.data + begin, 0, FRAME_HEADER_BYTES);
		for (size_t at = begin; at < wal.len; at = (at / sector + 1) * sector)
			if (random() % 2 == 0)
				memset(bytes.data + at, 0,
				       at + sector > wal.len ? wal.len - at : sector - at % sector);
		write_copy(bytes.data, bytes.len);
		assert_int_equal(open_copy(bytes.data, bytes.len), COMMITS - 1);
	}
	buf_clear(&bytes);
}

/* The WAL starts over behind a new header, while the frames of its earlier round still stand. */
static void
a_wal_that_starts_over_is_no_damage(void **state)
{
	(void)state;
	struct buf old = read_file(template); /* closing has checkpointed it */

	for (size_t cut = 0; cut <= HEADER_BYTES; cut++) {
		struct buf bytes = { 0 };

		buf_add(&bytes, wal.data, wal.len);
		for (size_t i = 0; i < cut; i++)
			bytes.data[i] = (char)(bytes.data[i] ^ (i >= 12 ? 0x5a : 0));
		write_copy(bytes.data, bytes.len);
		write_file(copy, old.data, old.len);
		assert_int_equal(open_copy(bytes.data, bytes.len), COMMITS);
		buf_clear(&bytes);
	}
	buf_clear(&old);
}

/* The same, where the round that ends is shorter than the one before it. */
static void
a_short_round_over_a_long_one_is_no_damage(void **state)
{
	(void)state;
	struct buf bytes;
	sqlite3 *db;

	write_copy(wal.data, wal.len);
	assert_int_equal(sqlite3_open(copy, &db), SQLITE_OK);
	shell(db, "PRAGMA wal_autocheckpoint = 0; PRAGMA wal_checkpoint(RESTART);"
		  "UPDATE event SET ts = ts + 1 WHERE id = 8;"
		  "UPDATE event SET ts = ts + 1 WHERE id = 8; PRAGMA wal_checkpoint(RESTART)");
	struct buf old = read_file(copy);
	bytes = read_file(wal_name(copy));
	sqlite3_close(db);
	assert_int_equal(bytes.len, wal.len);
	memset(bytes.data + 12, 0, 8);
	write_copy(bytes.data, bytes.len);
	write_file(copy, old.data, old.len);
	assert_int_equal(open_copy(bytes.data, bytes.len), COMMITS);
	buf_clear(&bytes);
	buf_clear(&old);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_whole_wal_is_counted),
		cmocka_unit_test(a_flipped_bit_is_damage_and_no_torn_tail),
		cmocka_unit_test(lost_blocks_are_damage),
		cmocka_unit_test(a_torn_tail_is_no_damage),
		cmocka_unit_test(a_last_commit_with_holes_is_no_damage),
		cmocka_unit_test(a_wal_that_starts_over_is_no_damage),
		cmocka_unit_test(a_short_round_over_a_long_one_is_no_damage),
	};

	return cmocka_run_group_tests(tests, make_template, remove_template);
}
