/*
 * hold.h - the events that a runner holds under a lease, from taking them to acking them or giving
 * them back.
 *
 * Here: lease, extend, ack, nack, each tried until the server has answered or the lease is over.
 * Not here: what is done with the events (run.c).
 *
 * The lease call must not be made twice: if its answer were lost, nobody would know of the events
 * it holds. It carries an idempotency key, so that a repeated call gets the first answer. An ack
 * may be repeated as it is. A nack that is repeated after a lost answer finds the lease gone, which
 * is as good.
 */
#ifndef SEVQ_COMMAND_HOLD_H
#define SEVQ_COMMAND_HOLD_H

#include "client/command/runner.h"

/* All zero holds nothing. */
struct sevq_hold {
	struct sevq_lease *lease;
	char *json; /* the server's answer as it came, where the command wants JSON */
	/* On the local clock, from before the lease call: the lease ends no earlier. */
	int64_t until_ms;
	bool lost; /* the lease is no longer ours; it has been reported */
};

/* Leases the oldest events, at most limit. Leaves the hold empty where there are none. */
void sevq_hold_take(struct sevq_hold *hold, struct sevq_runner *runner, size_t limit);
bool sevq_hold_is_empty(const struct sevq_hold *hold);
void sevq_hold_clear(struct sevq_hold *hold);

/* Keeps the lease for lease_ms from now. False: it could not be extended, or it is lost. */
bool sevq_hold_extend(struct sevq_hold *hold, struct sevq_runner *runner);

/* Each tells the server, again and again, until it has answered or the lease has run out. */
void sevq_hold_ack(struct sevq_hold *hold, struct sevq_runner *runner);
void sevq_hold_nack(struct sevq_hold *hold, struct sevq_runner *runner,
		    const struct sevq_nack_options *options);
/* Gives the events back as if they had never been taken: no attempt is counted. */
void sevq_hold_give_back(struct sevq_hold *hold, struct sevq_runner *runner, const char *reason);

#endif
