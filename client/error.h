/*
 * error.h - the record of a failure, and the names of the codes.
 *
 * Here: struct sevq_error, which every function of the library that can fail fills.
 * Not here: the codes themselves; they are public (sevq.h).
 */
#ifndef SEVQ_CLIENT_ERROR_H
#define SEVQ_CLIENT_ERROR_H

#include "client/sevq.h"

#define SEVQ_MESSAGE_BYTES 512

/* All zero is success. Written only by the functions below. */
struct sevq_error {
	enum sevq_code code;
	/* one sentence without a full stop; if it is too long it is cut between two characters */
	char message[SEVQ_MESSAGE_BYTES];
};

/* Fills error and returns code, so that failing is one statement. */
enum sevq_code sevq_error_set(struct sevq_error *error, enum sevq_code code, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

/* Returns the code of a server's problem name; SEVQ_PROBLEM if this version does not know it. */
enum sevq_code sevq_code_find(const char *name);

#endif
