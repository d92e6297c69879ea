/*
 * mem_test.c - the arena, the buffer and the growing array.
 */
#include "schema/mem.h"

#include <setjmp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

static void
pieces_of_an_arena_do_not_overlap(void **state)
{
	struct arena arena = { 0 };
	struct {
		unsigned char *at;
		size_t size;
	} pieces[400];

	(void)state;
	srandom(1);
	for (size_t i = 0; i < 400; i++) {
		pieces[i].size = (size_t)random() % (i % 40 == 0 ? 9000 : 90);
		pieces[i].at = (unsigned char *)arena_bytes(&arena, pieces[i].size);
		memset(pieces[i].at, (int)(i % 251), pieces[i].size);
	}
	for (size_t i = 0; i < 400; i++)
		for (size_t j = 0; j < pieces[i].size; j++)
			assert_int_equal(pieces[i].at[j], i % 251);
	arena_clear(&arena);
	assert_null(arena.blocks);
}

static void
allocated_pieces_are_zeroed_and_aligned(void **state)
{
	struct arena arena = { 0 };

	(void)state;
	for (size_t size = 1; size < 3000; size += 7) {
		unsigned char *piece;

		memset(arena_bytes(&arena, 3), 0xff, 3);
		piece = arena_alloc(&arena, size);
		assert_int_equal((uintptr_t)piece % _Alignof(max_align_t), 0);
		for (size_t i = 0; i < size; i++)
			assert_int_equal(piece[i], 0);
		memset(piece, 0xff, size);
	}
	arena_clear(&arena);
}

static void
a_copy_ends_in_nul_and_null_stays_null(void **state)
{
	struct arena arena = { 0 };
	struct str copy = arena_dup(&arena, STR("abc"));

	(void)state;
	assert_int_equal(copy.len, 3);
	assert_string_equal(copy.s, "abc");
	assert_string_equal(arena_dup(&arena, STR("")).s, "");
	assert_null(arena_dup(&arena, STR_NULL).s);
	arena_clear(&arena);
}

static void
a_buffer_takes_everything_in_order(void **state)
{
	struct buf buf = { 0 };

	(void)state;
	buf_add(&buf, NULL, 0);
	assert_null(buf.data);
	buf_adds(&buf, "a");
	buf_addf(&buf, "%s-%d", "b", 7);
	buf_add(&buf, "\0c", 2);
	assert_int_equal(buf.len, 6);
	assert_memory_equal(buf.data, "ab-7\0c", 6);
	buf.len = 0;
	for (int i = 0; i < 1000; i++)
		buf_adds(&buf, "0123456789");
	assert_int_equal(buf.len, 10000);
	buf_clear(&buf);
	assert_null(buf.data);
}

static void
a_formatted_text_may_be_of_any_length(void **state)
{
	char text[400];

	(void)state;
	memset(text, 'x', sizeof(text));
	for (int len = 0; len < (int)sizeof(text); len++) {
		struct buf buf = { 0 };

		buf_adds(&buf, "<");
		buf_addf(&buf, "%.*s", len, text);
		buf_adds(&buf, ">");
		assert_int_equal(buf.len, len + 2);
		assert_memory_equal(buf.data + 1, text, (size_t)len);
		assert_int_equal(buf.data[len + 1], '>');
		buf_clear(&buf);
	}
}

static void
integers_are_written_with_all_digits(void **state)
{
	static const struct {
		long long n;
		const char *text;
	} cases[] = { { 0, "0" },
		      { -1, "-1" },
		      { 907, "907" },
		      { INT64_MAX, "9223372036854775807" },
		      { INT64_MIN, "-9223372036854775808" } };

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct buf buf = { 0 };

		buf_add_int(&buf, cases[i].n);
		buf_add(&buf, "", 1);
		assert_string_equal(buf.data, cases[i].text);
		buf_clear(&buf);
	}
}

static void
every_digit_is_in_its_place(void **state)
{
	struct buf buf = { 0 };
	char text[24];

	(void)state;
	for (long long n = 0; n < 100100; n += n < 1100 ? 1 : 97) {
		buf.len = 0;
		buf_add_int(&buf, n);
		buf_add(&buf, "", 1);
		snprintf(text, sizeof(text), "%lld", n);
		assert_string_equal(buf.data, text);
	}
	buf_clear(&buf);
}

static void
an_array_grows_by_half(void **state)
{
	size_t cap = 0;
	int *items = NULL;

	(void)state;
	for (int i = 0; i < 1000; i++) {
		size_t before = cap;

		items = mem_grow(items, &cap, (size_t)i + 1, sizeof(*items));
		assert_true(cap == before || cap >= before + before / 2);
		items[i] = i;
		assert_true(cap <= (size_t)i + 1 + (size_t)i / 2);
	}
	for (int i = 0; i < 1000; i++)
		assert_int_equal(items[i], i);
	free(items);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(pieces_of_an_arena_do_not_overlap),
		cmocka_unit_test(allocated_pieces_are_zeroed_and_aligned),
		cmocka_unit_test(a_copy_ends_in_nul_and_null_stays_null),
		cmocka_unit_test(a_buffer_takes_everything_in_order),
		cmocka_unit_test(a_formatted_text_may_be_of_any_length),
		cmocka_unit_test(integers_are_written_with_all_digits),
		cmocka_unit_test(every_digit_is_in_its_place),
		cmocka_unit_test(an_array_grows_by_half),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
