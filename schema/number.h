/*
 * number.h - integers read from text, and doubles written as ECMAScript writes them.
 *
 * Here: the one decimal parser of the server, strict and range-checked; and String(n): the shortest
 * decimal digits that read back as the same double, in ECMAScript's notation.
 * Not here: the grammar of JSON numbers (json.h), other values as text (queue/policy/values.h).
 */
#ifndef SCHEMA_NUMBER_H
#define SCHEMA_NUMBER_H

#include "schema/text.h"

enum number_parsed {
	NUMBER_PARSED,
	NUMBER_SYNTAX, /* not a decimal integer */
	NUMBER_RANGE,  /* a decimal integer, but not between min and max */
};

/*
 * Reads the whole text as a decimal integer from min to max: digits, leading zeros allowed, with a
 * '-' in front only where min is negative. No sign '+', no white space. *ret is written only on
 * NUMBER_PARSED.
 */
enum number_parsed number_parse(struct str text, int64_t min, int64_t max, int64_t *ret);

#define NUMBER_BYTES 32 /* room for the longest, with its NUL: "-1.2345678901234567e-308" */

/* Writes into buf and returns it as text. Infinities are "Infinity" and "-Infinity"; -0 is "0". */
struct str number_text(double n, char buf[NUMBER_BYTES]);

#endif
