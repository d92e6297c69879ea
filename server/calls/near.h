/*
 * near.h - which of some names a mistaken one was probably meant to be.
 *
 * Here: the comparison. Not here: whose names they are.
 */
#ifndef SERVER_CALLS_NEAR_H
#define SERVER_CALLS_NEAR_H

#include "schema/str.h"

struct near {
	struct str word; /* the mistaken name */
	struct str name; /* the nearest one so far; NULL: none is near */
	size_t distance; /* its distance from the word */
};

static inline struct near
near_begin(struct str word)
{
	return (struct near){ .word = word };
}

/*
 * Compares the word with one more name. Near is a name that begins with the word, if that has
 * three letters or more, or differs from it in one letter or in at most a third of the longer
 * one's; small and capital letters are the same. Names of more than 32 bytes are near to nothing.
 */
void near_try(struct near *near, struct str name);

#endif
