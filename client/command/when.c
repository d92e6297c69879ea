/*
 * Reads durations and dates. strptime alone would also take white space, "2027-1-1" and 2027-02-31.
 */
#include "client/command/when.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "client/clock.h"

#define CENTURY_MS (INT64_C(100) * 365 * 86400000)

bool
sevq_duration_read(const char *text, int64_t most_ms, int64_t *ret)
{
	static const struct {
		const char *name;
		double ms;
	} units[] = { { "", 1e3 },   { "ms", 1 },     { "s", 1e3 },
		      { "m", 60e3 }, { "h", 3600e3 }, { "d", 86400e3 } };
	char *end;
	double number = strtod(text, &end);
	size_t i;

	for (i = 0; end != text && i < sizeof(units) / sizeof(units[0]); i++) {
		if (strcmp(end, units[i].name) == 0 && number * units[i].ms >= 1 &&
		    number * units[i].ms <= (double)most_ms) {
			*ret = (int64_t)(number * units[i].ms);
			return true;
		}
	}
	return false;
}

/* Whether the text has digits where the shape has them, and else the same characters. */
static bool
has_shape(const char *text, const char *shape)
{
	for (; *shape != '\0' && *text != '\0'; text++, shape++)
		if (*shape == '0' ? !isdigit((unsigned char)*text) : *text != *shape)
			return false;
	return *shape == *text;
}

/* timegm makes a valid date of any numbers: the text is one only if it leaves them alone. */
static bool
read_as(const char *shape, const char *format, const char *text, int64_t *ret)
{
	struct tm read = { .tm_mday = 1 }, valid;
	time_t seconds;

	if (!has_shape(text, shape) || strptime(text, format, &read) == NULL)
		return false;
	valid = read;
	seconds = timegm(&valid);
	if (seconds < 0 || valid.tm_mday != read.tm_mday || valid.tm_sec != read.tm_sec)
		return false;
	*ret = (int64_t)seconds * 1000;
	return true;
}

bool
sevq_date_read(const char *text, int64_t *ret)
{
	return read_as("0000-00-00", "%Y-%m-%d", text, ret) ||
	       read_as("0000-00-00T00:00:00Z", "%Y-%m-%dT%H:%M:%SZ", text, ret);
}

bool
sevq_moment_read(const char *text, int64_t *ret)
{
	int64_t ms;

	if (sevq_duration_read(text, CENTURY_MS, &ms))
		ms = sevq_clock_wall_ms() - ms;
	else if (!sevq_date_read(text, &ms) &&
		 !read_as("0000-00-00T00:00:00", "%Y-%m-%dT%H:%M:%S", text, &ms) &&
		 !read_as("0000-00-00T00:00Z", "%Y-%m-%dT%H:%MZ", text, &ms) &&
		 !read_as("0000-00-00T00:00", "%Y-%m-%dT%H:%M", text, &ms))
		return false;
	*ret = ms > 1 ? ms : 1;
	return true;
}
