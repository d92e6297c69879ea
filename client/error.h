/*
 * error.h - how a failure travels inside the library, and the names of the codes.
 *
 * Here: the record that ends up in the context.
 * Not here: the codes themselves; they are public (sevq.h).
 */
#ifndef SEVQ_CLIENT_ERROR_H
#define SEVQ_CLIENT_ERROR_H

#include "client/sevq.h"

#define SEVQ_MESSAGE_BYTES 512

/* All zero is success. Written only by the functions below. */
struct sevq_error {
	enum sevq_code code;
	/* one sentence without the stop, cut at a character where it is too long */
	char message[SEVQ_MESSAGE_BYTES];
};

/* Fills error and returns its code, so that failing is one statement. */
enum sevq_code sevq_error_set(struct sevq_error *error, enum sevq_code code, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

/* The code of a problem's name; SEVQ_PROBLEM for one that this version does not know. */
enum sevq_code sevq_code_find(const char *name);

#endif
