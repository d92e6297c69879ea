/*
 * held.h - why a queue has events that cannot be taken: until when they are delayed, and who has
 * leased them.
 *
 * Here: asking the server and putting it in words. Not here: the other reasons (why.c).
 */
#ifndef SEVQ_COMMAND_HELD_H
#define SEVQ_COMMAND_HELD_H

#include "client/sevq.h"

/*
 * "1 delayed until 2026-11-22T17:04:05Z, 2 leased by bob until ...", which the caller frees. NULL:
 * there are none, or the server does not say.
 */
char *sevq_held_text(struct sevq_client *client, const char *queue_key);

/*
 * Says on standard error that there is nothing, and why, if events remain: "nothing in KEY: 1
 * delayed until ...".
 */
void sevq_say_nothing(struct sevq_client *client, const char *what, const char *queue_key,
		      size_t remaining);

#endif
