/*
 * target_test.c - request targets are read strictly, and queries as forms write them.
 */
#include "server/http/target.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static void
a_target_is_a_path_and_perhaps_a_query(void **state)
{
	static const struct {
		const char *target, *path, *query, *authority;
	} rows[] = {
		{ "/", "/", NULL, NULL },
		{ "/v1/events", "/v1/events", NULL, NULL },
		{ "/v1/events?", "/v1/events", "", NULL },
		{ "/v1/events?a=b&c", "/v1/events", "a=b&c", NULL },
		{ "/v1/events?a=?/", "/v1/events", "a=?/", NULL },
		{ "/a//b", "/a//b", NULL, NULL },
		{ "/%41?[]{}|", "/%41", "[]{}|", NULL },
		{ "http://h/a?b", "/a", "b", "h" },
		{ "HTTP://[::1]:80/", "/", NULL, "[::1]:80" },
		{ "http://h:1", "/", NULL, "h:1" },
		{ "http://h?a/b", "/", "a/b", "h" },
		{ "/http://h", "/http://h", NULL, NULL },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct str authority, path, query;

		assert_int_equal(
		    target_split(str_of(rows[i].target), &authority, &path, &query, NULL), 0);
		assert_int_equal(authority.s == NULL, rows[i].authority == NULL);
		assert_true(str_eq(authority, str_of(rows[i].authority)));
		assert_true(str_eq(path, str_of(rows[i].path)));
		assert_int_equal(query.s == NULL, rows[i].query == NULL);
		assert_true(str_eq(query, str_of(rows[i].query)));
	}
}

static void
anything_else_is_refused(void **state)
{
	static const char *const targets[] = { "",           "*",       "v1",        "//v1",
					       "http:///",   "/a b",    "/a\tb",     "/\x7f",
					       "/\xc3\xa9",  "/a#b",    "/a%00",     "/?x=%00",
					       "/\"",        "/<",      "/\\",       "/^",
					       "/`",         "http://", "http:/a",   "http://h//a",
					       "https://h/", "x://h/",  "http://h/ " };
	struct str authority, path, query;
	struct error err;

	(void)state;
	for (size_t i = 0; i < sizeof(targets) / sizeof(targets[0]); i++) {
		assert_int_equal(target_split(str_of(targets[i]), &authority, &path, &query, &err),
				 -1);
		assert_int_equal(err.code, ERROR_BAD_REQUEST);
	}
}

static void
escapes_are_decoded_once_and_plus_only_in_queries(void **state)
{
	static const struct {
		const char *text;
		bool in_query;
		const char *decoded; /* NULL: refused */
	} rows[] = {
		{ "plain", true, "plain" },
		{ "a%20b", true, "a b" },
		{ "a+b", true, "a b" },
		{ "a+b", false, "a+b" },
		{ "%2B%2b", true, "++" },
		{ "%2541", true, "%41" },
		{ "%C3%a9", true, "\xc3\xa9" },
		{ "", true, "" },
		{ "%", true, NULL },
		{ "%4", true, NULL },
		{ "%zz", true, NULL },
		{ "a%4g", false, NULL },
		{ "%ff", true, NULL },
		{ "%ed%a0%80", true, NULL },
		{ "%%41", true, NULL },
	};
	struct arena arena = { 0 };

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct str decoded;
		int failed =
		    target_decode(&arena, str_of(rows[i].text), rows[i].in_query, &decoded, NULL);

		assert_int_equal(failed, rows[i].decoded != NULL ? 0 : -1);
		if (!failed)
			assert_true(str_eq(decoded, str_of(rows[i].decoded)));
	}
	arena_clear(&arena);
}

static void
a_query_is_walked_in_order(void **state)
{
	struct str query = STR("&a=1&&b&c==2&=d&"), name, value;
	static const char *const expected[][2] = {
		{ "a", "1" }, { "b", "" }, { "c", "=2" }, { "", "d" }
	};

	(void)state;
	for (size_t i = 0; i < 4; i++) {
		assert_true(query_next(&query, &name, &value));
		assert_true(str_eq(name, str_of(expected[i][0])));
		assert_true(str_eq(value, str_of(expected[i][1])));
	}
	assert_false(query_next(&query, &name, &value));
	query = STR_NULL;
	assert_false(query_next(&query, &name, &value));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_target_is_a_path_and_perhaps_a_query),
		cmocka_unit_test(anything_else_is_refused),
		cmocka_unit_test(escapes_are_decoded_once_and_plus_only_in_queries),
		cmocka_unit_test(a_query_is_walked_in_order),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
