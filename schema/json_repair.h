/*
 * json_repair.h - JSON that JSON.parse takes and the strict scanner refuses, made strict.
 *
 * Here: bytes and characters that cannot be stored, replaced by U+FFFD. Not here: the grammar; what
 * is wrong with it is left to the scanner, and so are repeated member names.
 */
#ifndef SCHEMA_JSON_REPAIR_H
#define SCHEMA_JSON_REPAIR_H

#include "schema/mem.h"

/*
 * The text, as a JavaScript server reads a body before it parses it: in bytes that are not UTF-8
 * every longest beginning of a character, or else every byte, is U+FFFD, as in the decoder of
 * WHATWG's Encoding Standard; white space of ECMAScript, a byte order mark included, is cut off
 * both ends. Escapes of NUL and of half a surrogate pair, which JSON.parse takes, become \ufffd.
 * Borrowed from the text where nothing had to be replaced, else in the arena.
 */
struct str json_repair(struct arena *arena, struct str text);

#endif
