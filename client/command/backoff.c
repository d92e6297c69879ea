/*
 * A server that restarts is back within a second, so the first attempts follow quickly. A server
 * that says when to come is taken at its word.
 */
#include "client/command/backoff.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "client/command/say.h"

#define FIRST_MS 100
#define MAX_MS 5000

bool
sevq_backoff_may_help(const struct sevq_client *client)
{
	enum sevq_code code = sevq_error_code(client);

	return sevq_code_retryable(code) || code == SEVQ_LOST || code == SEVQ_TIMED_OUT;
}

int64_t
sevq_backoff_ms(unsigned count, int64_t first_ms, int64_t max_ms)
{
	int64_t ms = first_ms;

	for (; count > 1 && ms < max_ms; count--)
		ms *= 2;
	return ms < max_ms ? ms : max_ms;
}

int64_t
sevq_backoff_fail(struct sevq_backoff *backoff, const struct sevq_client *client)
{
	int64_t ms = sevq_backoff_ms(++backoff->count, FIRST_MS, MAX_MS),
		told_ms = (int64_t)sevq_retry_after(client) * 1000;

	if (backoff->count == 1)
		sevq_say(stderr, "sevq: %s; trying again", sevq_error_message(client));
	return told_ms > ms ? told_ms : ms;
}

void
sevq_backoff_reset(struct sevq_backoff *backoff)
{
	backoff->count = 0;
}

void
sevq_sleep(int64_t ms)
{
	struct timespec left = { .tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000 };

	while (nanosleep(&left, &left) != 0 && errno == EINTR)
		;
}
