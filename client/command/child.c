/*
 * The command's standard input is a file in memory and not a pipe. So nobody has to feed it while
 * it runs, and nothing breaks when the command does not read it.
 */
#include "client/command/child.h"

#include <errno.h>
#include <spawn.h>
#include <sys/mman.h>
#include <time.h>

#include <unistd.h>

static void
leave(int number)
{
	(void)number;
	_exit(0);
}

static bool
is_ignored(int number)
{
	struct sigaction action;

	return sigaction(number, NULL, &action) == 0 && action.sa_handler == SIG_IGN;
}

void
sevq_signals_begin(struct sevq_signals *signals)
{
	static const int stops[] = { SIGINT, SIGTERM, SIGHUP, SIGQUIT };
	size_t i;

	sigemptyset(&signals->stop);
	sigemptyset(&signals->defaults);
	for (i = 0; i < sizeof(stops) / sizeof(stops[0]); i++) {
		if (is_ignored(stops[i]))
			continue;
		sigaddset(&signals->stop, stops[i]);
		signal(stops[i], leave);
	}
	if (!is_ignored(SIGPIPE))
		sigaddset(&signals->defaults, SIGPIPE);
	signal(SIGPIPE, SIG_IGN);
	signal(SIGCHLD, SIG_DFL); /* ignored, ended children would leave no status */
	signals->heard = signals->stop;
	sigaddset(&signals->heard, SIGCHLD);
	sigprocmask(SIG_BLOCK, &signals->heard, &signals->before);
}

void
sevq_signals_unblock(const struct sevq_signals *signals)
{
	sigprocmask(SIG_UNBLOCK, &signals->stop, NULL);
}

void
sevq_signals_block(const struct sevq_signals *signals)
{
	sigprocmask(SIG_BLOCK, &signals->stop, NULL);
}

int
sevq_signals_await(const sigset_t *which, int64_t ms)
{
	struct timespec left = { .tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000 };
	int number;

	do
		number = ms < 0 ? sigwaitinfo(which, NULL) : sigtimedwait(which, NULL, &left);
	/* EINTR: a signal that is not in `which`, as when a debugger or SIGCONT comes */
	while (number < 0 && errno == EINTR);
	return number > 0 ? number : 0;
}

/* Returns a descriptor from which the text can be read; -1 with errno. */
static int
open_text(const char *text, size_t len)
{
	int fd = memfd_create("events", MFD_CLOEXEC);
	ssize_t n = 0;

	for (; fd >= 0 && len > 0; text += n, len -= (size_t)n) {
		n = write(fd, text, len);
		if (n < 0 && errno == EINTR)
			n = 0;
		if (n < 0) {
			close(fd);
			return -1;
		}
	}
	if (fd >= 0)
		lseek(fd, 0, SEEK_SET);
	return fd;
}

pid_t
sevq_child_start(const struct sevq_signals *signals, char **argv, const char *input, size_t len)
{
	posix_spawn_file_actions_t actions;
	posix_spawnattr_t attributes;
	int fd = open_text(input, len), error;
	pid_t pid;

	if (fd < 0)
		return -1;
	posix_spawn_file_actions_init(&actions);
	posix_spawnattr_init(&attributes);
	error = posix_spawn_file_actions_adddup2(&actions, fd, STDIN_FILENO);
	posix_spawnattr_setsigmask(&attributes, &signals->before);
	posix_spawnattr_setsigdefault(&attributes, &signals->defaults);
	posix_spawnattr_setpgroup(&attributes, 0);
	posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF |
						  POSIX_SPAWN_SETPGROUP);
	if (error == 0)
		error = posix_spawnp(&pid, argv[0], &actions, &attributes, argv, environ);
	posix_spawnattr_destroy(&attributes);
	posix_spawn_file_actions_destroy(&actions);
	close(fd);
	errno = error;
	return error == 0 ? pid : -1;
}
