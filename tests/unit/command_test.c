/*
 * command_test.c - the command line and the tables of the sevq command.
 */
#include <locale.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>
#include <unistd.h>

#include "client/command/backoff.h"
#include "client/command/near.h"
#include "client/command/options.h"
#include "client/command/say.h"
#include "client/command/table.h"

#define COUNT(table) (sizeof(table) / sizeof((table)[0]))
#define ARGUMENTS_MAX 8

#define EVERY_OPTION UINT64_MAX

/* Parses words, up to a NULL, as arguments of a command. getopt's messages are suppressed. */
static int
read_words(const char *const words[ARGUMENTS_MAX], uint64_t set, struct sevq_options *options)
{
	static char *argv[ARGUMENTS_MAX + 2], texts[ARGUMENTS_MAX + 1][64];
	int argc = 0, saved = dup(STDERR_FILENO), result;

	snprintf(texts[argc], sizeof(texts[0]), "command");
	argv[argc] = texts[argc];
	for (argc = 1; argc <= ARGUMENTS_MAX && words[argc - 1] != NULL; argc++) {
		snprintf(texts[argc], sizeof(texts[0]), "%s", words[argc - 1]);
		argv[argc] = texts[argc];
	}
	argv[argc] = NULL;
	memset(options, 0, sizeof(*options));
	assert_non_null(freopen("/dev/null", "w", stderr));
	result = sevq_options_read(argc, argv, set, false, options);
	fflush(stderr);
	dup2(saved, STDERR_FILENO);
	close(saved);
	return result;
}

static void
options_and_arguments_may_be_mixed(void **state)
{
	const char *const words[ARGUMENTS_MAX] = { "key",    "--limit", "5",    "id",
						   "--json", "--",      "--yes" };
	struct sevq_options options;

	(void)state;
	assert_int_equal(read_words(words, EVERY_OPTION, &options), 0);
	assert_true(options.limit == 5 && options.json && !options.yes);
	assert_int_equal(options.argument_count, 3);
	assert_string_equal(options.arguments[0], "key");
	assert_string_equal(options.arguments[1], "id");
	assert_string_equal(options.arguments[2], "--yes");
}

static void
fields_of_the_delivery_context_are_merged(void **state)
{
	const char *const words[ARGUMENTS_MAX] = { "--delivery", "channel=telegram",
						   "--delivery=to=a,b=c", "--delivery",
						   "threadId=" };
	struct sevq_options options;

	(void)state;
	assert_int_equal(read_words(words, EVERY_OPTION, &options), 0);
	assert_string_equal(options.delivery.channel, "telegram");
	assert_string_equal(options.delivery.to, "a,b=c");
	assert_string_equal(options.delivery.thread_id, "");
	assert_null(options.delivery.account_id);
}

static void
durations_have_units(void **state)
{
	static const struct {
		const char *text;
		int64_t ms; /* 0: refused */
	} cases[] = { { "30", 30000 },  { "30s", 30000 },  { "1.5s", 1500 },   { "250ms", 250 },
		      { "5m", 300000 }, { "2h", 7200000 }, { "1d", 86400000 }, { "", 0 },
		      { "s", 0 },       { "0", 0 },        { "-1", 0 },        { "5x", 0 },
		      { "1d ", 0 },     { "1e300d", 0 },   { "nan", 0 },       { "inf", 0 } };
	struct sevq_options options;
	size_t i;

	(void)state;
	for (i = 0; i < COUNT(cases); i++) {
		const char *const words[ARGUMENTS_MAX] = { "--min-age", cases[i].text };

		assert_int_equal(read_words(words, EVERY_OPTION, &options),
				 cases[i].ms != 0 ? 0 : -1);
		if (cases[i].ms != 0)
			assert_true(options.min_age_ms == cases[i].ms);
	}
}

static void
invalid_arguments_are_refused(void **state)
{
	static const char *const cases[][ARGUMENTS_MAX] = { { "--nonsense" },
							    { "--limit" },
							    { "--limit", "0" },
							    { "--limit", "-3" },
							    { "--limit", "5x" },
							    { "--limit", "99999999999999999999" },
							    { "--wake", "later" },
							    { "--sort", "dept" },
							    { "--sort", "key|depth" },
							    { "--for", "61m" },
							    { "--delay", "366d" },
							    { "--since", "tomorrow" },
							    { "--since", "2027-02-31" },
							    { "--since", "2027-1-31" },
							    { "--since", "1969-12-31" },
							    { "--until",
							      "2027-01-31T12:00:00+01:00" },
							    { "--delivery", "from=x" },
							    { "--format", "json" },
							    { "--delay", "0" },
							    { "--for", "1w" },
							    { "--json=yes" },
							    { "-x" } };
	struct sevq_options options;
	size_t i;

	(void)state;
	for (i = 0; i < COUNT(cases); i++)
		assert_int_equal(read_words(cases[i], EVERY_OPTION, &options), -1);
}

