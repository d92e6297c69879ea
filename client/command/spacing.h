/*
 * spacing.h - when the command may start again: --min-interval, --debounce, --max-per-minute.
 *
 * Here: how long a runner that has events waits before it leases them. An event with wake "now"
 * cuts every such wait short. Not here: back-off after failures (run.c, backoff.c).
 */
#ifndef SEVQ_COMMAND_SPACING_H
#define SEVQ_COMMAND_SPACING_H

#include "client/command/runner.h"

#define SEVQ_STARTS_MAX 1000 /* the largest --max-per-minute */

/* All zero: the command has not started yet. Times are of the monotonic clock. */
struct sevq_spacing {
	int64_t starts_ms[SEVQ_STARTS_MAX]; /* the last starts, a ring */
	size_t count;                       /* starts so far */
};

/*
 * Returns when the command may start, or when there is something with wake "now", or at a failure.
 */
void sevq_spacing_wait(const struct sevq_spacing *spacing, struct sevq_runner *runner);

/* The command starts. */
void sevq_spacing_note_start(struct sevq_spacing *spacing);

#endif
