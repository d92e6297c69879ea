/* guard_test.c - the values of Host, Origin and Sec-Fetch-Site that are accepted. */
#include "server/http/guard.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static const char *const names[] = { "sevq.example", "other.example:8443" };
static const struct guard with_names = { names, 2 };

static enum error_code
check_by(bool tls, const char *endpoint, const char *host, const char *origin, const char *site,
	 bool changes)
{
	struct origin from = { str_of(host), str_of(origin), str_of(site) };
	struct endpoint parsed;
	struct error err = { 0 };

	assert_int_equal(endpoint_parse(endpoint, &parsed, NULL), 0);
	parsed.tls = tls;
	guard_check(&with_names, &parsed, &from, changes, &err);
	return err.code;
}

static enum error_code
check(const char *endpoint, const char *host, const char *origin, const char *site, bool changes)
{
	return check_by(false, endpoint, host, origin, site, changes);
}

static void
our_names_with_our_port_are_accepted(void **state)
{
	static const char *const ours[] = { "127.0.0.1:7",       "localhost:7",      "[::1]:7",
					    "LOCALHOST",         "127.0.0.1",        "[::1]",
					    "sevq.example",      "sevq.example:443", "SEVQ.example",
					    "other.example:8443" };
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
	for (size_t i = 0; i < sizeof(ours) / sizeof(ours[0]); i++)
		assert_int_equal(check("127.0.0.1:7", ours[i], NULL, NULL, true), ERROR_NONE);
	for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++)
		assert_int_equal(check("127.0.0.1:7", others[i], NULL, NULL, false),
				 ERROR_MISDIRECTED);
	assert_int_equal(check("192.168.0.9:7", "192.168.0.9:7", NULL, NULL, false), ERROR_NONE);
	assert_int_equal(check("0.0.0.0:7", "0.0.0.0:7", NULL, NULL, false), ERROR_MISDIRECTED);
	assert_int_equal(check("unix:x", "localhost", NULL, NULL, false), ERROR_NONE);
	assert_int_equal(check("unix:x", "evil.example", NULL, NULL, false), ERROR_MISDIRECTED);
	assert_int_equal(check("127.0.0.1:7", NULL, NULL, NULL, false), ERROR_NONE); /* HTTP/1.0 */
}

static void
a_change_from_another_site_is_refused(void **state)
{
	static const struct {
		const char *origin, *site;
		enum error_code code;
	} rows[] = {
		{ NULL, NULL, ERROR_NONE },
		{ NULL, "same-origin", ERROR_NONE },
		{ NULL, "none", ERROR_NONE },
		{ NULL, "same-site", ERROR_FORBIDDEN },
		{ NULL, "cross-site", ERROR_FORBIDDEN },
		{ NULL, "", ERROR_FORBIDDEN },
		/* Sec-Fetch-Site overrules Origin */
		{ "http://evil.example", "same-origin", ERROR_NONE },
		{ "http://127.0.0.1:7", NULL, ERROR_NONE },
		{ "http://localhost:7", "cross-site", ERROR_FORBIDDEN },
		{ "http://[::1]:7", NULL, ERROR_NONE },
		{ "http://localhost", NULL, ERROR_FORBIDDEN },
		{ "https://localhost:7", NULL, ERROR_FORBIDDEN },
		{ "https://sevq.example", NULL, ERROR_NONE },
		{ "http://evil.example", NULL, ERROR_FORBIDDEN },
		{ "http://localhost:7/", NULL, ERROR_FORBIDDEN },
		{ "null", NULL, ERROR_FORBIDDEN },
		{ "", NULL, ERROR_FORBIDDEN },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		assert_int_equal(
		    check("127.0.0.1:7", "localhost:7", rows[i].origin, rows[i].site, true),
		    rows[i].code);
		assert_int_equal(
		    check("127.0.0.1:7", "localhost:7", rows[i].origin, rows[i].site, false),
		    ERROR_NONE);
	}
}

static void
by_tls_pages_of_ours_begin_with_https(void **state)
{
	static const struct {
		const char *endpoint, *origin;
		enum error_code code;
	} rows[] = {
		{ "127.0.0.1:7", "https://localhost:7", ERROR_NONE },
		{ "127.0.0.1:7", "https://localhost", ERROR_FORBIDDEN },
		{ "127.0.0.1:7", "http://localhost:7", ERROR_FORBIDDEN },
		{ "127.0.0.1:443", "https://localhost", ERROR_NONE },
		{ "127.0.0.1:80", "http://localhost", ERROR_FORBIDDEN },
		{ "127.0.0.1:7", "https://sevq.example", ERROR_NONE },
		{ "127.0.0.1:7", "http://sevq.example", ERROR_FORBIDDEN },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		assert_int_equal(
		    check_by(true, rows[i].endpoint, "localhost", rows[i].origin, NULL, true),
		    rows[i].code);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(our_names_with_our_port_are_accepted),
		cmocka_unit_test(a_change_from_another_site_is_refused),
		cmocka_unit_test(by_tls_pages_of_ours_begin_with_https),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