static void
dates_are_in_utc(void **state)
{
	static const struct {
		const char *text;
		int64_t ms;
	} cases[] = {
		{ "2027-01-31", 1801353600000 },          { "2027-01-31T12:00:00Z", 1801396800000 },
		{ "2027-01-31T12:00:00", 1801396800000 }, { "2027-01-31T12:00", 1801396800000 },
		{ "2027-01-31T12:00Z", 1801396800000 },   { "2028-02-29", 1835395200000 }
	};
	struct sevq_options options;
	size_t i;

	(void)state;
	for (i = 0; i < COUNT(cases); i++) {
		const char *const words[ARGUMENTS_MAX] = { "--since", cases[i].text };

		assert_int_equal(read_words(words, EVERY_OPTION, &options), 0);
		assert_true(options.since_ms == cases[i].ms);
	}
}

static void
a_mistyped_word_has_a_nearest_name(void **state)
{
	static const char *const names[] = { "event", "drain", "dead-letters", "peek", "ack" };
	static const struct {
		const char *word, *nearest; /* NULL: none is near */
	} cases[] = { { "evnet", "event" },
		      { "vent", "event" },
		      { "drian", "drain" },
		      { "deadletters", "dead-letters" },
		      { "pek", "peek" },
		      { "akc", "ack" },
		      { "aack", "ack" },
		      { "x", NULL },
		      { "", NULL },
		      { "sessions", NULL },
		      { "eventeventeventeventeventeventevent", NULL } };
	size_t i, j;

	(void)state;
	for (i = 0; i < COUNT(cases); i++) {
		struct sevq_near near = { .word = cases[i].word };

		for (j = 0; j < COUNT(names); j++)
			sevq_near_offer(&near, names[j]);
		if (cases[i].nearest != NULL)
			assert_string_equal(near.best, cases[i].nearest);
		else
			assert_null(near.best);
	}
}

static void
an_option_of_another_command_is_refused(void **state)
{
	const char *const words[ARGUMENTS_MAX] = { "--limit", "5" };
	struct sevq_options options;

	(void)state;
	assert_int_equal(read_words(words, 0, &options), -1);
}

static void
every_option_is_in_the_set_of_all(void **state)
{
	const char *const words[ARGUMENTS_MAX] = { "--backoff-max", "2m", "--format",  "prompt",
						   "--for",         "1h", "--no-count" };
	struct sevq_options options;

	(void)state;
	assert_int_equal(read_words(words, EVERY_OPTION, &options), 0);
	assert_true(options.backoff_max_ms == 120000 && options.prompt &&
		    options.lease_ms == 3600000 && options.no_count);
}

static void
backoff_doubles_up_to_its_limit(void **state)
{
	(void)state;
	assert_int_equal(sevq_backoff_ms(1, 1000, 300000), 1000);
	assert_int_equal(sevq_backoff_ms(2, 1000, 300000), 2000);
	assert_int_equal(sevq_backoff_ms(9, 1000, 300000), 256000);
	assert_int_equal(sevq_backoff_ms(10, 1000, 300000), 300000);
	assert_int_equal(sevq_backoff_ms(4000000000u, 1000, 300000), 300000);
	assert_int_equal(sevq_backoff_ms(1, 5000, 300), 300);
	assert_true(sevq_backoff_ms(4000000000u, 1, INT64_C(100) * 365 * 86400000) ==
		    INT64_C(100) * 365 * 86400000);
}

static void
times_are_text_in_utc(void **state)
{
	char text[SEVQ_TIME_BYTES];

	(void)state;
	assert_string_equal(sevq_time_text(1700000000999, text), "2023-11-14T22:13:20Z");
}

static void
text_is_escaped_for_a_terminal(void **state)
{
	static const struct {
		const char *text, *escaped;
	} cases[] = {
		{ "", "" },
		{ "plain \xc3\xa9 \xe2\x82\xac \xf0\x9f\x98\x80",
		  "plain \xc3\xa9 \xe2\x82\xac \xf0\x9f\x98\x80" },
		{ "a\nb\rc\td", "a\\nb\\rc\\td" },
		{ "\x1b[31m", "\\u{1b}[31m" },
		{ "\x7f", "\\u{7f}" },
		{ "\xc2\x9b"
		  "31m",
		  "\\u{9b}31m" },
		{ "\xd8\x9c", "\\u{61c}" },
		{ "\xe2\x80\xae", "\\u{202e}" },
		{ "\xe2\x81\xa6", "\\u{2066}" },
		{ "\xe2\x80\xa8", "\\u{2028}" },
		{ "\xff\xc3", "\\x{ff}\\x{c3}" },
		{ "\xc0\x8a", "\\x{c0}\\x{8a}" },
		{ "\xed\xa0\x80", "\\x{ed}\\x{a0}\\x{80}" },
		{ "\xf4\x90\x80\x80", "\\x{f4}\\x{90}\\x{80}\\x{80}" },
	};
	size_t i;

	(void)state;
	for (i = 0; i < COUNT(cases); i++) {
		char *escaped = sevq_escaped(cases[i].text);

		assert_string_equal(escaped, cases[i].escaped);
		free(escaped);
	}
}

