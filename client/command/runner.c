/*
 * runner.c - calls that are tried again, and sleep that a signal may end.
 */
#include "client/command/runner.h"

void
sevq_runner_give_up(struct sevq_runner *runner)
{
	runner->result = sevq_report(runner->client);
	runner->over = true;
}

bool
sevq_runner_note_stop(struct sevq_runner *runner, int number)
{
	bool second = number != 0 && number != SIGHUP && runner->stopped_by != 0;

	if (number != 0)
		runner->stopped_by = number;
	return second;
}

bool
sevq_runner_try_again(struct sevq_runner *runner)
{
	int number;

	if (!sevq_backoff_may_help(runner->client)) {
		sevq_runner_give_up(runner);
		return false;
	}
	number = sevq_signals_await(&runner->signals.stop,
				    sevq_backoff_fail(&runner->backoff, runner->client));
	if (sevq_runner_note_stop(runner, number))
		sevq_runner_give_up(runner);
	return !runner->over;
}

void
sevq_runner_sleep(const struct sevq_runner *runner, int64_t ms)
{
	sevq_signals_unblock(&runner->signals);
	sevq_sleep(ms);
	sevq_signals_block(&runner->signals);
}

size_t
sevq_runner_wait(struct sevq_runner *runner, int64_t timeout_ms, bool wake_now)
{
	struct sevq_wait_options wanted;
	struct sevq_readiness *readiness;
	enum sevq_code code;
	size_t count = 0;

	sevq_wait_options_init(&wanted);
	wanted.context_key_prefix = runner->options->context_key_prefix;
	wanted.exclusive = runner->options->exclusive;
	wanted.wake_now = wake_now;
	sevq_signals_unblock(&runner->signals);
	code = sevq_wait_for(runner->client, &runner->options->address, &wanted, timeout_ms,
			     &readiness);
	sevq_signals_block(&runner->signals);
	if (code == SEVQ_OK) {
		sevq_backoff_reset(&runner->backoff);
		count = readiness->depth;
		sevq_free(readiness);
	} else if (sevq_backoff_may_help(runner->client)) {
		sevq_runner_sleep(runner, sevq_backoff_fail(&runner->backoff, runner->client));
	} else {
		sevq_runner_give_up(runner);
	}
	return count;
}
