/*
 * backoff.h - trying again, later and later.
 *
 * Here: which failures may pass by themselves, how long to wait, saying so once.
 * Not here: what is tried.
 */
#ifndef SEVQ_COMMAND_BACKOFF_H
#define SEVQ_COMMAND_BACKOFF_H

#include "client/sevq.h"

/* All zero is no failure yet. */
struct sevq_backoff {
	unsigned count; /* failures in a row */
};

/*
 * Whether the last call on client failed in a way that may pass: nobody there, lost, too busy,
 * ending.
 */
bool sevq_backoff_may_help(const struct sevq_client *client);

/*
 * Notes a failure, says it on standard error if it is the first in a row, and returns how long to
 * wait now.
 */
int64_t sevq_backoff_fail(struct sevq_backoff *backoff, const struct sevq_client *client);

/* Forgets the failures, after a success. */
void sevq_backoff_reset(struct sevq_backoff *backoff);

/* first_ms doubled for each failure after the first, up to max_ms. count is at least 1. */
int64_t sevq_backoff_ms(unsigned count, int64_t first_ms, int64_t max_ms);

void sevq_sleep(int64_t ms);

#endif
