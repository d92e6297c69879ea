/*
 * hold.c - leases that outlive lost answers and restarts of the server.
 */
#include "client/command/hold.h"

#include <stdlib.h>
#include <sys/random.h>

#include "client/clock.h"
#include "client/command/memory.h"
#include "client/command/say.h"

static void
make_key(char key[33])
{
	unsigned char random[16];
	size_t i;

	if (getrandom(random, sizeof(random), 0) != (ssize_t)sizeof(random)) {
		perror("sevq: no random numbers");
		exit(SEVQ_EXIT_FAILED);
	}
	for (i = 0; i < sizeof(random); i++)
		snprintf(key + 2 * i, 3, "%02x", random[i]);
}

static void
report_lost(struct sevq_hold *hold, const char *why)
{
	sevq_say(stderr, "sevq: lost lease %s on %s (%s): its events come again",
		 hold->lease->lease_id, hold->lease->session_key, why);
	hold->lost = true;
}

/* Whether the last call found that the lease is no longer ours; reports it then. */
static bool
found_lost(struct sevq_hold *hold, const struct sevq_runner *runner)
{
	enum sevq_code code = sevq_error_code(runner->client);

	if (code == SEVQ_CONFLICT || code == SEVQ_NOT_FOUND)
		report_lost(hold, sevq_code_name(code));
	return hold->lost;
}

bool
sevq_hold_extend(struct sevq_hold *hold, struct sevq_runner *runner)
{
	int64_t now_ms = sevq_clock_monotonic_ms();

	if (sevq_extend(runner->client, hold->lease->lease_id, NULL, 0, runner->lease_ms, NULL) !=
	    SEVQ_OK) {
		found_lost(hold, runner);
		return false;
	}
	hold->until_ms = now_ms + runner->lease_ms;
	return true;
}

/* The lease call, until it is answered. */
static void
call(struct sevq_hold *hold, struct sevq_runner *runner, const struct sevq_lease_options *wanted)
{
	const struct sevq_options *options = runner->options;

	for (;;) {
		hold->until_ms = sevq_clock_monotonic_ms() + runner->lease_ms;
		if (sevq_lease(runner->client, &options->address, wanted, &hold->lease) == SEVQ_OK)
			return;
		if (options->once && sevq_code_retryable(sevq_error_code(runner->client)))
			/* nothing changed, and whoever says --once comes again by himself */
			sevq_runner_give_up(runner);
		if (runner->over || !sevq_runner_try_again(runner) || runner->stopped_by != 0)
			return;
	}
}

/*
 * An answer that came only after another attempt may be as old as the first of them, so the lease
 * is extended before anything is done with it.
 */
void
sevq_hold_take(struct sevq_hold *hold, struct sevq_runner *runner, size_t limit)
{
	const struct sevq_options *options = runner->options;
	struct sevq_lease_options wanted;
	char key[33];

	memset(hold, 0, sizeof(*hold));
	make_key(key);
	sevq_lease_options_init(&wanted);
	wanted.limit = limit;
	wanted.lease_ms = runner->lease_ms;
	wanted.context_key_prefix = options->context_key_prefix;
	wanted.consumer = options->consumer != NULL ? options->consumer : runner->consumer;
	wanted.exclusive = options->exclusive;
	wanted.prompt = !options->json;
	wanted.exec_completions = true; /* nobody else comes for them, and the oldest is first */
	wanted.idempotency_key = key;
	call(hold, runner, &wanted);
	if (hold->lease == NULL)
		return;
	if (options->json)
		hold->json = sevq_allocated(strdup(sevq_last_answer(runner->client, NULL)));
	if (runner->backoff.count > 0 && hold->lease->lease_id != NULL)
		sevq_hold_extend(hold, runner);
	sevq_backoff_reset(&runner->backoff);
}

bool
sevq_hold_is_empty(const struct sevq_hold *hold)
{
	return hold->lease == NULL || hold->lease->lease_id == NULL || hold->lost;
}

void
sevq_hold_clear(struct sevq_hold *hold)
{
	sevq_free(hold->lease);
	free(hold->json);
	memset(hold, 0, sizeof(*hold));
}

/* Acks (options NULL) or nacks all that the lease holds. */
static void
end_lease(struct sevq_hold *hold, struct sevq_runner *runner,
	  const struct sevq_nack_options *options)
{
	const char *id = hold->lease->lease_id;
	struct sevq_lease_change *change = NULL;
	enum sevq_code code;

	while (!hold->lost && !runner->over) {
		code = options == NULL ? sevq_ack(runner->client, id, NULL, 0, &change)
				       : sevq_nack(runner->client, id, NULL, 0, options, &change);
		if (code == SEVQ_OK)
			break;
		if (!found_lost(hold, runner) && sevq_clock_monotonic_ms() >= hold->until_ms)
			report_lost(hold, "the server could not be told in time");
		if (!hold->lost)
			sevq_runner_try_again(runner);
	}
	if (change != NULL && change->dead > 0)
		sevq_say(stderr, "sevq: %zu events failed too often and are dead letters now",
			 change->dead);
	if (change != NULL && change->gone_count > 0)
		sevq_say(stderr, "sevq: %zu events were removed while they were leased",
			 change->gone_count);
	sevq_backoff_reset(&runner->backoff);
	sevq_free(change);
}

void
sevq_hold_ack(struct sevq_hold *hold, struct sevq_runner *runner)
{
	end_lease(hold, runner, NULL);
}

void
sevq_hold_nack(struct sevq_hold *hold, struct sevq_runner *runner,
	       const struct sevq_nack_options *options)
{
	end_lease(hold, runner, options);
}

void
sevq_hold_give_back(struct sevq_hold *hold, struct sevq_runner *runner, const char *reason)
{
	struct sevq_nack_options options;

	sevq_nack_options_init(&options);
	options.reason = reason;
	options.do_not_count = true;
	end_lease(hold, runner, &options);
}
