/* sqlite_ids_test.c - the text form of a list of ids in an outcome's row. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "queue/sqlite/ids.h"
#include "schema/mem.h"

#define COUNT(table) (sizeof(table) / sizeof((table)[0]))

static void
lists_are_written_with_runs_as_ranges(void **state)
{
	(void)state;
	static const struct {
		int64_t ids[6];
		size_t count;
		const char *text;
	} cases[] = {
		{ { 1 }, 1, "[1]" },
		{ { 1, 2 }, 2, "[[1,2]]" },
		{ { 1, 3 }, 2, "[1,3]" },
		{ { 1, 3, 4, 5, 9 }, 5, "[1,[3,5],9]" },
		{ { 1, 2, 4, 5, 7, 8 }, 6, "[[1,2],[4,5],[7,8]]" },
		{ { INT64_MAX - 1, INT64_MAX }, 2, "[[9223372036854775806,9223372036854775807]]" },
	};
	struct buf out = { 0 };
	for (size_t i = 0; i < COUNT(cases); i++) {
		out.len = 0;
		ids_write(&out, cases[i].ids, cases[i].count);
		assert_int_equal(out.len, strlen(cases[i].text));
		assert_memory_equal(out.data, cases[i].text, out.len);
	}
	buf_clear(&out);
}

static size_t
random_ids(int64_t *ids, size_t max)
{
	size_t count = 1 + (size_t)random() % max;
	int64_t id = 0;

	for (size_t i = 0; i < count; i++)
		ids[i] = id += 1 + (random() % 4 == 0 ? random() % 1000 : 0);
	return count;
}

static void
a_written_list_is_read_back(void **state)
{
	(void)state;
	struct buf out = { 0 };
	int64_t ids[200];
	srandom(1);
	for (int round = 0; round < 2000; round++) {
		size_t count = random_ids(ids, COUNT(ids)), read = 0;

		out.len = 0;
		ids_write(&out, ids, count);
		const char *at = out.data;
		struct id_range range = { 0 };
		while (ids_next(&at, out.data + out.len, &range))
			for (int64_t id = range.first; id <= range.last; id++)
				assert_int_equal(id, ids[read++]);
		assert_non_null(at);
		assert_int_equal(read, count);
		assert_true(ids_ends((struct str){ out.data, out.len }, &range));
		assert_int_equal(range.first, ids[0]);
		assert_int_equal(range.last, ids[count - 1]);
	}
	buf_clear(&out);
}

static void
a_malformed_list_is_refused(void **state)
{
	(void)state;
	static const char *const malformed[] = {
		"",        "[",         "[]",        "1",      "[1",       "[1,",
		"[1,]",    "[,1]",      "[0]",       "[-1]",   "[[1,2]",   "[[1,2",
		"[[1]]",   "[[2,1]]",   "[[1,2,3]]", "[1]]",   "[1] ",     "[ 1]",
		"[1, 2]",  "[1.5]",     "[\"1\"]",   "[null]", "[a]",      "{}",
		"[[0,3]]", "[1][2]",    "[[1,2]3]",  "],",     "[1,2,[3]", "x[1]",
		"[2,1]",   "[[1,3],3]", "[1,1]",     ",1]",    "[1[2]",    "[9223372036854775808]",
	};
	for (size_t i = 0; i < COUNT(malformed); i++) {
		/*
		 * The allocation has exactly the text's size, so that the sanitizers see a read
		 * past its end.
		 */
		size_t len = strlen(malformed[i]);
		char *text = mem_alloc(len);

		memcpy(text, malformed[i], len);
		const char *at = text;
		struct id_range range = { 0 };
		ids_ends((struct str){ text, len }, &range);
		range = (struct id_range){ 0 };
		while (ids_next(&at, text + len, &range))
			assert_true(range.first > 0 && range.first <= range.last);
		if (at != NULL)
			fail_msg("taken: %s", malformed[i]);
		free(text);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(lists_are_written_with_runs_as_ranges),
		cmocka_unit_test(a_written_list_is_read_back),
		cmocka_unit_test(a_malformed_list_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
