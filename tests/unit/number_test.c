/* number_test.c - doubles are written as ECMAScript writes them. */
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
		cmocka_unit_test(every_number_reads_back_the_same),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
