/*
 * zone_test.c - time zones by name, and times written in them.
 *
 * The table is the output of ICU for one time in winter and one in summer (Intl.DateTimeFormat of
 * Node 20, en-US, short zone names). It has every abbreviation that ICU prints and every zone where
 * ICU differs from the time zone database. The host's zone is Berlin.
 */
#include "schema/zone.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <time.h>

#include <cmocka.h>

#define COUNT(table) (sizeof(table) / sizeof((table)[0]))

#define WINTER_MS INT64_C(1767604023000)
#define SUMMER_MS INT64_C(1782950399000)
#define HOST_WINTER "2026-01-05 10:07:03 GMT+1"

static const struct {
	const char *zone, *winter, *summer;
} known[] = {
	{ "Etc/UTC", "2026-01-05 09:07:03 UTC", "2026-07-01 23:59:59 UTC" },
	{ "Etc/GMT", "2026-01-05 09:07:03 UTC", "2026-07-01 23:59:59 UTC" },
	{ "Etc/Greenwich", "2026-01-05 09:07:03 GMT", "2026-07-01 23:59:59 GMT" },
	{ "Etc/GMT+5", "2026-01-05 04:07:03 GMT-5", "2026-07-01 18:59:59 GMT-5" },
	{ "Etc/GMT-14", "2026-01-05 23:07:03 GMT+14", "2026-07-02 13:59:59 GMT+14" },
	{ "Africa/Abidjan", "2026-01-05 09:07:03 GMT", "2026-07-01 23:59:59 GMT" },
	{ "America/Adak", "2026-01-04 23:07:03 HAST", "2026-07-01 14:59:59 HADT" },
	{ "America/Anchorage", "2026-01-05 00:07:03 AKST", "2026-07-01 15:59:59 AKDT" },
	{ "America/Argentina/Buenos_Aires", "2026-01-05 06:07:03 GMT-3",
	  "2026-07-01 20:59:59 GMT-3" },
	{ "America/Chicago", "2026-01-05 03:07:03 CST", "2026-07-01 18:59:59 CDT" },
	{ "America/Ciudad_Juarez", "2026-01-05 02:07:03 MST", "2026-07-01 17:59:59 MDT" },
	{ "America/Denver", "2026-01-05 02:07:03 MST", "2026-07-01 17:59:59 MDT" },
	{ "America/Halifax", "2026-01-05 05:07:03 AST", "2026-07-01 20:59:59 ADT" },
	{ "America/Havana", "2026-01-05 04:07:03 GMT-5", "2026-07-01 19:59:59 GMT-4" },
	{ "America/Hermosillo", "2026-01-05 02:07:03 GMT-7", "2026-07-01 16:59:59 GMT-7" },
	{ "America/Los_Angeles", "2026-01-05 01:07:03 PST", "2026-07-01 16:59:59 PDT" },
	{ "America/Mazatlan", "2026-01-05 02:07:03 GMT-7", "2026-07-01 16:59:59 GMT-7" },
	{ "America/Mexico_City", "2026-01-05 03:07:03 CST", "2026-07-01 17:59:59 CST" },
	{ "America/New_York", "2026-01-05 04:07:03 EST", "2026-07-01 19:59:59 EDT" },
	{ "America/Phoenix", "2026-01-05 02:07:03 MST", "2026-07-01 16:59:59 MST" },
	{ "America/Puerto_Rico", "2026-01-05 05:07:03 AST", "2026-07-01 19:59:59 AST" },
	{ "America/St_Johns", "2026-01-05 05:37:03 GMT-3:30", "2026-07-01 21:29:59 GMT-2:30" },
	{ "America/Whitehorse", "2026-01-05 02:07:03 GMT-7", "2026-07-01 16:59:59 GMT-7" },
	{ "Antarctica/Troll", "2026-01-05 09:07:03 GMT", "2026-07-02 01:59:59 GMT+2" },
	{ "Asia/Kathmandu", "2026-01-05 14:52:03 GMT+5:45", "2026-07-02 05:44:59 GMT+5:45" },
	{ "Asia/Kolkata", "2026-01-05 14:37:03 GMT+5:30", "2026-07-02 05:29:59 GMT+5:30" },
	{ "Asia/Manila", "2026-01-05 17:07:03 GMT+8", "2026-07-02 07:59:59 GMT+8" },
	{ "Asia/Shanghai", "2026-01-05 17:07:03 GMT+8", "2026-07-02 07:59:59 GMT+8" },
	{ "Asia/Tokyo", "2026-01-05 18:07:03 GMT+9", "2026-07-02 08:59:59 GMT+9" },
	{ "Australia/Lord_Howe", "2026-01-05 20:07:03 GMT+11", "2026-07-02 10:29:59 GMT+10:30" },
	{ "EST5EDT", "2026-01-05 04:07:03 EST", "2026-07-01 19:59:59 EDT" },
	{ "Europe/Berlin", "2026-01-05 10:07:03 GMT+1", "2026-07-02 01:59:59 GMT+2" },
	{ "Europe/Dublin", "2026-01-05 09:07:03 GMT", "2026-07-02 00:59:59 GMT+1" },
	{ "Europe/Lisbon", "2026-01-05 09:07:03 GMT+0", "2026-07-02 00:59:59 GMT+1" },
	{ "Europe/London", "2026-01-05 09:07:03 GMT", "2026-07-02 00:59:59 GMT+1" },
	{ "HST", "2026-01-04 23:07:03 HST", "2026-07-01 13:59:59 HST" },
	{ "Pacific/Chatham", "2026-01-05 22:52:03 GMT+13:45", "2026-07-02 12:44:59 GMT+12:45" },
	{ "Pacific/Guam", "2026-01-05 19:07:03 GMT+10", "2026-07-02 09:59:59 GMT+10" },
	{ "Pacific/Honolulu", "2026-01-04 23:07:03 HST", "2026-07-01 13:59:59 HST" },
	{ "Pacific/Pago_Pago", "2026-01-04 22:07:03 GMT-11", "2026-07-01 12:59:59 GMT-11" },
	{ "America/Atka", "2026-01-04 23:07:03 HAST", "2026-07-01 14:59:59 HADT" },
	{ "America/Dawson", "2026-01-05 02:07:03 GMT-7", "2026-07-01 16:59:59 GMT-7" },
	{ "Canada/Yukon", "2026-01-05 02:07:03 GMT-7", "2026-07-01 16:59:59 GMT-7" },
	{ "GMT+0", "2026-01-05 09:07:03 UTC", "2026-07-01 23:59:59 UTC" },
	{ "GMT-0", "2026-01-05 09:07:03 UTC", "2026-07-01 23:59:59 UTC" },
	{ "GMT0", "2026-01-05 09:07:03 UTC", "2026-07-01 23:59:59 UTC" },
	{ "Mexico/BajaSur", "2026-01-05 02:07:03 GMT-7", "2026-07-01 16:59:59 GMT-7" },
	{ "US/Aleutian", "2026-01-04 23:07:03 HAST", "2026-07-01 14:59:59 HADT" },
};

