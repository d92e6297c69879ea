/*
 * dotenv.h - the lines of a .env file.
 *
 * Here: NAME=value, "export NAME=value" and "NAME: value", values bare or in one of three quotes,
 * comments; as the dotenv package that OpenClaw uses takes them. What is no such line is passed
 * over. Not here: files, and which value of several counts.
 */
#ifndef SERVER_CONFIG_DOTENV_H
#define SERVER_CONFIG_DOTENV_H

#include "schema/mem.h"

struct dotenv {
	const char *at, *end; /* what is still to be read */
};

/*
 * The next variable with a name that a shell takes and a value in UTF-8; false at the end. Both are
 * borrowed from the text or live in the arena; the value is not NULL.
 */
bool dotenv_next(struct dotenv *dotenv, struct arena *arena, struct str *name, struct str *value);

#endif
