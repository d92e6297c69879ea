/*
 * options_test.c - options from four sources: the strongest wins, and an error names the option as
 * that source does.
 */
#include "server/options.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <unistd.h>

#include "server/log.h"

static char config_path[] = "options_test_XXXXXX";

static int
set_up(void **state)
{
	(void)state;
	clearenv();
	setenv("HOME", "/nowhere", 1);
	return 0;
}

/* Loads options from a command line in one string. */
static int
load(struct options *options, const char *line, struct error *err)
{
	static char copy[1024];
	char *argv[32] = { 0 }, *rest = NULL;
	int argc = 0, failed;

	snprintf(copy, sizeof(copy), "sevqd %s", line);
	for (char *word = strtok_r(copy, " ", &rest); word != NULL;
	     word = strtok_r(NULL, " ", &rest))
		argv[argc++] = word;
	*options = (struct options){ 0 };
	*err = (struct error){ 0 };
	failed = options_load(options, argc, argv, err);
	return failed;
}

static void
write_config(const char *text)
{
	FILE *file = fopen(config_path, "w");

	assert_non_null(file);
	fputs(text, file);
	fclose(file);
}

static void
without_a_source_options_have_their_defaults(void **state)
{
	struct options o;
	struct error err;

	(void)state;
	assert_int_equal(load(&o, "", &err), 0);
	assert_int_equal(o.listen.count, 1);
	assert_string_equal(o.listen.items[0], "127.0.0.1:7387");
	assert_string_equal(o.db, "/nowhere/.local/state/sevq/sevq.db");
	assert_null(o.policy);
	assert_null(o.token_file);
	assert_false(o.no_auth);
	assert_int_equal(o.max_pending, SESSION_PENDING_DEFAULT);
	assert_int_equal(o.overflow, OVERFLOW_REJECT);
	assert_int_equal(o.log_level, LOG_INFO);
	assert_int_equal(o.action, ACTION_SERVE);
	options_clear(&o);
	setenv("XDG_STATE_HOME", "/state", 1);
	assert_int_equal(load(&o, "", &err), 0);
	assert_string_equal(o.db, "/state/sevq/sevq.db");
	options_clear(&o);
}

static void
the_stronger_source_wins(void **state)
{
	char line[128];
	struct options o;
	struct error err;

	(void)state;
	write_config("{ maxPending: 5, maxSessions: 6, listen: ['127.0.0.1:1', '[::1]:2'], noAuth: "
		     "true, logLevel: 'warn' }");
	setenv("SEVQ_MAX_SESSIONS", "7", 1);
	setenv("SEVQ_LISTEN", "127.0.0.1:3,127.0.0.1:4,unix:x", 1);
	snprintf(line, sizeof(line), "--config %s", config_path);
	assert_int_equal(load(&o, line, &err), 0);
	assert_int_equal(o.max_pending, 5);
	assert_int_equal(o.max_sessions, 7);
	assert_int_equal(o.listen.count, 3);
	assert_string_equal(o.listen.items[2], "unix:x");
	assert_true(o.no_auth);
	assert_int_equal(o.log_level, LOG_WARN);
	options_clear(&o);

	snprintf(line, sizeof(line),
		 "--config=%s --listen 127.0.0.1:9 --max-sessions=8 --log-level debug",
		 config_path);
	assert_int_equal(load(&o, line, &err), 0);
	assert_int_equal(o.listen.count, 1);
	assert_string_equal(o.listen.items[0], "127.0.0.1:9");
	assert_int_equal(o.max_sessions, 8);
	assert_int_equal(o.log_level, LOG_DEBUG);
	options_clear(&o);
}

static void
compat_sets_only_options_that_no_source_sets(void **state)
{
	struct options o;
	struct error err;

	(void)state;
	assert_int_equal(load(&o, "--compat openclaw", &err), 0);
	assert_int_equal(o.max_pending, 20);
	assert_int_equal(o.overflow, OVERFLOW_DROP_OLDEST);
	options_clear(&o);
	assert_int_equal(load(&o, "--compat openclaw --max-pending 30 --overflow reject", &err), 0);
	assert_int_equal(o.max_pending, 30);
	assert_int_equal(o.overflow, OVERFLOW_REJECT);
	options_clear(&o);
}

static void
a_wrong_command_line_is_a_usage_error_that_names_the_flag(void **state)
{
	static const char *const lines[][2] = {
		{ "--colour", "--colour" },
		{ "--listen", "--listen" },
		{ "--listen nonsense", "--listen" },
		{ "--listen 127.0.0.1:65536", "--listen" },
		{ "--listen [::1:1", "--listen" },
		{ "--listen localhost:1", "--listen" },
		{ "--owner telegram", "--owner" },
		{ "--owner :1", "--owner" },
		{ "--max-pending many", "--max-pending" },
		{ "--max-pending 0", "--max-pending" },
		{ "--max-pending 99999999999999999999", "--max-pending" },
		{ "--overflow maybe", "--overflow" },
		{ "--no-auth=x", "--no-auth" },
		{ "extra", "extra" },
		{ "--db=", "--db" },
		{ "-x", "-x" },
	};
	struct options o;
	struct error err;

	(void)state;
	for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
		assert_int_equal(load(&o, lines[i][0], &err), -1);
		assert_int_equal(err.code, ERROR_USAGE);
		assert_non_null(strstr(err.detail, lines[i][1]));
		options_clear(&o);
	}
}

