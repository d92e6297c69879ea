/*
 * error_test.c - every code has a name, and a detail is valid UTF-8 whatever bytes it is made from.
 */
#include "schema/error.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "schema/text.h"

static void
every_code_has_a_name_of_its_own(void **state)
{
	(void)state;
	for (int i = 0; i < ERROR_CODE_COUNT; i++) {
		assert_non_null(error_code_name((enum error_code)i));
		for (int j = 0; j < i; j++)
			assert_string_not_equal(error_code_name((enum error_code)i),
						error_code_name((enum error_code)j));
	}
	assert_string_equal(error_code_name(ERROR_BLANK_KEY), "blank-key");
	assert_string_equal(error_code_name(ERROR_TOO_LARGE), "payload-too-large");
}

static void
a_failure_carries_code_field_and_detail(void **state)
{
	struct error err = { .line = 7, .pointer = "/old" };

	(void)state;
	assert_int_equal(error_set(&err, ERROR_CONFLICT, "lease %d is lost", 4), -1);
	assert_int_equal(err.code, ERROR_CONFLICT);
	assert_string_equal(err.detail, "lease 4 is lost");
	assert_string_equal(err.pointer, "");
	assert_int_equal(err.line, 0);
	assert_int_equal(error_set_field(&err, "/text", "text is blank"), -1);
	assert_int_equal(err.code, ERROR_INVALID_FIELD);
	assert_string_equal(err.pointer, "/text");
	assert_int_equal(error_set(NULL, ERROR_CONFLICT, "nobody asks"), -1);
}

/* The cut may fall within a character at any byte; none of the character is left. */
static void
a_long_detail_is_cut_between_characters(void **state)
{
	char text[ERROR_DETAIL_BYTES * 2];

	(void)state;
	for (size_t len = ERROR_DETAIL_BYTES - 8; len < ERROR_DETAIL_BYTES + 8; len++) {
		struct error err;

		memset(text, 'x', len);
		memcpy(text + len, "\xf0\x9f\x98\x80", 5); /* ends at len + 4 */
		error_set(&err, ERROR_CONFLICT, "%s", text);
		if (len + 4 < ERROR_DETAIL_BYTES)
			assert_int_equal(strlen(err.detail), len + 4);
		else
			assert_int_equal(strlen(err.detail),
					 len < ERROR_DETAIL_BYTES ? len : ERROR_DETAIL_BYTES - 1);
		assert_true(text_is_utf8(err.detail, strlen(err.detail)));
		assert_null(strchr(err.detail, '?'));
	}
}

static void
invalid_bytes_are_replaced(void **state)
{
	struct error err;

	(void)state;
	error_set(&err, ERROR_CONFLICT, "a %.*s b", 2, "\xe2\x82\xac");
	assert_string_equal(err.detail, "a ?? b");
	error_set_field(&err, "/\x80", "\x80");
	assert_string_equal(err.pointer, "/?");
	assert_string_equal(err.detail, "?");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_code_has_a_name_of_its_own),
		cmocka_unit_test(a_failure_carries_code_field_and_detail),
		cmocka_unit_test(a_long_detail_is_cut_between_characters),
		cmocka_unit_test(invalid_bytes_are_replaced),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
