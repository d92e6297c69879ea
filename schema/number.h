/*
 * number.h - a double as ECMAScript writes it.
 *
 * Here: String(n): the shortest decimal digits that read back as the same double, in ECMAScript's
 * notation.
 * Not here: reading numbers (json.h), other values as text (queue/policy/values.h).
 */
#ifndef SCHEMA_NUMBER_H
#define SCHEMA_NUMBER_H

#include "schema/text.h"

#define NUMBER_BYTES 32 /* room for the longest, with its NUL: "-1.2345678901234567e-308" */

/* Writes into buf and returns it as text. Infinities are "Infinity" and "-Infinity"; -0 is "0". */
struct str number_text(double n, char buf[NUMBER_BYTES]);

#endif
