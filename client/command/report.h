/*
 * report.h - how the command says that it could not do what it was asked to do.
 *
 * A message tells what was wrong in the words of the command line, and what to do next. With --json
 * it is a problem object as the server's (RFC 9457), in one line. All go to standard error.
 * Here: the exit codes; mistakes on the command line, calls that failed, failures of the command's
 * own. Not here: what a command prints when it has succeeded.
 */
#ifndef SEVQ_COMMAND_REPORT_H
#define SEVQ_COMMAND_REPORT_H

#include <stdbool.h>

#include "client/sevq.h"

enum sevq_exit {
	SEVQ_EXIT_DONE = 0,
	SEVQ_EXIT_FAILED = 1,
	SEVQ_EXIT_USAGE = 2,
	SEVQ_EXIT_NOTHING = 3,     /* there is no such event, session or lease */
	SEVQ_EXIT_NOT_ALLOWED = 4, /* the token is missing, wrong or lacks a scope */
	SEVQ_EXIT_TRY_AGAIN = 75,  /* nothing changed; the same command may succeed later */
};

/* From now on mistakes are those of this command, whose help is named. NULL: of none. */
void sevq_report_as(const char *command);

/* From now on reports are JSON, or not. */
void sevq_report_json(bool json);

/* Reports how the last call on client failed. Returns the exit code for it. */
enum sevq_exit sevq_report(const struct sevq_client *client);

/* Reports a mistake on the command line. Returns SEVQ_EXIT_USAGE. */
enum sevq_exit sevq_report_usage(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/* Reports another failure. Returns SEVQ_EXIT_FAILED. */
enum sevq_exit sevq_report_failure(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

#endif
