/*
 * lossy.h - any bytes as a text that an event can hold.
 *
 * Here: U+FFFD in the place of what it cannot hold. Not here: reading the bytes (event.c).
 */
#ifndef SEVQ_COMMAND_LOSSY_H
#define SEVQ_COMMAND_LOSSY_H

#include <stddef.h>

/*
 * The bytes as UTF-8 without NUL: a NUL, and every longest beginning of a character that is not
 * finished or else every wrong byte, is U+FFFD; half a surrogate pair is three wrong bytes. The
 * caller frees it; NULL: no memory.
 */
char *sevq_lossy(const char *bytes, size_t len);

#endif