static void
a_wrong_config_file_is_a_config_error_that_names_the_key(void **state)
{
	static const char *const texts[][2] = {
		{ "{ colour: 1 }", "colour" },
		{ "{ MaxPending: 1 }", "MaxPending" },
		{ "{ 'max-pending': 1 }", "max-pending" },
		{ "{ maxPending: '5' }", "maxPending" },
		{ "{ maxPending: 1.5 }", "maxPending" },
		{ "{ maxPending: [1] }", "maxPending" },
		{ "{ noAuth: 1 }", "noAuth" },
		{ "{ db: null }", "db" },
		{ "{ listen: [1] }", "listen" },
		{ "{ listen: 'x' }", "listen" },
		{ "[]", "options_test" },
		{ "{", "options_test" },
	};
	char line[128];
	struct options o;
	struct error err;

	(void)state;
	snprintf(line, sizeof(line), "--config %s", config_path);
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		write_config(texts[i][0]);
		assert_int_equal(load(&o, line, &err), -1);
		assert_int_equal(err.code, ERROR_CONFIG);
		assert_non_null(strstr(err.detail, texts[i][1]));
		options_clear(&o);
	}
	assert_int_equal(err.line, 1);
}

static void
a_wrong_variable_is_a_config_error(void **state)
{
	struct options o;
	struct error err;

	(void)state;
	setenv("SEVQ_TOKEN", "of the command, not ours", 1);
	assert_int_equal(load(&o, "", &err), 0);
	options_clear(&o);
	setenv("SEVQ_MAX_PENDING", "x", 1);
	assert_int_equal(load(&o, "", &err), -1);
	assert_int_equal(err.code, ERROR_CONFIG);
	assert_non_null(strstr(err.detail, "SEVQ_MAX_PENDING"));
	options_clear(&o);
	unsetenv("SEVQ_MAX_PENDING");
	setenv("SEVQ_COLOUR", "x", 1);
	assert_int_equal(load(&o, "", &err), -1);
	assert_non_null(strstr(err.detail, "SEVQ_COLOUR"));
	options_clear(&o);
}

static void
listening_beyond_loopback_needs_tokens_and_tls_or_a_proxy(void **state)
{
	static const struct {
		const char *line;
		int failed;
	} rows[] = {
		{ "--listen 0.0.0.0:1", -1 },
		{ "--listen 0.0.0.0:1 --behind-proxy", 0 },
		{ "--listen 0.0.0.0:1 --behind-proxy --no-auth", -1 },
		{ "--listen 0.0.0.0:1 --tls-cert c --tls-key k", 0 },
		{ "--listen 0.0.0.0:1 --tls-cert c --tls-key k --no-auth", -1 },
		{ "--listen [::]:1", -1 },
		{ "--listen 192.168.0.1:1", -1 },
		{ "--listen 127.9.9.9:1 --listen [::1]:1 --listen unix:x --no-auth", 0 },
		{ "--listen 127.0.0.1:1 --listen 10.0.0.1:1 --no-auth", -1 },
	};
	struct options o;
	struct error err;

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		assert_int_equal(load(&o, rows[i].line, &err), rows[i].failed);
		options_clear(&o);
	}
}

static void
printed_options_can_be_loaded_again(void **state)
{
	struct buf first = { 0 }, second = { 0 };
	struct options o;
	struct error err;
	char line[128];

	(void)state;
	assert_int_equal(load(&o,
			      "--listen unix:a --listen [::1]:5 --max-pending 77 --overflow "
			      "drop-oldest --no-auth --db a\"b",
			      &err),
			 0);
	options_print(&o, &first);
	options_clear(&o);
	buf_add(&first, "", 1);
	write_config(first.data);
	snprintf(line, sizeof(line), "--config %s", config_path);
	assert_int_equal(load(&o, line, &err), 0);
	options_print(&o, &second);
	options_clear(&o);
	assert_int_equal(first.len - 1, second.len);
	assert_memory_equal(first.data, second.data, second.len);
	buf_clear(&first);
	buf_clear(&second);
}

static void
help_names_every_option_with_its_default(void **state)
{
	struct buf help = { 0 };

	(void)state;
	options_help(&help);
	buf_add(&help, "", 1);
	assert_non_null(strstr(help.data, "--max-pending N "));
	assert_non_null(strstr(help.data, "(10000)"));
	assert_non_null(strstr(help.data, "--overflow reject|drop-oldest"));
	assert_non_null(strstr(help.data, "Exit status"));
	buf_clear(&help);
}

#define TEST(name) cmocka_unit_test_setup(name, set_up)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(without_a_source_options_have_their_defaults),
		TEST(the_stronger_source_wins),
		TEST(compat_sets_only_options_that_no_source_sets),
		TEST(a_wrong_command_line_is_a_usage_error_that_names_the_flag),
		TEST(a_wrong_config_file_is_a_config_error_that_names_the_key),
		TEST(a_wrong_variable_is_a_config_error),
		TEST(listening_beyond_loopback_needs_tokens_and_tls_or_a_proxy),
		TEST(printed_options_can_be_loaded_again),
		TEST(help_names_every_option_with_its_default),
	};
	int fd = mkstemp(config_path), failed;

	close(fd);
	failed = cmocka_run_group_tests(tests, NULL, NULL);
	unlink(config_path);
	return failed;
}
