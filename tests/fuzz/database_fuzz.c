/*
 * database_fuzz.c - a database file that somebody or something has changed is refused, or served as
 * far as it goes; it never makes the server fail an assertion, overflow or loop.
 *
 * The input is a list of changes to a small database. A change either overwrites bytes of the file,
 * or sets a column of a row by SQL, so that rows have values that the server would never write. The
 * file is then opened, loaded, asked and written to as a server does.
 */
#include <assert.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>

#include <sqlite3.h>
#include <unistd.h>

#include "fuzz.h"
#include "queue/clock.h"
#include "queue/engine.h"
#include "queue/sqlite/store.h"
#include "tests/unit/calls.h"

#define A "agent:main:a"
#define B "agent:main:b"
#define CHANGES_MAX 16
#define BYTES_MAX 16 /* that one change overwrites */
#define TURNS_MAX 1000

static char directory[64], path[128];
static struct engine *engine;
static struct buf template;

/* What a byte of the input may be left of the input. */
struct input {
	const uint8_t *at;
	size_t left;
};

static uint64_t
take(struct input *input, size_t bytes)
{
	uint64_t value = 0;

	for (; bytes > 0 && input->left > 0; bytes--, input->left--)
		value = value << 8 | *input->at++;
	return value;
}

/* --- the server --- */

static struct clock
stopped(void)
{
	return (
	    struct clock){ .wall_ms = INT64_C(1800000000000), .boot_ms = 1000000, .boot_id = 1 };
}

static int
open_engine(struct error *err)
{
	struct sqlite_options storage;
	struct engine_options options;
	struct policy *policy;
	struct store *store;

	sqlite_options_init(&storage);
	storage.path = path;
	storage.min_free_bytes = 0;
	engine_options_init(&options);
	options.recent_bytes = 0;
	if (sqlite_open(&storage, &store, err) < 0)
		return -1;
	policy_parse("", 0, NULL, &policy, err);
	if (engine_open(store, policy, &options, &engine, err) == 0)
		return 0;
	store->driver->close(store, NULL);
	policy_free(policy);
	return -1;
}

static void
close_engine(void)
{
	engine_close(engine);
	engine = NULL;
	calls_free();
}

/* Turns as the server's loop makes them. False: the store is unknown, and the process would end. */
static bool
turn(void)
{
	struct error err;
	bool busy = true;

	for (int turns = 0; busy; turns++) {
		assert(turns < TURNS_MAX);
		if (engine_turn(engine, &err) != 0 || engine_stopped(engine, &err)) {
			assert(err.detail[0] != '\0');
			return false;
		}
		busy = engine_chores(engine) || engine_has_work(engine);
	}
	return !engine_stopped(engine, &err);
}

/* Rows in every table, and events in every state. */
static void
fill(void)
{
	struct draft keyed = draft(A, "keyed");
	struct call *lease;

	keyed.context_key = STR("context");
	keyed.delivery.channel = STR("telegram");
	keyed.idempotency = (struct idempotency){ .key = STR("e:key"), .request = 1 };
	enqueue_draft(engine, keyed);
	for (int i = 0; i < 6; i++)
		enqueue(engine, i < 4 ? A : B, (const char *[]){ "1", "2", "3", "4", "5", "6" }[i]);
	turn();
	drain(engine, A, 2);
	turn();
	lease = take_lease(engine, A, 1, 60000);
	turn();
	nack(engine, lease->lease_take.lease_id, NULL, 0);
	take_lease(engine, B, 2, 60000);
	turn();
	enqueue(engine, B, "newest");
	turn();
}

static void
read_template(void)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n;

	do {
		buf_reserve(&template, 1 << 16);
		n = read(fd, template.data + template.len, 1 << 16);
		template.len += n > 0 ? (size_t)n : 0;
	} while (n > 0);
	close(fd);
}

