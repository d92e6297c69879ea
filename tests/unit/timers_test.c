/*
 * timers_test.c - the heap returns timers in order of time, after any mix of adding, popping and
 * compacting.
 */
#include "queue/catalog/timers.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

static struct timers timers;

static int
end(void **state)
{
	(void)state;
	timers_clear(&timers);
	assert_null(timers_first(&timers));
	return 0;
}

static void
add(int64_t at)
{
	timers_add(&timers, (struct due_timer){ at, at * 10, TIMER_EXPIRES });
}

static void
assert_next(int64_t at)
{
	const struct due_timer *first = timers_first(&timers);

	assert_non_null(first);
	assert_int_equal(first->at_boot_ms, at);
	assert_int_equal(first->id, at * 10);
	assert_int_equal(first->kind, TIMER_EXPIRES);
	timers_pop(&timers);
}

static void
timers_are_popped_in_order_of_time(void **state)
{
	(void)state;
	static const int64_t at[] = { 5, 3, 8, 1, 9, 2, 7, 3 },
			     ordered[] = { 1, 2, 3, 3, 5, 7, 8, 9 };
	for (size_t i = 0; i < 8; i++)
		add(at[i]);
	for (size_t i = 0; i < 8; i++)
		assert_next(ordered[i]);
	assert_null(timers_first(&timers));
}

static void
timers_of_one_time_are_popped_in_order_of_id(void **state)
{
	(void)state;
	for (int64_t i = 0; i < 100; i++)
		timers_add(&timers, (struct due_timer){ 5, i * 37 % 100, TIMER_AVAILABLE });
	for (int64_t id = 0; id < 100; id++) {
		assert_int_equal(timers_first(&timers)->id, id);
		timers_pop(&timers);
	}
}

static bool
is_odd(const struct due_timer *timer, void *arg)
{
	(void)arg;
	return timer->at_boot_ms % 2 == 1;
}

static void
compaction_keeps_needed_timers_in_order(void **state)
{
	(void)state;
	for (int64_t at = 100; at > 0; at--)
		add(at);
	timers_compact(&timers, is_odd, NULL);
	assert_int_equal(timers.count, 50);
	for (int64_t at = 1; at < 100; at += 2)
		assert_next(at);
}

static bool
is_first_of_ten(const struct due_timer *timer, void *arg)
{
	(void)arg;
	return timer->at_boot_ms % 10 == 1;
}

/* A compaction that removed nothing is not repeated until the heap has doubled. */
static void
a_useless_compaction_is_not_repeated_soon(void **state)
{
	(void)state;
	for (int64_t at = 1; at <= 1024; at++)
		add(at * 10 + 1);
	assert_false(timers_mostly_stale(&timers, 0));
	add(1);
	assert_true(timers_mostly_stale(&timers, 0));
	assert_false(timers_mostly_stale(&timers, 1));
	timers_compact(&timers, is_first_of_ten, NULL);
	assert_int_equal(timers.count, 1025);
	for (int64_t at = 1; at <= 1024; at++)
		add(at * 10 + 2);
	assert_false(timers_mostly_stale(&timers, 0));
	add(2);
	assert_true(timers_mostly_stale(&timers, 0));
	timers_compact(&timers, is_first_of_ten, NULL);
	assert_int_equal(timers.count, 1025);
}

static int
by_value(const void *a, const void *b)
{
	int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

	return (x > y) - (x < y);
}

static void
random_timers_agree_with_a_sorted_list(void **state)
{
	int64_t list[300];
	size_t count = 0;

	(void)state;
	srandom(5);
	for (int i = 0; i < 20000; i++) {
		if (count < 300 && random() % 5 < 3) {
			list[count++] = random() % 100;
			add(list[count - 1]);
		} else if (count > 0) {
			qsort(list, count, sizeof(*list), by_value);
			assert_next(list[0]);
			list[0] = list[--count];
		}
		assert_int_equal(timers.count, count);
	}
}

#define TEST(name) cmocka_unit_test_teardown(name, end)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(timers_are_popped_in_order_of_time),
		TEST(timers_of_one_time_are_popped_in_order_of_id),
		TEST(compaction_keeps_needed_timers_in_order),
		TEST(a_useless_compaction_is_not_repeated_soon),
		TEST(random_timers_agree_with_a_sorted_list),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
