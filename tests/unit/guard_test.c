/*
 * guard_test.c - which Host, Origin and Sec-Fetch-Site are ours.
 */
#include "server/http/guard.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static const struct sevq_options with_names = { .allow_host = { .items = { "sevq.example", "other.example:8443" }, .count = 2 } };

static enum sevq_code
check(const char *endpoint, const char *host, const char *origin, const char *site, bool changes)
{
	struct sevq_origin from = { sevq_str(host), sevq_str(origin), sevq_str(site) };
	struct sevq_endpoint parsed;
	struct sevq_error err = { 0 };

	assert_int_equal(sevq_endpoint_parse(endpoint, &parsed, NULL), 0);
	sevq_guard_check(&with_names, &parsed, &from, changes, &err);
	return err.code;
}

static void
our_names_with_our_port_are_ours(void **state)
{
	static const char *const ours[] = {
		"127.0.0.1:7", "localhost:7",  "[::1]:7",          "LOCALHOST",    "127.0.0.1",
		"[::1]",       "sevq.example", "sevq.example:443", "SEVQ.example", "other.example:8443"
	};
	static const char *const others[] = { "evil.example",
					      "evil.example:7",
					      "127.0.0.1:8",
					      "127.0.0.2:7",
					      "localhost.:7",
					      "localhost:",
					      "localhost:07x",
					      "localhost:700000",
					      "[::1:7",
					      "::1",
					      ":7",
					      "",
					      "other.example",
					      "other.example:1",
					      "localhost.evil.example:7" };

	(void)state;
	for (size_t i = 0; i < sizeof ours / sizeof ours[0]; i++)
		assert_int_equal(check("127.0.0.1:7", ours[i], NULL, NULL, true), SEVQ_OK);
	for (size_t i = 0; i < sizeof others / sizeof others[0]; i++)
		assert_int_equal(check("127.0.0.1:7", others[i], NULL, NULL, false), SEVQ_MISDIRECTED);
	assert_int_equal(check("192.168.0.9:7", "192.168.0.9:7", NULL, NULL, false), SEVQ_OK);
	assert_int_equal(check("0.0.0.0:7", "0.0.0.0:7", NULL, NULL, false), SEVQ_MISDIRECTED);
	assert_int_equal(check("unix:x", "localhost", NULL, NULL, false), SEVQ_OK);
	assert_int_equal(check("unix:x", "evil.example", NULL, NULL, false), SEVQ_MISDIRECTED);
	assert_int_equal(check("127.0.0.1:7", NULL, NULL, NULL, false), SEVQ_OK); /* HTTP/1.0 */
}

static void
a_change_must_not_come_from_another_site(void **state)
{
	static const struct {
		const char *origin, *site;
		enum sevq_code code;
	} rows[] = {
		{ NULL, NULL, SEVQ_OK },
		{ NULL, "same-origin", SEVQ_OK },
		{ NULL, "none", SEVQ_OK },
		{ NULL, "same-site", SEVQ_FORBIDDEN },
		{ NULL, "cross-site", SEVQ_FORBIDDEN },
		{ NULL, "", SEVQ_FORBIDDEN },
		{ "http://evil.example", "same-origin", SEVQ_OK }, /* the browser knows better than we do */
		{ "http://127.0.0.1:7", NULL, SEVQ_OK },
		{ "http://localhost:7", "cross-site", SEVQ_FORBIDDEN },
		{ "http://[::1]:7", NULL, SEVQ_OK },
		{ "http://localhost", NULL, SEVQ_FORBIDDEN },
		{ "https://localhost:7", NULL, SEVQ_FORBIDDEN },
		{ "https://sevq.example", NULL, SEVQ_OK },
		{ "http://evil.example", NULL, SEVQ_FORBIDDEN },
		{ "http://localhost:7/", NULL, SEVQ_FORBIDDEN },
		{ "null", NULL, SEVQ_FORBIDDEN },
		{ "", NULL, SEVQ_FORBIDDEN },
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		assert_int_equal(check("127.0.0.1:7", "localhost:7", rows[i].origin, rows[i].site, true), rows[i].code);
		assert_int_equal(check("127.0.0.1:7", "localhost:7", rows[i].origin, rows[i].site, false), SEVQ_OK);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(our_names_with_our_port_are_ours),
		cmocka_unit_test(a_change_must_not_come_from_another_site),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
