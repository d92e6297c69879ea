/*
 * child.h - the command that `sevq run` runs, and the signals around it.
 *
 * Here: starting it, hearing of its end, the two ways to bear a signal: while nothing is held it
 * ends the process at once; else it waits until it is asked for.
 * Not here: events, leases, what a signal means for them (run.c).
 */
#ifndef SEVQ_COMMAND_CHILD_H
#define SEVQ_COMMAND_CHILD_H

#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* The signals of this process from now on. */
struct sevq_signals {
	sigset_t stop;     /* SIGINT, SIGTERM; not those that were ignored when we came */
	sigset_t heard;    /* these and SIGCHLD */
	sigset_t before;   /* the mask that the command gets */
	sigset_t defaults; /* what the command does not inherit from us */
};

/* From here on stop signals are held back, and a broken pipe is an error like others. */
void sevq_signals_begin(struct sevq_signals *signals);

/*
 * In between a stop signal ends the process at once, with success: nothing is held, so nothing is
 * left to do.
 */
void sevq_signals_let_go(const struct sevq_signals *signals);
void sevq_signals_hold(const struct sevq_signals *signals);

/* The next of the signals in `which`, 0 when none came for ms. ms < 0: as long as it takes. */
int sevq_signals_await(const sigset_t *which, int64_t ms);

/*
 * Starts argv[0], found on PATH, with this text as its standard input; it need not read it. -1 with
 * errno: it could not be started.
 */
pid_t sevq_child_start(const struct sevq_signals *signals, char **argv, const char *input,
		       size_t len);

#endif
