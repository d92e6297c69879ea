/*
 * text_test.c - trim, lower, fold and validity (ROUTING section 1).
 */
#include "schema/text.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "schema/mem.h"

#define COUNT(table) (sizeof(table) / sizeof((table)[0]))

/* Compares, and shows both when they differ. */
#define ASSERT_TEXT(got, want)                                                                     \
	do {                                                                                       \
		struct str got_ = (got);                                                           \
		char *copy_ = strndup(got_.len > 0 ? got_.s : "", got_.len);                       \
		assert_string_equal(copy_, want);                                                  \
		free(copy_);                                                                       \
	} while (0)

static void
white_space_of_ecmascript_is_trimmed(void **state)
{
	static const char *const spaces[] = {
		"\t",     "\n",     "\v",     "\f",     "\r",     " ",      "\u00a0",
		"\u1680", "\u2000", "\u2001", "\u2002", "\u2003", "\u2004", "\u2005",
		"\u2006", "\u2007", "\u2008", "\u2009", "\u200a", "\u2028", "\u2029",
		"\u202f", "\u205f", "\u3000", "\ufeff",
	};
	static const char *const others[] = { "\xc2\x85", "\u200b", "\u180e", "\u200c",   "\u2060",
					      "\x1f",     "\x7f",   "\u1681", " \xc2\x85" };
	char text[64];

	(void)state;
	for (size_t i = 0; i < COUNT(spaces); i++) {
		snprintf(text, sizeof(text), "%s%s a%sb %s", spaces[i], spaces[i], spaces[i],
			 spaces[i]);
		struct str trimmed = text_trim(str_of(text));

		assert_int_equal(trimmed.len, 2 + strlen(spaces[i]));
		assert_int_equal(trimmed.s[0], 'a');
		assert_int_equal(text_trim(str_of(spaces[i])).len, 0);
	}
	for (size_t i = 0; i < COUNT(others); i++)
		assert_true(text_trim(str_of(others[i])).len > 0);
	assert_int_equal(text_trim(STR_NULL).len, 0);
}

static const struct {
	const char *text, *lower;
} lowered[] = {
	{ "", "" },
	{ "abc-1", "abc-1" },
	{ "AbC@[`{", "abc@[`{" },
	{ "\u0130", "i\u0307" },        /* SpecialCasing: one becomes two */
	{ "\u212a", "k" },              /* KELVIN SIGN */
	{ "\U00010400", "\U00010428" }, /* Deseret, outside the BMP */
	{ "\u1e9e\u00df", "\u00df\u00df" },
	{ "\u0418\u0412\u0410\u041d", "\u0438\u0432\u0430\u043d" },
	{ "E\u0301", "e\u0301" }, /* not composed */
	{ "\u00e9", "\u00e9" },
	{ "I", "i" },                                               /* no locale */
	{ "\u039f\u0394\u039f\u03a3", "\u03bf\u03b4\u03bf\u03c2" }, /* final sigma at the end */
	{ "\u03a3\u0391", "\u03c3\u03b1" },
	{ "\u0391\u03a3 \u0391", "\u03b1\u03c2 \u03b1" },
	{ "\u03a3", "\u03c3" },       /* nothing before it */
	{ "a\u03a3:b", "a\u03c3:b" }, /* a colon is skipped */
	{ "a\u03a3:", "a\u03c2:" },
	{ "a\u03a3'b", "a\u03c3'b" }, /* an apostrophe is skipped too */
	{ "a\u03a3_b", "a\u03c2_b" }, /* a low line is not */
	{ "a'\u03a3", "a'\u03c2" },
	{ "a\u03a3\u0345", "a\u03c2\u0345" }, /* nor is what is cased and ignorable */
	{ "\u0345\u03a3", "\u0345\u03c3" },
	{ "a_\u03a3", "a_\u03c3" },
	{ "_a\u03a3", "_a\u03c2" },
	{ "a\u03a3_", "a\u03c2_" },
	{ "AZ", "az" },
	{ "a\u03a3\u03a3", "a\u03c3\u03c2" },
};

static void
lower_casing_is_that_of_unicode(void **state)
{
	struct arena arena = { 0 };

	(void)state;
	for (size_t i = 0; i < COUNT(lowered); i++)
		ASSERT_TEXT(text_lower(&arena, str_of(lowered[i].text)), lowered[i].lower);
	for (size_t i = 0; i < COUNT(lowered); i++)
		ASSERT_TEXT(text_lower(&arena, str_of(lowered[i].lower)), lowered[i].lower);
	arena_clear(&arena);
}