static void
start(void)
{
	struct error err;
	int failed;

	clock_now = stopped;
	snprintf(directory, sizeof(directory), "%s/sevq-fuzz-XXXXXX",
		 access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp");
	if (mkdtemp(directory) == NULL)
		abort();
	snprintf(path, sizeof(path), "%s/sevq.db", directory);
	failed = open_engine(&err);
	assert(failed == 0);
	fill();
	close_engine();
	read_template();
	assert(template.len > 0);
}

/* --- the changes --- */

static void
overwrite(struct input *input, struct buf *file)
{
	size_t offset = (size_t)take(input, 3) % file->len,
	       len = (size_t)take(input, 1) % BYTES_MAX;

	for (; len > 0 && offset < file->len; len--)
		file->data[offset++] = (char)take(input, 1);
}

static const char *const updates[] = {
	"UPDATE session SET id = ?1 WHERE id = ?2",
	"UPDATE session SET key = ?1 WHERE id = ?2",
	"UPDATE session SET last_context = ?1 WHERE id = ?2",
	"UPDATE event SET id = ?1 WHERE id = ?2",
	"UPDATE event SET session = ?1 WHERE id = ?2",
	"UPDATE event SET ts = ?1 WHERE id = ?2",
	"UPDATE event SET text_hash = ?1 WHERE id = ?2",
	"UPDATE event SET text_bytes = ?1 WHERE id = ?2",
	"UPDATE event SET rule = ?1 WHERE id = ?2",
	"UPDATE event SET wake = ?1 WHERE id = ?2",
	"UPDATE event SET exec = ?1 WHERE id = ?2",
	"UPDATE event SET available_at = ?1 WHERE id = ?2",
	"UPDATE event SET expires_at = ?1 WHERE id = ?2",
	"UPDATE event SET context_key = ?1 WHERE id = ?2",
	"UPDATE event SET delivery = ?1 WHERE id = ?2",
	"UPDATE event SET original_key = ?1 WHERE id = ?2",
	"UPDATE event SET source = ?1 WHERE id = ?2",
	"UPDATE event SET traceparent = ?1 WHERE id = ?2",
	"UPDATE event SET text = ?1 WHERE id = ?2",
	"DELETE FROM event WHERE id = ?2",
	"UPDATE outcome SET id = ?1 WHERE id = ?2",
	"UPDATE outcome SET ts = ?1 WHERE id = ?2",
	"UPDATE outcome SET kind = ?1 WHERE id = ?2",
	"UPDATE outcome SET session = ?1 WHERE id = ?2",
	"UPDATE outcome SET events = ?1 WHERE id = ?2",
	"UPDATE outcome SET lease = ?1 WHERE id = ?2",
	"UPDATE outcome SET until = ?1 WHERE id = ?2",
	"UPDATE outcome SET detail = ?1 WHERE id = ?2",
	"UPDATE outcome SET attempts = ?1 WHERE id = ?2",
	"DELETE FROM outcome WHERE id = ?2",
	"INSERT INTO dead_letter(event, outcome) VALUES (?2, ?1)",
	"UPDATE idempotency SET id = ?1 WHERE id = ?2",
	"UPDATE idempotency SET ts = ?1 WHERE id = ?2",
	"UPDATE idempotency SET key = ?1 WHERE id = ?2",
	"UPDATE idempotency SET request = ?1 WHERE id = ?2",
	"UPDATE idempotency SET answer = ?1 WHERE id = ?2",
	"UPDATE newest SET event = ?1",
	"UPDATE newest SET outcome = ?1",
	"UPDATE newest SET ts = ?1",
	"UPDATE newest SET steady = ?1",
	"DELETE FROM newest",
	"UPDATE clock SET event = ?1",
	"UPDATE clock SET outcome = ?1",
	"UPDATE clock SET ahead = ?1",
	"UPDATE clock SET unproven = ?1",
	"UPDATE clock SET boot = ?1",
	"UPDATE clock SET boot_ahead = ?1",
	"INSERT INTO clock VALUES (?1, ?2, ?1, 0, 1, ?1)",
	"DELETE FROM clock",
};

#define UPDATES (sizeof(updates) / sizeof(updates[0]))

/* A value of the column: nothing, a number, or text. */
static void
bind_value(struct input *input, sqlite3_stmt *statement)
{
	size_t len;

	switch (take(input, 1) % 4) {
	case 0:
		break;
	case 1:
		sqlite3_bind_int64(statement, 1, (int64_t)take(input, 8));
		break;
	case 2:
		sqlite3_bind_int64(statement, 1, (int8_t)take(input, 1));
		break;
	default:
		len = (size_t)take(input, 1) % 64;
		len = len < input->left ? len : input->left;
		sqlite3_bind_text(statement, 1, (const char *)input->at, (int)len,
				  SQLITE_TRANSIENT);
		input->at += len;
		input->left -= len;
	}
}

/* What SQLite refuses, such as text in a column of numbers, is no change. */
static void
update(struct input *input, sqlite3 *db)
{
	sqlite3_stmt *statement;
	size_t which = (size_t)take(input, 1) % UPDATES;

	if (sqlite3_prepare_v2(db, updates[which], -1, &statement, NULL) != SQLITE_OK)
		return;
	sqlite3_bind_int64(statement, 2, (int64_t)take(input, 1) % 12);
	bind_value(input, statement);
	sqlite3_step(statement);
	sqlite3_finalize(statement);
}

static void
write_template(const struct buf *file)
{
	static const char *const beside[] = { "-wal", "-shm", "-journal" };
	char name[160];
	int fd;

	for (size_t i = 0; i < sizeof(beside) / sizeof(beside[0]); i++) {
		snprintf(name, sizeof(name), "%s%s", path, beside[i]);
		unlink(name);
	}
	fd = open(path, O_WRONLY | O_TRUNC | O_CLOEXEC);
	if (write(fd, file->data, file->len) != (ssize_t)file->len)
		abort();
	close(fd);
}

static void
change_rows(struct input *input)
{
	sqlite3 *db;

	if (sqlite3_open(path, &db) == SQLITE_OK) {
		sqlite3_exec(db, "PRAGMA locking_mode=EXCLUSIVE; PRAGMA synchronous=OFF; BEGIN",
			     NULL, NULL, NULL);
		for (int i = 0; i < CHANGES_MAX && input->left > 0; i++)
			update(input, db);
		sqlite3_exec(db, "COMMIT", NULL, NULL, NULL);
	}
	sqlite3_close(db);
}

static void
change(struct input *input)
{
	struct buf file = { 0 };
	bool bytes = take(input, 1) % 4 == 0;

	buf_add(&file, template.data, template.len);
	for (int i = 0; bytes && i < CHANGES_MAX && input->left > 0; i++)
		overwrite(input, &file);
	write_template(&file);
	if (!bytes)
		change_rows(input);
	buf_clear(&file);
}

/* --- what a server does with it --- */

static void
use(void)
{
	struct draft again = draft(A, "keyed");

	again.idempotency = (struct idempotency){ .key = STR("e:key"), .request = 1 };
	peek(engine, A);
	list_sessions(engine, (struct sessions_op){ .sort = SORT_OLDEST });
	list_history(engine, (struct history_op){ .limit = 100 });
	list_history(engine, (struct history_op){ .limit = 100, .dead_letters = true });
	for (int64_t id = 1; id < 10; id++)
		find_event(engine, id);
	if (!turn())
		return;
	enqueue_draft(engine, again);
	enqueue(engine, B, "another");
	extend(engine, 3, NULL, 0, 1000);
	if (!turn())
		return;
	take_lease(engine, A, 1, 1000);
	drain(engine, B, 1);
	requeue(engine, (const int64_t[]){ 1, 2, 3 }, 3, 0, false);
	turn();
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct input input = { data, size };
	struct error err = { 0 };

	if (template.len == 0)
		start();
	change(&input);
	if (open_engine(&err) != 0) {
		assert(err.code != ERROR_NONE && err.detail[0] != '\0');
		return 0;
	}
	if (turn())
		use();
	close_engine();
	return 0;
}
