/* number_test.c - integers are read strictly, doubles are written as ECMAScript writes them. */
#include "schema/number.h"

#include <float.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

static const struct {
	double n;
	const char *text;
} cases[] = {
	{ 0, "0" },
	{ -0.0, "0" },
	{ 1, "1" },
	{ -100123, "-100123" },
	{ 1.5, "1.5" },
	{ 123456, "123456" },
	{ 0.1, "0.1" },
	{ 0.000001, "0.000001" },
	{ 1e-7, "1e-7" },
	{ 1.25e-7, "1.25e-7" },
	{ 1e20, "100000000000000000000" },
	{ 1e21, "1e+21" },
	{ 1.5e21, "1.5e+21" },
	{ 123456789.125, "123456789.125" },
	{ 9007199254740993.0, "9007199254740992" },
	{ 12345678901234567890.0, "12345678901234567000" },
	/* a power of two: its nearest 16 digits do not read back, these do */
	{ 5.684341886080802e-14, "5.684341886080802e-14" },
	{ 9.5e-5, "0.000095" },
	{ 999999999999999900000.0, "999999999999999900000" },
	{ DBL_MAX, "1.7976931348623157e+308" },
	{ DBL_TRUE_MIN, "5e-324" },
	{ DBL_MIN, "2.2250738585072014e-308" },
	{ -1.2345678901234567e-308, "-1.2345678901234567e-308" },
	{ INFINITY, "Infinity" },
	{ -INFINITY, "-Infinity" },
};

static void
numbers_are_written_as_ecmascript_does(void **state)
{
	char text[NUMBER_BYTES];

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct str got = number_text(cases[i].n, text);

		assert_int_equal(got.len, strlen(cases[i].text));
		assert_memory_equal(got.s, cases[i].text, got.len);
	}
}

static const struct {
	const char *text;
	int64_t min, max;
	enum number_parsed parsed;
	int64_t n;
} integers[] = {
	{ "0", 0, 9, NUMBER_PARSED, 0 },
	{ "9", 0, 9, NUMBER_PARSED, 9 },
	{ "007", 0, 9, NUMBER_PARSED, 7 },
	{ "9223372036854775807", 0, INT64_MAX, NUMBER_PARSED, INT64_MAX },
	{ "00000000000000000000000000000000000000001", 0, INT64_MAX, NUMBER_PARSED, 1 },
	{ "-9223372036854775808", INT64_MIN, INT64_MAX, NUMBER_PARSED, INT64_MIN },
	{ "-0", -1, 1, NUMBER_PARSED, 0 },
	{ "-5", -5, -5, NUMBER_PARSED, -5 },
	{ "10", 0, 9, NUMBER_RANGE, 0 },
	{ "0", 1, 9, NUMBER_RANGE, 0 },
	{ "-6", -5, 5, NUMBER_RANGE, 0 },
	{ "9223372036854775808", INT64_MIN, INT64_MAX, NUMBER_RANGE, 0 },
	{ "-9223372036854775809", INT64_MIN, INT64_MAX, NUMBER_RANGE, 0 },
	{ "18446744073709551617", 0, INT64_MAX, NUMBER_RANGE, 0 }, /* 2^64 + 1 */
	{ "99999999999999999999999999999999", INT64_MIN, INT64_MAX, NUMBER_RANGE, 0 },
	{ "99999999999999999999999999999999x", INT64_MIN, INT64_MAX, NUMBER_SYNTAX, 0 },
	{ "", 0, 9, NUMBER_SYNTAX, 0 },
	{ "-", INT64_MIN, INT64_MAX, NUMBER_SYNTAX, 0 },
	{ "-1", 0, 9, NUMBER_SYNTAX, 0 },
	{ "--1", INT64_MIN, INT64_MAX, NUMBER_SYNTAX, 0 },
	{ "+1", INT64_MIN, INT64_MAX, NUMBER_SYNTAX, 0 },
	{ " 1", INT64_MIN, INT64_MAX, NUMBER_SYNTAX, 0 },
	{ "1 ", INT64_MIN, INT64_MAX, NUMBER_SYNTAX, 0 },
	{ "1.0", INT64_MIN, INT64_MAX, NUMBER_SYNTAX, 0 },
	{ "1e3", INT64_MIN, INT64_MAX, NUMBER_SYNTAX, 0 },
	{ "0x1", INT64_MIN, INT64_MAX, NUMBER_SYNTAX, 0 },
	{ "1:", INT64_MIN, INT64_MAX, NUMBER_SYNTAX, 0 },
	{ "1/", INT64_MIN, INT64_MAX, NUMBER_SYNTAX, 0 },
	{ "\u0661", INT64_MIN, INT64_MAX, NUMBER_SYNTAX, 0 },
};

static void
integers_are_read_strictly(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(integers) / sizeof(integers[0]); i++) {
		int64_t n = 0;

		if (number_parse(str_of(integers[i].text), integers[i].min, integers[i].max, &n) !=
			integers[i].parsed ||
		    n != integers[i].n)
			fail_msg("\"%s\" gave %lld", integers[i].text, (long long)n);
	}
}

static void
a_refused_integer_leaves_the_result_alone(void **state)
{
	int64_t n = 42;

	(void)state;
	assert_int_equal(number_parse(STR("12x"), 0, 100, &n), NUMBER_SYNTAX);
	assert_int_equal(number_parse(STR("101"), 0, 100, &n), NUMBER_RANGE);
	assert_int_equal(number_parse(STR_NULL, 0, 100, &n), NUMBER_SYNTAX);
	assert_int_equal(n, 42);
	assert_int_equal(number_parse((struct str){ "123", 2 }, 0, 100, &n), NUMBER_PARSED);
	assert_int_equal(n, 12);
}

static void
every_number_reads_back_the_same(void **state)
{
	char text[NUMBER_BYTES + 1];

	(void)state;
	srandom(1);
	for (int i = 0; i < 20000; i++) {
		uint64_t bits =
		    (uint64_t)random() << 33 ^ (uint64_t)random() << 11 ^ (uint64_t)random();
		double n;

		memcpy(&n, &bits, sizeof(n));
		if (!isfinite(n))
			continue;
		text[number_text(n, text).len] = '\0';
		assert_true(strtod(text, NULL) == n);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(numbers_are_written_as_ecmascript_does),
		cmocka_unit_test(integers_are_read_strictly),
		cmocka_unit_test(a_refused_integer_leaves_the_result_alone),
		cmocka_unit_test(every_number_reads_back_the_same),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