static void
a_lower_case_text_is_not_copied(void **state)
{
	struct arena arena = { 0 };
	struct str text = STR("agent:main:main");

	(void)state;
	assert_ptr_equal(text_lower(&arena, text).s, text.s);
	assert_null(arena.blocks);
}

static void
lower_casing_may_grow_a_text_by_any_factor(void **state)
{
	struct arena arena = { 0 };
	struct str lower;
	char text[4001];

	(void)state;
	for (size_t i = 0; i < 2000; i++)
		memcpy(text + 2 * i, "\u0130", 2);
	lower = text_lower(&arena, (struct str){ text, 4000 });
	assert_int_equal(lower.len, 6000);
	for (size_t i = 0; i < 2000; i++)
		assert_memory_equal(lower.s + 3 * i, "i\u0307", 3);
	arena_clear(&arena);
}

static void
folding_trims_then_lowers(void **state)
{
	struct arena arena = { 0 };

	(void)state;
	ASSERT_TEXT(text_fold(&arena, STR("\u3000 AbC\ufeff")), "abc");
	ASSERT_TEXT(text_fold(&arena, STR("  ")), "");
	assert_non_null(text_fold(&arena, STR_NULL).s);
	assert_int_equal(text_fold(&arena, STR_NULL).len, 0);
	arena_clear(&arena);
}

static void
only_well_formed_utf8_without_nul_is_valid(void **state)
{
	static const char *const good[] = {
		"",     "a",     "abcdefgh\u00e9", "\u07ff\u0800\uffff\U00010000\U0010ffff",
		"\x7f", "\ufffe"
	};
	static const char *const bad[] = { "\x80",
					   "abcdefgh\xc3",
					   "\xc0\xaf",
					   "\xe0\x80\xaf",
					   "\xed\xa0\x80",
					   "\xf4\x90\x80\x80",
					   "\xf8\x88\x80\x80\x80",
					   "abcdefghijkl\xff" };

	(void)state;
	for (size_t i = 0; i < COUNT(good); i++)
		assert_true(text_is_utf8(good[i], strlen(good[i])));
	for (size_t i = 0; i < COUNT(bad); i++)
		assert_false(text_is_utf8(bad[i], strlen(bad[i])));
	assert_false(text_is_utf8("a\0b", 3));
	assert_false(text_is_utf8("abcdefgh\0abcdefg", 16));
	assert_true(text_is_utf8(NULL, 0));
}

static void
comparison_is_by_bytes(void **state)
{
	(void)state;
	assert_true(str_cmp(STR("a"), STR("b")) < 0);
	assert_true(str_cmp(STR("a"), STR("aa")) < 0);
	assert_true(str_cmp(STR("b"), STR("aa")) > 0);
	assert_true(str_cmp(STR("\u00e9"), STR("z")) > 0);
	assert_true(str_cmp(STR(""), STR_NULL) == 0);
	assert_true(str_eq(STR(""), STR_NULL));
	assert_false(str_starts(STR("a"), STR("aa")));
}

/* The hash is stored beside every event, so it must never change. */
static void
the_text_hash_is_the_start_of_sha256(void **state)
{
	const unsigned char abc[8] = { 0xba, 0x78, 0x16, 0xbf, 0x8f, 0x01, 0xcf, 0xea };
	const unsigned char empty[8] = { 0xe3, 0xb0, 0xc4, 0x42, 0x98, 0xfc, 0x1c, 0x14 };
	uint64_t hash = text_hash(STR("abc"));

	(void)state;
	assert_memory_equal(&hash, abc, sizeof(hash));
	hash = text_hash(STR_NULL);
	assert_memory_equal(&hash, empty, sizeof(hash));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(white_space_of_ecmascript_is_trimmed),
		cmocka_unit_test(lower_casing_is_that_of_unicode),
		cmocka_unit_test(a_lower_case_text_is_not_copied),
		cmocka_unit_test(lower_casing_may_grow_a_text_by_any_factor),
		cmocka_unit_test(folding_trims_then_lowers),
		cmocka_unit_test(only_well_formed_utf8_without_nul_is_valid),
		cmocka_unit_test(comparison_is_by_bytes),
		cmocka_unit_test(the_text_hash_is_the_start_of_sha256),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
