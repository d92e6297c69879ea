/*
 * sqlite_moved_test.c - what it costs to tell where an event of many moves is, and what a damaged
 * move does to others.
 *
 * What is counted here is work, not time.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "queue/sqlite/database.h"
#include "queue/sqlite/store.h"
#include "schema/text.h"
#include "tests/unit/files.h"

#define A "agent:main:a"
#define B "agent:main:b"
#define MOVES 40
#define EACH 50 /* events that a move names: every second one of its range */
#define EVENTS (2 * MOVES * EACH)
#define FEW 20 /* steps */
#define TIME 1700000000000

static char directory[64], path[80];
static struct store_session a = { .key = { A, sizeof(A) - 1 } },
			    b = { .key = { B, sizeof(B) - 1 } };
static struct store *store;
static struct sqlite_store *driver;
static size_t of_a, of_b;

static void
each(void *arg, const struct system_event *event)
{
	(void)arg;
	of_a += str_eq(event->session_key, a.key);
	of_b += str_eq(event->session_key, b.key);
}

static void
ended(void *arg, const struct error *err)
{
	(void)arg;
	assert_null(err);
}

static void
written(void *arg)
{
	(void)arg;
}

/* Reads events from the first to the last. Returns the steps of SQLite to follow them. */
static int
read_range(int64_t first, int64_t last, bool as_stored)
{
	static struct wanted_event wanted[EVENTS];
	size_t count = 0;

	of_a = of_b = 0;
	for (int64_t id = first; id <= last; id++)
		wanted[count++] = (struct wanted_event){ id, as_stored };
	sqlite3_stmt *moves = driver->statement[STATEMENT_MOVES];
	sqlite3_stmt_status(moves, SQLITE_STMTSTATUS_VM_STEP, 1);
	store->driver->read(store, wanted, count, each, ended, NULL);
	return sqlite3_stmt_status(moves, SQLITE_STMTSTATUS_VM_STEP, 1);
}

static void
commit(struct store_batch batch)
{
	store->driver->commit(store, &batch, written, ended, NULL);
}

static void
fill(void)
{
	static struct store_event events[EVENTS];
	static struct store_outcome moves[MOVES];
	static int64_t ids[MOVES][EACH];

	for (int i = 0; i < EVENTS; i++)
		events[i] = (struct store_event){
			.event = { .id = i + 1,
				   .ts_ms = TIME,
				   .session_key = a.key,
				   .text = STR("x") },
			.session = &a,
			.text_hash = text_hash(STR("x")),
		};
	for (int i = 0; i < MOVES; i++) {
		for (int j = 0; j < EACH; j++)
			ids[i][j] = 2 * (EACH * i + j) + 1;
		moves[i] = (struct store_outcome){ .kind = OUTCOME_MOVED,
						   .ts_ms = TIME,
						   .session = &a,
						   .target = &b,
						   .ids = ids[i],
						   .count = EACH,
						   .id = i + 1 };
	}
	commit((struct store_batch){ .events = events, .event_count = EVENTS });
	commit((struct store_batch){ .outcomes = moves, .outcome_count = MOVES });
}

static int
begin(void **state)
{
	struct sqlite_options options;
	struct error error;

	(void)state;
	if (make_directory(directory, sizeof(directory), "moved") < 0)
		return -1;
	snprintf(path, sizeof(path), "%s/sevq.db", directory);
	sqlite_options_init(&options);
	options.path = path;
	options.min_free_bytes = 0;
	a.row = b.row = 0;
	if (sqlite_open(&options, &store, &error) < 0) {
		print_error("%s\n", error.detail);
		return -1;
	}
	driver = (struct sqlite_store *)store;
	fill();
	return 0;
}

static int
end(void **state)
{
	(void)state;
	store->driver->close(store, NULL);
	return remove_directory(directory);
}

/* Whoever knows where the event is need not wait until its store has found that out. */
static void
an_event_as_it_was_stored_is_not_followed(void **state)
{
	(void)state;
	assert_int_equal(read_range(1, EVENTS, true), 0);
	assert_int_equal(of_a, EVENTS);
}

/* Events of one move cost one walk over the moves before it, if only they are asked for. */
static void
a_run_of_moved_events_costs_one_walk(void **state)
{
	int64_t last = EVENTS - 2 * EACH;
	int one, all = 0;

	(void)state;
	one = read_range(last - 2 * EACH + 1, last - 2 * EACH + 1, false);
	assert_int_equal(of_b, 1);
	for (int64_t id = last + 1; id <= EVENTS; id += 2) {
		all += read_range(id, id, false);
		assert_int_equal(of_b, 1);
	}
	assert_in_range(all, one, one + EACH * FEW);
}

static void
damage_first_move(void)
{
	assert_int_equal(sqlite3_exec(driver->db,
				      "UPDATE outcome SET events = '[1,x,99]' WHERE id = 1", NULL,
				      NULL, NULL),
			 SQLITE_OK);
}

static void
a_move_that_cannot_name_the_event_is_not_read(void **state)
{
	(void)state;
	damage_first_move();
	read_range(2 * EACH, EVENTS, false);
	assert_int_equal(of_b, (MOVES - 1) * EACH);
	assert_int_equal(of_a + of_b, EVENTS - 2 * EACH + 1);
	assert_int_equal(store->damaged_reads, 0);
	read_range(1, 2 * EACH - 1, false);
	assert_int_equal(of_a + of_b, 0);
	assert_int_equal(store->damaged_reads, 2 * EACH - 1);
}

static void
a_damaged_move_damages_no_event_as_it_was_stored(void **state)
{
	(void)state;
	damage_first_move();
	read_range(1, EVENTS, true);
	assert_int_equal(of_a, EVENTS);
	assert_int_equal(store->damaged_reads, 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(an_event_as_it_was_stored_is_not_followed),
		TEST(a_run_of_moved_events_costs_one_walk),
		TEST(a_move_that_cannot_name_the_event_is_not_read),
		TEST(a_damaged_move_damages_no_event_as_it_was_stored),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
