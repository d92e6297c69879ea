/*
 * grants_test.c - codes work once and for a minute, tokens for twelve hours, both in bounded
 * memory.
 */
#include "server/http/grants.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#define NOW INT64_C(1000)

static struct grants grants;
static struct grant taken;
static int64_t wait_ms;

static int
empty(void **state)
{
	(void)state;
	grants = (struct grants){ 0 };
	return 0;
}

/* A grant whose digest says its number. */
static struct grant
numbered(int number)
{
	struct grant grant = { .scopes = SCOPE_READ };

	memcpy(grant.digest, &number, sizeof(number));
	memset(grant.from, 7, sizeof(grant.from));
	return grant;
}

static int
add_code(int number, int64_t now_ms)
{
	struct grant code = numbered(number);
	struct error err;

	return grants_add_code(&grants, &code, now_ms, &wait_ms, &err);
}

static bool
take_code(int number, int64_t now_ms)
{
	struct grant code = numbered(number);

	return grants_take_code(&grants, code.digest, now_ms, &taken);
}

static bool
add_token(int number, int64_t now_ms)
{
	struct grant token = numbered(number);

	return grants_add_token(&grants, &token, now_ms);
}

static bool
is_good(int number, int64_t now_ms)
{
	struct grant token = numbered(number);

	return grants_find(&grants, token.digest, now_ms) != NULL;
}

static void
a_code_works_once(void **state)
{
	const struct grant wanted = numbered(1);

	(void)state;
	assert_int_equal(add_code(1, NOW), 0);
	assert_false(take_code(2, NOW));
	assert_true(take_code(1, NOW));
	assert_memory_equal(taken.from, wanted.from, sizeof(taken.from));
	assert_int_equal(taken.scopes, SCOPE_READ);
	assert_false(take_code(1, NOW));
}

static void
a_code_works_for_a_minute(void **state)
{
	(void)state;
	assert_int_equal(add_code(1, NOW), 0);
	assert_int_equal(add_code(2, NOW), 0);
	assert_true(take_code(1, NOW + GRANT_CODE_MS - 1));
	assert_false(take_code(2, NOW + GRANT_CODE_MS));
}

static void
so_many_codes_wait_and_no_more(void **state)
{
	(void)state;
	for (int i = 0; i < GRANT_CODES_MAX; i++)
		assert_int_equal(add_code(i + 1, NOW + i), 0);
	assert_int_equal(add_code(1000, NOW + 100), -1);
	assert_int_equal(wait_ms, GRANT_CODE_MS - 100);
	assert_int_equal(grants_count(grants.codes, GRANT_CODES_MAX, NOW + 100), GRANT_CODES_MAX);
	assert_true(take_code(5, NOW + 100));
	assert_int_equal(add_code(1000, NOW + 100), 0);
	assert_int_equal(add_code(1001, NOW + GRANT_CODE_MS), 0);
	assert_true(take_code(1000, NOW + 100));
}

static void
a_token_is_good_for_twelve_hours(void **state)
{
	(void)state;
	assert_false(add_token(1, NOW));
	assert_false(is_good(2, NOW));
	assert_true(is_good(1, NOW + GRANT_TOKEN_MS - 1));
	assert_false(is_good(1, NOW + GRANT_TOKEN_MS));
	assert_int_equal(grants_count(grants.tokens, GRANT_TOKENS_MAX, NOW + GRANT_TOKEN_MS), 0);
}

static void
one_token_too_many_ends_the_oldest(void **state)
{
	(void)state;
	for (int i = 0; i < GRANT_TOKENS_MAX; i++)
		assert_false(add_token(i + 1, NOW + i));
	assert_true(add_token(1000, NOW + 100));
	assert_false(is_good(1, NOW + 100));
	assert_true(is_good(2, NOW + 100));
	assert_true(is_good(1000, NOW + 100));
	assert_false(add_token(1001, NOW + 1 + GRANT_TOKEN_MS));
}

static void
nothing_is_found_in_free_places(void **state)
{
	(void)state;
	assert_false(take_code(0, 0));
	assert_false(is_good(0, 0));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(a_code_works_once, empty),
		cmocka_unit_test_setup(a_code_works_for_a_minute, empty),
		cmocka_unit_test_setup(so_many_codes_wait_and_no_more, empty),
		cmocka_unit_test_setup(a_token_is_good_for_twelve_hours, empty),
		cmocka_unit_test_setup(one_token_too_many_ends_the_oldest, empty),
		cmocka_unit_test_setup(nothing_is_found_in_free_places, empty),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
