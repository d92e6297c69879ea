/*
 * error_test.c - codes have names, and a detail is valid UTF-8 whatever was put into it.
 */
#include "schema/error.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "schema/text.h"

static void
every_code_has_a_name_of_its_own(void **state)
{
	(void)state;
	for (int i = 0; i < SEVQ_CODE_COUNT; i++) {
		assert_non_null(sevq_code_name((enum sevq_code)i));
		for (int j = 0; j < i; j++)
			assert_string_not_equal(sevq_code_name((enum sevq_code)i), sevq_code_name((enum sevq_code)j));
	}
	assert_string_equal(sevq_code_name(SEVQ_BLANK_KEY), "blank-key");
	assert_string_equal(sevq_code_name(SEVQ_TOO_LARGE), "payload-too-large");
}

static void
a_failure_carries_code_field_and_detail(void **state)
{
	struct sevq_error err = { .line = 7, .pointer = "/old" };

	(void)state;
	assert_int_equal(sevq_fail(&err, SEVQ_CONFLICT, "lease %d is lost", 4), -1);
	assert_int_equal(err.code, SEVQ_CONFLICT);
	assert_string_equal(err.detail, "lease 4 is lost");
	assert_string_equal(err.pointer, "");
	assert_int_equal(err.line, 0);
	assert_int_equal(sevq_fail_field(&err, "/text", "text is blank"), -1);
	assert_int_equal(err.code, SEVQ_INVALID_FIELD);
	assert_string_equal(err.pointer, "/text");
	assert_int_equal(sevq_fail(NULL, SEVQ_CONFLICT, "nobody asks"), -1);
}

/* A detail that is cut ends before the character that does not fit, wherever the cut falls. */
static void
a_long_detail_is_cut_between_characters(void **state)
{
	char text[SEVQ_DETAIL_BYTES * 2];

	(void)state;
	for (int shift = 0; shift < 4; shift++) {
		struct sevq_error err;
		int at = snprintf(text, sizeof text, "%.*s", shift, "xxxx");

		while (at + 5 < (int)sizeof text)
			at += snprintf(text + at, sizeof text - (size_t)at, "\xf0\x9f\x98\x80");
		sevq_fail(&err, SEVQ_CONFLICT, "%s", text);
		assert_true(sevq_utf8_valid(err.detail, strlen(err.detail)));
		assert_true(strlen(err.detail) + 5 > SEVQ_DETAIL_BYTES);
		assert_null(strchr(err.detail, '?'));
	}
}

static void
bytes_that_are_no_character_are_replaced(void **state)
{
	struct sevq_error err;

	(void)state;
	sevq_fail(&err, SEVQ_CONFLICT, "a %.*s b", 2, "\xe2\x82\xac");
	assert_string_equal(err.detail, "a ?? b");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_code_has_a_name_of_its_own),
		cmocka_unit_test(a_failure_carries_code_field_and_detail),
		cmocka_unit_test(a_long_detail_is_cut_between_characters),
		cmocka_unit_test(bytes_that_are_no_character_are_replaced),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
