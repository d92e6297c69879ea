/* auth_test.c - for how long a token that was passed on is good, whatever the wall clock does. */
#include "server/http/auth.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include <cmocka.h>

#include "queue/clock.h"
#include "server/http/grants.h"
#include "tests/unit/files.h"

#define HOUR INT64_C(3600000)
#define FIRST "first-token-0123456789abcdef"

static struct clock now;
static struct auth *auth;
static struct auth_granted token;
static struct error err;
static char directory[200], path[220];

static struct clock
told(void)
{
	return now;
}

/* A token of the file has passed one on. */
static int
begin(void **state)
{
	struct auth_granted code;
	int64_t wait_ms;
	bool one_ended;

	(void)state;
	clock_now = told;
	now = (struct clock){ .wall_ms = INT64_C(1700000000000), .boot_ms = 5000 };
	assert_int_equal(make_directory(directory, sizeof(directory), "auth"), 0);
	snprintf(path, sizeof(path), "%s/token", directory);
	write_file(path, FIRST "\n", strlen(FIRST "\n"));
	assert_int_equal(chmod(path, 0600), 0);
	assert_int_equal(auth_load(path, &auth, &err), 0);
	assert_int_equal(auth_make_code(auth, str_of(FIRST), SCOPE_READ, &code, &wait_ms, &err), 0);
	assert_int_equal(auth_trade_code(auth, str_of(code.text), &token, &one_ended, &err), 0);
	return 0;
}

static int
end(void **state)
{
	(void)state;
	auth_free(auth);
	return remove_directory(directory);
}

static void
pass(int64_t ms)
{
	now.wall_ms += ms;
	now.boot_ms += ms;
}

static void
a_token_that_was_passed_on_ends_in_time_though_the_wall_clock_goes_back(void **state)
{
	struct auth_memo memo = { 0 };

	(void)state;
	assert_int_equal(token.expires_ms, now.wall_ms + GRANT_TOKEN_MS);
	assert_int_equal(auth_recall(auth, &memo, str_of(token.text)), SCOPE_READ);
	now.wall_ms -= 6 * HOUR;
	pass(GRANT_TOKEN_MS - 1);
	assert_int_equal(auth_recall(auth, &memo, str_of(token.text)), SCOPE_READ);
	assert_int_equal(expiry_in_ms(auth_next_expiry(auth)), 1);
	pass(1);
	assert_int_equal(auth_recall(auth, &memo, str_of(token.text)), 0);
	memo = (struct auth_memo){ 0 };
	assert_int_equal(auth_recall(auth, &memo, str_of(token.text)), 0);
	assert_true(expiry_in_ms(auth_next_expiry(auth)) == INT64_MAX);
}

static void
it_lasts_though_the_wall_clock_goes_on(void **state)
{
	struct auth_memo memo = { 0 };

	(void)state;
	now.wall_ms += 100 * HOUR;
	assert_int_equal(auth_recall(auth, &memo, str_of(token.text)), SCOPE_READ);
	assert_int_equal(expiry_in_ms(auth_next_expiry(auth)), GRANT_TOKEN_MS);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
		    a_token_that_was_passed_on_ends_in_time_though_the_wall_clock_goes_back, begin,
		    end),
		cmocka_unit_test_setup_teardown(it_lasts_though_the_wall_clock_goes_on, begin, end),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
