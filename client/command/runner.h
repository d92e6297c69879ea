/*
 * runner.h - what every part of `sevq run` shares: the server, the signals, and whether to go on.
 *
 * Here: the runner's state, trying a call again, sleeping while no event is held.
 * Not here: leases (hold.c), when the command may start (spacing.c), the rounds (run.c).
 */
#ifndef SEVQ_COMMAND_RUNNER_H
#define SEVQ_COMMAND_RUNNER_H

#include "client/command/backoff.h"
#include "client/command/child.h"
#include "client/command/command.h"

struct sevq_runner {
	struct sevq_client *client;
	const struct sevq_options *options;
	char **command;
	char consumer[128]; /* the name that leases carry where no option gives one */
	int64_t lease_ms;
	struct sevq_signals signals;
	struct sevq_backoff backoff; /* of calls to the server */
	int stopped_by;              /* the signal that asks the runner to stop; 0: none has come */
	enum sevq_exit result;       /* of the last round, or of the call that ended the runner */
	bool over;                   /* a call failed for good: the runner cannot go on */
};

/* Ends the runner: reports how the last call failed. */
void sevq_runner_give_up(struct sevq_runner *runner);

/*
 * Remembers a stop signal; 0 is none. Returns whether it says that the runner must not wait any
 * longer, as the second one does. Not SIGHUP: both the shell and the kernel send it when a terminal
 * is closed.
 */
bool sevq_runner_note_stop(struct sevq_runner *runner, int number);

static inline bool
sevq_runner_stops(const struct sevq_runner *runner)
{
	return runner->over || runner->stopped_by != 0;
}

/*
 * After a failed call: sleeps and returns true if the call may be tried again, else gives up. The
 * first stop signal cuts the sleep short; a second one gives up.
 */
bool sevq_runner_try_again(struct sevq_runner *runner);

/* Sleeps while no event is held: a stop signal ends the process. */
void sevq_runner_sleep(const struct sevq_runner *runner, int64_t ms);

/*
 * Waits at the server until the session has events that the runner would lease, at most timeout_ms
 * (0: asks once); wake_now: only events with wake "now" count. Returns how many there are. A stop
 * signal ends the process meanwhile.
 */
size_t sevq_runner_wait(struct sevq_runner *runner, int64_t timeout_ms, bool wake_now);

#endif
