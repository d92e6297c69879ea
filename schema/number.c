/*
 * number.c - the decimal parser, and Number::toString of ECMAScript.
 *
 * The latter's shortest form: printf rounds correctly, so it is asked for one digit more until its
 * text reads back as the same double. That misses one case: doubles just above a power of two lie
 * twice as far apart as those below, so the text nearest to the power may read back as a smaller
 * double while the next text upward reads back right. So that one is tried as well.
 */
#include "schema/number.h"

#include <assert.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#define DIGITS_MAX 17

enum number_parsed
number_parse(struct str text, int64_t min, int64_t max, int64_t *ret)
{
	const bool negative = min < 0 && text.len > 0 && text.s[0] == '-';
	bool overflow = false;
	int64_t n = 0; /* counted downwards: there is one more negative number than positive ones */

	if (text.len == negative)
		return NUMBER_SYNTAX;
	for (size_t i = negative; i < text.len; i++) {
		if (text.s[i] < '0' || text.s[i] > '9')
			return NUMBER_SYNTAX;
		overflow |= __builtin_mul_overflow(n, 10, &n) ||
			    __builtin_sub_overflow(n, text.s[i] - '0', &n);
	}
	if (overflow || (!negative && n == INT64_MIN))
		return NUMBER_RANGE;
	n = negative ? n : -n;
	if (n < min || n > max)
		return NUMBER_RANGE;
	*ret = n;
	return NUMBER_PARSED;
}

/* --- doubles as text --- */

/* The number digits * 10^exponent. */
struct decimal {
	long long digits;
	int exponent;
};

static double
read_back(struct decimal d)
{
	char text[NUMBER_BYTES];

	snprintf(text, sizeof(text), "%llde%d", d.digits, d.exponent);
	return strtod(text, NULL);
}

static struct decimal
nearest(double n, int count)
{
	char text[NUMBER_BYTES], *digits = text;

	snprintf(text, sizeof(text), "%.*e", count - 1, n); /* d.ddde+xx */
	if (count > 1) {
		text[1] = text[0]; /* over the point */
		digits++;
	}
	return (struct decimal){ strtoll(digits, NULL, 10),
				 atoi(strchr(text, 'e') + 1) - (count - 1) };
}

static struct decimal
shortest(double n)
{
	for (int count = 1; count < DIGITS_MAX; count++) {
		struct decimal d = nearest(n, count);

		if (read_back(d) == n)
			return d;
		d.digits++;
		if (read_back(d) == n)
			return d;
	}
	return nearest(n, DIGITS_MAX);
}

/* Writes it in the notation that ECMAScript chooses by the position of the decimal point. */
static char *
write_decimal(char *at, size_t room, struct decimal d)
{
	char digits[24];
	int n, count, point;

	for (; d.digits % 10 == 0; d.digits /= 10)
		d.exponent++;
	count = snprintf(digits, sizeof(digits), "%lld", d.digits);
	point = count + d.exponent;
	if (count <= point && point <= 21)
		n = snprintf(at, room, "%s%.*s", digits, point - count, "00000000000000000000");
	else if (0 < point && point < count)
		n = snprintf(at, room, "%.*s.%s", point, digits, digits + point);
	else if (-6 < point && point <= 0)
		n = snprintf(at, room, "0.%.*s%s", -point, "00000", digits);
	else
		n = snprintf(at, room, "%c%s%se%+d", digits[0], count > 1 ? "." : "", digits + 1,
			     point - 1);
	assert(n > 0 && (size_t)n < room);
	return at + n;
}

struct str
number_text(double n, char buf[NUMBER_BYTES])
{
	char *at = buf;

	assert(!isnan(n));
	if (n == 0)
		return str_of(strcpy(buf, "0"));
	if (n < 0)
		*at++ = '-';
	if (isinf(n))
		at = stpcpy(at, "Infinity");
	else
		at = write_decimal(at, NUMBER_BYTES - (size_t)(at - buf), shortest(fabs(n)));
	return (struct str){ buf, (size_t)(at - buf) };
}
