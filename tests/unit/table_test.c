/*
 * table_test.c - the hash table against a plain array of what should be in it, with hashes that
 * collide on purpose.
 */
#include "queue/catalog/table.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#define ITEMS 6000
#define LARGE (TABLE_WHOLE_SLOTS_MAX * 3 / 4) /* items, above which there are parts */

struct item {
	struct keyed_hash hash;
	int name;
	bool in;
};

static bool
same_name(const void *item, const void *key)
{
	return ((const struct item *)item)->name == *(const int *)key;
}

static void *
find(const struct table *table, const struct item *item)
{
	return table_find(table, item->hash, same_name, &item->name);
}

/* The table holds every expected item once, and nothing else. */
static void
assert_holds(const struct table *table, struct item *items, size_t count)
{
	size_t in = 0, seen = 0;

	for (size_t i = 0; i < count; i++) {
		assert_ptr_equal(find(table, &items[i]), items[i].in ? &items[i] : NULL);
		in += items[i].in;
	}
	for (size_t at = 0; table_each(table, &at) != NULL;)
		seen++;
	assert_int_equal(table->count, in);
	assert_int_equal(seen, in);
	assert_true(table->count * 4 <= table->slots * 3);
}

static uint64_t
random_hash(unsigned bits)
{
	uint64_t hash = (uint64_t)random() << 33 ^ (uint64_t)random() << 16;

	return bits > 0 ? hash >> (64 - bits) << (64 - bits) : 0;
}

static void
flip(struct table *table, struct item *item)
{
	if (item->in)
		table_remove(table, item->hash, item);
	else
		table_add(table, item->hash, item);
	item->in = !item->in;
}

/*
 * bits: how many of the high bits of a hash differ. Few bits make long runs of slots, and a removal
 * must close the run without losing an item.
 */
static void
flip_at_random(unsigned bits, size_t count)
{
	struct table table = { 0 };
	static struct item items[ITEMS];

	srandom(bits);
	for (size_t i = 0; i < count; i++)
		items[i] = (struct item){ .hash = { random_hash(bits) }, .name = (int)i };
	for (int round = 0; round < 3000; round++) {
		flip(&table, &items[(size_t)random() % count]);
		if (round % 7 == 0)
			assert_holds(&table, items, count);
	}
	for (size_t i = 0; i < count; i++)
		if (items[i].in)
			flip(&table, &items[i]);
	assert_holds(&table, items, count);
	table_clear(&table);
}

static void
random_changes_agree_with_a_model(void **state)
{
	(void)state;
	flip_at_random(64, 600);
	flip_at_random(3, 40);
	flip_at_random(5, 100);
	flip_at_random(0, 20);
}

/* With home slots 14 and 15 of 16 the run wraps around the end; closing a hole must follow it. */
static void
removal_closes_a_run_that_wraps_around(void **state)
{
	(void)state;
	static const uint64_t homes[] = { 14, 15, 14, 15, 0, 1, 14 };
	for (size_t gone = 0; gone < 7; gone++) {
		struct table table = { 0 };
		struct item items[7];

		for (size_t i = 0; i < 7; i++) {
			items[i] = (struct item){ .hash = { homes[i] << 60 }, .name = (int)i };
			flip(&table, &items[i]);
		}
		assert_int_equal(table.slots, 16);
		flip(&table, &items[gone]);
		assert_holds(&table, items, 7);
		table_clear(&table);
	}
}

/* --- scans --- */

static void
count_visit(void *arg, void *item)
{
	int *visits = arg;

	visits[((struct item *)item)->name]++;
}

/*
 * Scans a table that changes between the slices, and grows and shrinks by that. Items that stay are
 * visited once; those that come or go at most once. stay: how many of the items stay, at most half.
 */
static void
scan_while_it_changes(unsigned bits, size_t count, size_t stay, size_t slots)
{
	struct table table = { 0 };
	static struct item items[ITEMS];
	struct table_scan scan = { 0 };
	int visits[ITEMS] = { 0 };
	bool changed[ITEMS] = { false };

	for (size_t i = 0; i < count; i++)
		items[i] = (struct item){ .hash = { random_hash(bits) }, .name = (int)i };
	for (size_t i = 0; i < count / 2; i++)
		flip(&table, &items[i]);
	for (int slice = 0; !scan.over; slice++) {
		bool fills = slice / 4 % 2 == 0;

		table_scan(&table, &scan, slots, count_visit, visits);
		for (size_t i = stay; i < count; i++) {
			if (items[i].in == fills || random() % 2 == 0)
				continue;
			flip(&table, &items[i]);
			changed[i] = true;
		}
	}
	for (size_t i = 0; i < count; i++) {
		assert_in_range(visits[i], changed[i] || i >= count / 2 ? 0 : 1,
				changed[i] || i < count / 2 ? 1 : 0);
		if (items[i].in)
			flip(&table, &items[i]);
	}
	table_clear(&table);
}

