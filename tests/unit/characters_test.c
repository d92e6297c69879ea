/*
 * characters_test.c - the table of unseen characters against all of Unicode.
 */
#include "schema/characters.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>
#include <unictype.h>

/* Signs before a number, which are seen although they are format characters. */
static bool
is_sign_before_number(uint32_t c)
{
	return (c >= 0x600 && c <= 0x605) || c == 0x6dd || c == 0x70f || c == 0x890 || c == 0x891 ||
	       c == 0x8e2 || c == 0x110bd || c == 0x110cd;
}

static bool
is_variation_selector(uint32_t c)
{
	return c >= 0xfe00 && c <= 0xfe0f;
}

static bool
is_unseen_in_unicode(uint32_t c)
{
	return uc_is_general_category(c, UC_CONTROL) || uc_is_general_category(c, UC_FORMAT) ||
	       uc_is_general_category(c, UC_LINE_SEPARATOR) ||
	       uc_is_general_category(c, UC_PARAGRAPH_SEPARATOR) ||
	       uc_is_property_default_ignorable_code_point(c);
}

/* What this Unicode does not know yet may be in the table: later ones have assigned it. */
static void
the_table_is_what_unicode_says(void **state)
{
	(void)state;
	for (uint32_t c = 0; c <= 0x10ffff; c++) {
		bool expected = is_unseen_in_unicode(c) && !is_sign_before_number(c) &&
				!is_variation_selector(c);

		if (character_is_unseen(c) != expected && !uc_is_general_category(c, UC_UNASSIGNED))
			fail_msg("U+%04X is %s", c, expected ? "unseen" : "seen");
		if (expected && !character_is_unseen(c))
			fail_msg("U+%04X is unseen", c);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_table_is_what_unicode_says),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
