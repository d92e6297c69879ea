/*
 * number.h - the one place where the command reads a decimal number.
 *
 * Not here: durations with units and the options that hold numbers (options.c).
 */
#ifndef SEVQ_COMMAND_NUMBER_H
#define SEVQ_COMMAND_NUMBER_H

#include <stdbool.h>
#include <stdint.h>

/*
 * Reads a text that is one decimal number from 1 to INT64_MAX, with nothing behind it. *ret is
 * written only on success.
 */
bool sevq_number_read(const char *text, int64_t *ret);

#endif
