/*
 * log_test.c - text from clients is escaped, so that it cannot control a terminal or a log reader.
 */
#include "server/log.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static void
quoted_as(const char *text, size_t len, const char *expected)
{
	struct buf out = { 0 };

	log_quote(&out, (struct str){ text, len });
	assert_int_equal(out.len, strlen(expected));
	assert_memory_equal(out.data, expected, out.len);
	buf_clear(&out);
}

static void
plain_text_is_unchanged(void **state)
{
	(void)state;
	quoted_as("agent:main:\xc3\xa9 \xf0\x9f\x98\x80", 18,
		  "\"agent:main:\xc3\xa9 \xf0\x9f\x98\x80\"");
	quoted_as("", 0, "\"\"");
	quoted_as("a\"b\\c", 5, "\"a\\\"b\\\\c\"");
}

static void
control_and_format_characters_are_escaped(void **state)
{
	(void)state;
	quoted_as("a\nb\x1b[0m", 7, "\"a\\u000ab\\u001b[0m\"");
	quoted_as("\x00", 1, "\"\\u0000\"");
	quoted_as("\x7f\xc2\x85", 3, "\"\\u007f\\u0085\"");
	quoted_as("\xe2\x80\xae", 3, "\"\\u202e\"");            /* right-to-left override */
	quoted_as("\xe2\x81\xa6", 3, "\"\\u2066\"");            /* isolate */
	quoted_as("\xe2\x80\xa8", 3, "\"\\u2028\"");            /* line separator */
	quoted_as("\xf3\xa0\x81\x81", 4, "\"\\udb40\\udc41\""); /* a tag character */
}

static void
invalid_bytes_are_replaced_one_by_one(void **state)
{
	(void)state;
	quoted_as("a\xff\xc3", 3, "\"a\\ufffd\\ufffd\"");
	quoted_as("\xed\xa0\x80", 3, "\"\\ufffd\\ufffd\\ufffd\""); /* a surrogate */
	quoted_as("\xc3(", 2, "\"\\ufffd(\"");
}

static void
long_text_is_truncated(void **state)
{
	struct buf text = { 0 }, out = { 0 };

	(void)state;
	for (int i = 0; i < 5000; i++)
		buf_add(&text, "x", 1);
	log_quote(&out, (struct str){ text.data, text.len });
	assert_true(out.len < 1100);
	assert_memory_equal(out.data + out.len - 4, "...\"", 4);
	buf_clear(&text);
	buf_clear(&out);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(plain_text_is_unchanged),
		cmocka_unit_test(control_and_format_characters_are_escaped),
		cmocka_unit_test(invalid_bytes_are_replaced_one_by_one),
		cmocka_unit_test(long_text_is_truncated),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
