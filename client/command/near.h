/*
 * near.h - the name that a mistyped word was probably meant to be.
 *
 * Here: how far two words are apart, and the nearest of several. Not here: the names (options.c,
 * main.c).
 */
#ifndef SEVQ_COMMAND_NEAR_H
#define SEVQ_COMMAND_NEAR_H

#include <stddef.h>

struct sevq_near {
	const char *word; /* as it was typed; set by the caller, who leaves the rest zero */
	const char *best; /* the nearest name so far; NULL: none is near */
	size_t distance;
};

/* Names are borrowed. */
void sevq_near_offer(struct sevq_near *near, const char *name);

#endif