static void
a_scan_visits_each_item_once(void **state)
{
	(void)state;
	for (unsigned seed = 0; seed < 200; seed++) {
		srandom(seed);
		scan_while_it_changes(64, 600, 150, 1 + seed % 40);
		scan_while_it_changes(64, 20, 5, 1 + seed % 5);
		scan_while_it_changes(4, 60, 15, 1 + seed % 7);
		scan_while_it_changes(64, 2, 0, SIZE_MAX);
		scan_while_it_changes(64, 0, 0, 1);
	}
}

/* It is divided and united again between slices. */
static void
a_scan_of_a_large_table_visits_each_item_once(void **state)
{
	(void)state;
	for (unsigned seed = 0; seed < 20; seed++) {
		srandom(seed);
		scan_while_it_changes(64, ITEMS, 250, 200 + seed * 20);
		scan_while_it_changes(9, ITEMS, ITEMS / 2, 700 + seed);
		scan_while_it_changes(64, ITEMS, ITEMS / 2, SIZE_MAX);
	}
}

static void
a_large_table_has_parts_until_it_is_small(void **state)
{
	(void)state;
	struct table table = { 0 };
	static struct item items[ITEMS];

	for (size_t i = 0; i < ITEMS; i++) {
		items[i] = (struct item){ .hash = { random_hash(64) }, .name = (int)i };
		flip(&table, &items[i]);
		assert_int_equal(table.parts != NULL, i + 1 > LARGE);
	}
	assert_holds(&table, items, ITEMS);
	for (size_t i = 0; i < ITEMS; i++)
		flip(&table, &items[i]);
	assert_null(table.parts);
	assert_holds(&table, items, ITEMS);
	table_clear(&table);
}

/* Nothing else happens while it grows. */
static void
a_table_grows_by_little_at_a_time(void **state)
{
	enum { MANY = 1000000 };
	(void)state;
	struct table table = { 0 };
	static struct item items[MANY];

	for (size_t i = 0; i < MANY; i++) {
		size_t slots = table.slots;

		items[i] = (struct item){ .hash = { random_hash(64) }, .name = (int)i };
		flip(&table, &items[i]);
		assert_in_range(table.slots - slots, 0,
				TABLE_WHOLE_SLOTS_MAX + table.slots / TABLE_PARTS * 2);
	}
	for (size_t i = 0; i < MANY; i += 1000)
		assert_ptr_equal(find(&table, &items[i]), &items[i]);
	assert_int_equal(table.count, MANY);
	table_clear(&table);
}

static void
an_empty_table_finds_nothing(void **state)
{
	(void)state;
	struct table table = { 0 };
	struct item item = { 0 };
	size_t at = 0;
	assert_null(find(&table, &item));
	assert_null(table_each(&table, &at));
	assert_int_equal(table_bytes(&table), 0);
	table_clear(&table);
}

static void
memory_is_freed_when_most_items_are_removed(void **state)
{
	(void)state;
	struct table table = { 0 };
	static struct item items[LARGE];
	for (size_t i = 0; i < LARGE; i++) {
		items[i] = (struct item){ .hash = { i * 0x9E3779B97F4A7C15u }, .name = (int)i };
		flip(&table, &items[i]);
	}
	size_t full = table_bytes(&table);
	for (size_t i = 0; i < LARGE - 1; i++)
		flip(&table, &items[i]);
	assert_true(table_bytes(&table) * 16 < full);
	assert_holds(&table, items, LARGE);
	table_clear(&table);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(random_changes_agree_with_a_model),
		cmocka_unit_test(removal_closes_a_run_that_wraps_around),
		cmocka_unit_test(a_scan_visits_each_item_once),
		cmocka_unit_test(a_scan_of_a_large_table_visits_each_item_once),
		cmocka_unit_test(a_large_table_has_parts_until_it_is_small),
		cmocka_unit_test(a_table_grows_by_little_at_a_time),
		cmocka_unit_test(an_empty_table_finds_nothing),
		cmocka_unit_test(memory_is_freed_when_most_items_are_removed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