static int
host_in_berlin(void **state)
{
	(void)state;
	return setenv("TZ", "Europe/Berlin", 1);
}

static void
assert_written(struct str name, int64_t ts_ms, const char *want)
{
	struct arena arena = { 0 };
	struct buf out = { 0 };
	struct zone zone;

	zone_enter(&zone, &arena, name);
	zone_write(&zone, &out, ts_ms);
	zone_leave(&zone);
	buf_add(&out, "", 1);
	assert_string_equal(out.data, want);
	buf_clear(&out);
	arena_clear(&arena);
}

static void
a_zone_is_written_as_its_american_abbreviation_or_offset(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(known); i++) {
		assert_written(str_of(known[i].zone), WINTER_MS, known[i].winter);
		assert_written(str_of(known[i].zone), SUMMER_MS, known[i].summer);
	}
}

static void
utc_and_gmt_are_written_as_iso_8601(void **state)
{
	static const char *const names[] = { "utc", "UTC", "gmt", "GMT", " \tGmt\n" };

	(void)state;
	for (size_t i = 0; i < COUNT(names); i++)
		assert_written(str_of(names[i]), WINTER_MS, "2026-01-05T09:07:03Z");
}

static void
a_zone_is_known_in_any_case(void **state)
{
	static const char *const names[] = { "asia/kolkata",   "ASIA/KOLKATA",
					     " Asia/Kolkata ", "\u00a0Asia/kolkatA",
					     "Asia/Calcutta",  "ist" };

	(void)state;
	for (size_t i = 0; i < COUNT(names); i++)
		assert_written(str_of(names[i]), WINTER_MS, "2026-01-05 14:37:03 GMT+5:30");
	assert_written(STR("america/argentina/BUENOS_AIRES"), WINTER_MS,
		       "2026-01-05 06:07:03 GMT-3");
	assert_written(STR("america/adak"), WINTER_MS, "2026-01-04 23:07:03 HAST");
	assert_written(STR("pst"), WINTER_MS, "2026-01-05 01:07:03 PST");
}