/* Compares what a table prints, with standard output in a file. */
static void
expect_printed(const struct sevq_table *table, const char *want)
{
	char got[512] = "";
	int saved, n;
	FILE *file = tmpfile();

	assert_non_null(file);
	fflush(stdout);
	saved = dup(STDOUT_FILENO);
	dup2(fileno(file), STDOUT_FILENO);
	sevq_table_print(table);
	fflush(stdout);
	dup2(saved, STDOUT_FILENO);
	close(saved);
	n = (int)pread(fileno(file), got, sizeof(got) - 1, 0);
	fclose(file);
	assert_true(n >= 0);
	assert_string_equal(got, want);
}

static void
columns_are_aligned_and_empty_ones_left_out(void **state)
{
	static const struct sevq_column columns[] = { { "ID", true },
						      { "CONTEXT", false },
						      { "TEXT", false } };
	struct sevq_table table;

	(void)state;
	sevq_table_init(&table, columns, COUNT(columns));
	sevq_table_add_number(&table, 7);
	sevq_table_add(&table, NULL);
	sevq_table_add(&table, "one\ntwo");
	sevq_table_add_number(&table, 1234);
	sevq_table_add(&table, "");
	sevq_table_add(&table, "x");
	sevq_table_add_number(&table, 2);
	sevq_table_add(&table, NULL);
	sevq_table_add(&table, NULL);
	expect_printed(&table, "  ID  TEXT\n   7  one\\ntwo\n1234  x\n   2\n");
	sevq_table_clear(&table);
}

static void
wide_characters_take_two_columns(void **state)
{
	static const struct sevq_column columns[] = { { "", false }, { "", false } };
	struct sevq_table table;

	(void)state;
	sevq_table_init(&table, columns, COUNT(columns));
	sevq_table_add(&table, "\xe6\xbc\xa2\xe6\xbc\xa2"); /* two of them */
	sevq_table_add(&table, "x");
	sevq_table_add(&table, "e\xcc\x81"); /* a combining accent takes none */
	sevq_table_add(&table, "y");
	expect_printed(&table, "\xe6\xbc\xa2\xe6\xbc\xa2  x\ne\xcc\x81     y\n");
	sevq_table_clear(&table);
}

static void
a_table_without_titles_has_no_heading(void **state)
{
	static const struct sevq_column columns[] = { { "", false }, { "", false } };
	struct sevq_table table;

	(void)state;
	sevq_table_init(&table, columns, COUNT(columns));
	expect_printed(&table, "");
	sevq_table_add(&table, "a");
	sevq_table_add(&table, "b");
	sevq_table_add(&table, "long");
	sevq_table_add(&table, "c");
	expect_printed(&table, "a     b\nlong  c\n");
	sevq_table_clear(&table);
}

static void
times_are_complete_without_a_terminal(void **state)
{
	static const struct sevq_column columns[] = { { "", false } };
	struct sevq_table table;

	(void)state;
	sevq_table_init(&table, columns, COUNT(columns));
	sevq_table_add_time(&table, 1700000000999);
	assert_string_equal(table.cells[0],
			    isatty(STDOUT_FILENO) ? table.cells[0] : "2023-11-14T22:13:20Z");
	sevq_table_add_time(&table, 0);
	assert_string_equal(table.cells[1], "");
	sevq_table_clear(&table);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(options_and_arguments_may_be_mixed),
		cmocka_unit_test(fields_of_the_delivery_context_are_merged),
		cmocka_unit_test(durations_have_units),
		cmocka_unit_test(invalid_arguments_are_refused),
		cmocka_unit_test(dates_are_in_utc),
		cmocka_unit_test(a_mistyped_word_has_a_nearest_name),
		cmocka_unit_test(an_option_of_another_command_is_refused),
		cmocka_unit_test(every_option_is_in_the_set_of_all),
		cmocka_unit_test(backoff_doubles_up_to_its_limit),
		cmocka_unit_test(times_are_text_in_utc),
		cmocka_unit_test(text_is_escaped_for_a_terminal),
		cmocka_unit_test(columns_are_aligned_and_empty_ones_left_out),
		cmocka_unit_test(wide_characters_take_two_columns),
		cmocka_unit_test(a_table_without_titles_has_no_heading),
		cmocka_unit_test(times_are_complete_without_a_terminal),
	};

	setlocale(LC_CTYPE, "C.UTF-8");
	return cmocka_run_group_tests(tests, NULL, NULL);
}
