/*
 * throttle_test.c - how bad tokens are counted: by address, for a minute, in bounded memory.
 */
#include "server/http/throttle.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static struct throttle throttle;

static int
empty(void **state)
{
	(void)state;
	throttle = (struct throttle){ 0 };
	return 0;
}

/* Counts so many bad tokens, of which none is refused. */
static void
count(uint64_t address, int tokens, int64_t now_ms)
{
	for (int i = 0; i < tokens; i++)
		assert_int_equal(throttle_count(&throttle, address, now_ms), 0);
}

static void
an_address_must_wait_until_its_minute_is_over(void **state)
{
	const int64_t began = 1000;

	(void)state;
	count(1, THROTTLE_BAD_TOKENS, began);
	assert_int_equal(throttle_count(&throttle, 1, began), 60);
	assert_int_equal(throttle_count(&throttle, 1, began + 1), 60);
	assert_int_equal(throttle_count(&throttle, 1, began + THROTTLE_MS - 1), 1);
	count(1, THROTTLE_BAD_TOKENS, began + THROTTLE_MS);
	assert_int_equal(throttle_count(&throttle, 1, began + THROTTLE_MS), 60);
}

static void
addresses_are_counted_apart(void **state)
{
	(void)state;
	for (uint64_t address = 0; address < 10; address++)
		count(address, THROTTLE_BAD_TOKENS, 0);
	for (uint64_t address = 0; address < 10; address++)
		assert_true(throttle_count(&throttle, address, 0) > 0);
}

static void
a_good_token_begins_the_count_anew(void **state)
{
	(void)state;
	count(1, THROTTLE_BAD_TOKENS, 0);
	throttle_forget(&throttle, 1);
	count(1, THROTTLE_BAD_TOKENS, 0);
	throttle_forget(&throttle, 2);
	assert_true(throttle_count(&throttle, 1, 0) > 0);
}

static void
of_too_many_addresses_the_oldest_is_forgotten(void **state)
{
	(void)state;
	for (uint64_t address = 0; address < THROTTLE_ADDRESSES; address++)
		count(address, THROTTLE_BAD_TOKENS, (int64_t)address);
	count(THROTTLE_ADDRESSES, 1, THROTTLE_ADDRESSES);
	for (uint64_t address = 1; address < THROTTLE_ADDRESSES; address++)
		assert_true(throttle_count(&throttle, address, THROTTLE_ADDRESSES) > 0);
	count(0, 1, THROTTLE_ADDRESSES);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(an_address_must_wait_until_its_minute_is_over, empty),
		cmocka_unit_test_setup(addresses_are_counted_apart, empty),
		cmocka_unit_test_setup(a_good_token_begins_the_count_anew, empty),
		cmocka_unit_test_setup(of_too_many_addresses_the_oldest_is_forgotten, empty),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
