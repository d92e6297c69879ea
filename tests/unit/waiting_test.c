/*
 * waiting_test.c - parked ops: taken by key in the order they came, or one by one from any
 * position.
 */
#include "queue/waiting.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

static struct waiting waiting;
static struct op ops[6];
static const struct str a = STR_INIT("a"), b = STR_INIT("b");

static int
begin(void **state)
{
	(void)state;
	memset(ops, 0, sizeof(ops));
	for (size_t i = 0; i < 6; i++) { /* 0 2 4 at a, 1 3 5 at b */
		ops[i].queue_key = i % 2 == 0 ? a : b;
		waiting_add(&waiting, &ops[i]);
	}
	return 0;
}

static int
end(void **state)
{
	(void)state;
	waiting_clear(&waiting);
	assert_int_equal(waiting.count, 0);
	assert_null(waiting_take(&waiting, STR_NULL));
	return 0;
}

/* Takes all ops parked at a: exactly these, in this order; -1 ends the list. */
static void
assert_taken(const int *which)
{
	for (; *which >= 0; which++) {
		struct op *op = waiting_take(&waiting, a);

		assert_ptr_equal(op, &ops[*which]);
		assert_false(op->parked);
	}
	assert_null(waiting_take(&waiting, a));
	assert_int_equal(waiting_count(&waiting, a), 0);
}

static void
ops_of_a_key_are_taken_in_order(void **state)
{
	(void)state;
	assert_int_equal(waiting_count(&waiting, a), 3);
	assert_true(ops[0].parked);
	assert_taken((int[]){ 0, 2, 4, -1 });
	assert_int_equal(waiting_count(&waiting, b), 3);
	assert_int_equal(waiting.count, 3);
}

static void
one_op_can_be_taken_from_any_position(void **state)
{
	static const int left[3][3] = { { 2, 4, -1 }, { 0, 4, -1 }, { 0, 2, -1 } };

	for (size_t i = 0; i < 3; i++) {
		waiting_remove(&waiting, &ops[2 * i]);
		assert_int_equal(waiting_count(&waiting, a), 2);
		assert_taken(left[i]);
		end(state), begin(state);
	}
}

static void
without_a_key_all_ops_are_taken(void **state)
{
	(void)state;
	size_t taken = 0;
	while (waiting_take(&waiting, STR_NULL) != NULL)
		taken++;
	assert_int_equal(taken, 6);
	assert_int_equal(waiting.by_key.count, 0);
}

static void
the_key_is_copied(void **state)
{
	(void)state;
	char key[] = "c";
	struct op op = { .queue_key = { key, 1 } };
	waiting_add(&waiting, &op);
	key[0] = 'd';
	assert_ptr_equal(waiting_take(&waiting, STR("d")), NULL);
	op.queue_key = STR("c");
	assert_ptr_equal(waiting_take(&waiting, STR("c")), &op);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(ops_of_a_key_are_taken_in_order),
		TEST(one_op_can_be_taken_from_any_position),
		TEST(without_a_key_all_ops_are_taken),
		TEST(the_key_is_copied),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
