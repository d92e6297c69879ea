/*
 * number.c - Number::toString of ECMAScript.
 *
 * printf rounds correctly, so the shortest form is found by asking it for one digit more until the text reads back as
 * the same double. One case escapes that: just above a power of two the doubles lie twice as far apart as below it, and
 * a short text that reads back may lie farther away, on the upper side, than the nearest one of its length, which does
 * not. So the next text upward gets its try, too.
 */
#include "schema/number.h"

#include <assert.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#define DIGITS_MAX 17

/* A positive number as 0.digits times ten to the point. */
struct decimal {
	char digits[DIGITS_MAX + 1];
	int count, point;
};

static double
read_back(const struct decimal *d)
{
	char text[SEVQ_NUMBER_BYTES];

	snprintf(text, sizeof text, "0.%se%d", d->digits, d->point);
	return strtod(text, NULL);
}

static struct decimal
nearest(double n, int count)
{
	struct decimal d = { .count = count };
	char text[SEVQ_NUMBER_BYTES];

	snprintf(text, sizeof text, "%.*e", count - 1, n); /* d.ddde+xx */
	d.digits[0] = text[0];
	if (count > 1)
		memcpy(d.digits + 1, text + 2, (size_t)count - 1);
	d.point = atoi(strchr(text, 'e') + 1) + 1;
	return d;
}

/* One more in the last place. */
static struct decimal
upward(struct decimal d)
{
	int i = d.count - 1;

	while (i >= 0 && d.digits[i] == '9')
		d.digits[i--] = '0';
	if (i >= 0) {
		d.digits[i]++;
	} else {
		d.digits[0] = '1'; /* 99 and one is 100: the digits are zeros already */
		d.point++;
	}
	return d;
}

static struct decimal
shortest(double n)
{
	for (int count = 1; count < DIGITS_MAX; count++) {
		struct decimal d = nearest(n, count);

		if (read_back(&d) == n)
			return d;
		d = upward(d);
		if (read_back(&d) == n)
			return d;
	}
	return nearest(n, DIGITS_MAX);
}

/* Where the point stands decides the notation. */
static char *
write_decimal(char *at, size_t room, struct decimal d)
{
	int n;

	while (d.count > 1 && d.digits[d.count - 1] == '0')
		d.digits[--d.count] = '\0';
	if (d.count <= d.point && d.point <= 21)
		n = snprintf(at, room, "%s%.*s", d.digits, d.point - d.count, "00000000000000000000");
	else if (0 < d.point && d.point <= 21)
		n = snprintf(at, room, "%.*s.%s", d.point, d.digits, d.digits + d.point);
	else if (-6 < d.point && d.point <= 0)
		n = snprintf(at, room, "0.%.*s%s", -d.point, "00000", d.digits);
	else
		n = snprintf(at, room, "%c%s%se%+d", d.digits[0], d.count > 1 ? "." : "", d.digits + 1, d.point - 1);
	assert(n > 0 && (size_t)n < room);
	return at + n;
}

struct sevq_str
sevq_number_text(double n, char buf[SEVQ_NUMBER_BYTES])
{
	char *at = buf;

	assert(!isnan(n));
	if (n == 0)
		return sevq_str(strcpy(buf, "0"));
	if (n < 0)
		*at++ = '-';
	if (isinf(n))
		at = stpcpy(at, "Infinity");
	else
		at = write_decimal(at, SEVQ_NUMBER_BYTES - (size_t)(at - buf), shortest(fabs(n)));
	return (struct sevq_str){ buf, (size_t)(at - buf) };
}
