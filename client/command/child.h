/*
 * child.h - the command that `sevq run` runs, and the signals around it.
 *
 * Here: starting the command, hearing of its end, and two ways to take a stop signal: while no
 * events are held under a lease the signal ends the process at once; else it stays blocked until
 * sevq_signals_await takes it.
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
	/* SIGINT, SIGTERM, SIGHUP and SIGQUIT, but for those that were ignored at the start */
	sigset_t stop;
	sigset_t heard;    /* stop and SIGCHLD */
	sigset_t before;   /* the mask at the start, which the command gets */
	sigset_t defaults; /* signals that this process ignores and the command does not */
};

/* Blocks stop signals from here on, and ignores SIGPIPE, so that a broken pipe is EPIPE. */
void sevq_signals_begin(struct sevq_signals *signals);

/*
 * Unblock and block stop signals. While they are unblocked, one ends the process at once, with
 * success: unblock only while no lease is held, when nothing is left to do.
 */
void sevq_signals_unblock(const struct sevq_signals *signals);
void sevq_signals_block(const struct sevq_signals *signals);

/* Waits up to ms (negative: forever) for a signal in `which` and returns it; 0: none came. */
int sevq_signals_await(const sigset_t *which, int64_t ms);

/*
 * Starts argv[0], found on PATH, with input as its standard input, which it need not read. Its
 * process group is its own, so that what is typed at a terminal, and the end of the terminal, reach
 * this process alone. Returns its pid, which is also its group, or -1 with errno where it could not
 * be started.
 */
pid_t sevq_child_start(const struct sevq_signals *signals, char **argv, const char *input,
		       size_t len);

#endif
