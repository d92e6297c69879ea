/*
 * say.h - what the command prints for people, and the server's JSON for programs.
 *
 * Anybody who can post an event chooses texts in what the server answers, and a server may be a
 * stranger's. So nothing of it may act on a terminal or be invisible there, and every output of the
 * command goes through this file or through table.h, which uses it.
 * Here: escaping, lines, questions, JSON. Not here: tables.
 */
#ifndef SEVQ_COMMAND_SAY_H
#define SEVQ_COMMAND_SAY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

/* If memory runs out, the functions of this file end the process with a message (memory.h). */

/* Decodes the UTF-8 character at s and sets its length in bytes; -1 with length 1: not UTF-8. */
long sevq_decode(const char *s, size_t *len);

/*
 * Returns the text in one line of characters that are seen: line breaks, control and format
 * characters (schema/characters.h), and bytes that are not UTF-8 become \n, \t, \r, \u{1b},
 * \x{ff}. The caller frees it.
 */
char *sevq_escaped(const char *text);

/* Prints a line: what fmt makes, escaped as above, and a line feed. */
void sevq_say(FILE *out, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* Prints a word and what it means in a line, each escaped, with a tab between them. */
void sevq_say_pair(FILE *out, const char *word, const char *meaning);

/*
 * Asks a person at the terminal. The question ends in " [y/N] ". Returns whether the answer is yes.
 */
bool sevq_ask(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/*
 * Prints JSON, with a line feed at its end: as it is for a program; on a terminal with the same
 * characters escaped as JSON escapes them, which does not change what it means.
 */
void sevq_say_json(FILE *out, const char *json);

/* The same for the lines of a prompt: as they are, or on a terminal escaped. NULL: nothing. */
void sevq_say_lines(const char *lines);

#endif