static void
an_unknown_name_means_the_hosts_zone(void **state)
{
	static const char *const names[] = {
		"",
		"  ",
		"local",
		"HOST",
		"user",
		"Mars/Base",
		"+05:30",
		"UTC+5",
		"Z",
		"Asia",
		"Asia/",
		"/Asia/Kolkata",
		"Asia//Kolkata",
		"Asia/./Kolkata",
		"Asia/../Asia/Kolkata",
		"Asia/Kolkata/",
		"Asia/Kolkata/x",
		".",
		"..",
		"/",
		"../../../etc/localtime",
		"/etc/localtime",
		"localtime",
		"Factory",
		"posixrules",
		"posix/Asia/Kolkata",
		"right/Asia/Kolkata",
		"RIGHT/UTC",
		"tzdata.zi",
		"zone.tab",
		"leapseconds",
		"Asia/\u212aolkata",
	};

	(void)state;
	for (size_t i = 0; i < COUNT(names); i++)
		assert_written(str_of(names[i]), WINTER_MS, HOST_WINTER);
	assert_written(STR_NULL, WINTER_MS, HOST_WINTER);
}

static void
the_hosts_zone_is_that_of_the_environment(void **state)
{
	static const struct {
		const char *tz, *want;
	} hosts[] = {
		{ "America/New_York", "2026-01-05 04:07:03 EST" },
		{ "UTC", "2026-01-05 09:07:03 UTC" },
		{ "America/Whitehorse", "2026-01-05 02:07:03 GMT-7" },
		{ "EST5EDT,M3.2.0,M11.1.0", "2026-01-05 04:07:03 EST" },
		{ "<+0545>-5:45", "2026-01-05 14:52:03 GMT+5:45" },
		{ "No/Such", "2026-01-05 09:07:03 GMT+0" },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(hosts); i++) {
		assert_int_equal(setenv("TZ", hosts[i].tz, 1), 0);
		assert_written(STR_NULL, WINTER_MS, hosts[i].want);
	}
}

static void
leaving_restores_the_zone_of_the_process(void **state)
{
	(void)state;
	assert_written(STR("Asia/Kolkata"), WINTER_MS, "2026-01-05 14:37:03 GMT+5:30");
	assert_string_equal(getenv("TZ"), "Europe/Berlin");
	assert_int_equal(timezone, -3600);

	assert_int_equal(unsetenv("TZ"), 0);
	assert_written(STR("Asia/Kolkata"), WINTER_MS, "2026-01-05 14:37:03 GMT+5:30");
	assert_null(getenv("TZ"));
}

static void
milliseconds_are_truncated(void **state)
{
	(void)state;
	assert_written(STR("utc"), WINTER_MS + 999, "2026-01-05T09:07:03Z");
	assert_written(STR("utc"), 0, "1970-01-01T00:00:00Z");
	assert_written(STR("utc"), -1, "1969-12-31T23:59:59Z");
	assert_written(STR("utc"), -1000, "1969-12-31T23:59:59Z");
	assert_written(STR("utc"), -1001, "1969-12-31T23:59:58Z");
}

static void
times_far_away_are_written(void **state)
{
	(void)state;
	assert_written(STR("utc"), INT64_C(253402300800000), "10000-01-01T00:00:00Z");
	assert_written(STR("Asia/Kolkata"), INT64_C(8640000000000000),
		       "275760-09-13 05:30:00 GMT+5:30");
	assert_written(STR("utc"), INT64_C(-8640000000000000), "-271821-04-20T00:00:00Z");
	assert_written(STR("Europe/Berlin"), INT64_C(-5000000000000),
		       "1811-07-23 16:00:08 GMT+0:53:28");
	assert_written(STR("utc"), INT64_C(8640000000000001), "unknown-time");
	assert_written(STR("utc"), INT64_MIN, "unknown-time");
	assert_written(STR("Asia/Kolkata"), INT64_MAX, "unknown-time");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(a_zone_is_written_as_its_american_abbreviation_or_offset,
				       host_in_berlin),
		cmocka_unit_test_setup(utc_and_gmt_are_written_as_iso_8601, host_in_berlin),
		cmocka_unit_test_setup(a_zone_is_known_in_any_case, host_in_berlin),
		cmocka_unit_test_setup(an_unknown_name_means_the_hosts_zone, host_in_berlin),
		cmocka_unit_test_setup(the_hosts_zone_is_that_of_the_environment, host_in_berlin),
		cmocka_unit_test_setup(leaving_restores_the_zone_of_the_process, host_in_berlin),
		cmocka_unit_test_setup(milliseconds_are_truncated, host_in_berlin),
		cmocka_unit_test_setup(times_far_away_are_written, host_in_berlin),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
