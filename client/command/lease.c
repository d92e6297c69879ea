/*
 * sevq lease, ack, nack, extend - takes events under a lease, and finishes, returns or keeps them.
 */
#include <stdlib.h>

#include "client/buffer.h"
#include "client/command/command.h"
#include "client/command/held.h"
#include "client/command/memory.h"
#include "client/command/say.h"
#include "client/command/table.h"

/* Reports the lease on standard error, so that standard output holds nothing but events. */
static void
report_lease(struct sevq_client *client, const struct sevq_lease *lease)
{
	char until[SEVQ_TIME_BYTES];

	fflush(stdout);
	if (lease->lease_id == NULL)
		sevq_say_nothing(client, "nothing to lease in", lease->session_key,
				 lease->remaining);
	else
		sevq_say(stderr, "lease %s on %s until %s, %zu more", lease->lease_id,
			 lease->session_key, sevq_time_text(lease->expires_at_ms, until),
			 lease->remaining);
}

enum sevq_exit
sevq_run_lease(struct sevq_client *client, struct sevq_options *options)
{
	struct sevq_lease_options wanted;
	struct sevq_lease *lease;
	enum sevq_exit result;

	if (!sevq_take_key_argument(options))
		return SEVQ_EXIT_USAGE;
	sevq_lease_options_init(&wanted);
	wanted.limit = (size_t)options->limit;
	wanted.lease_ms = options->lease_ms;
	wanted.context_key_prefix = options->context_key_prefix;
	wanted.consumer = options->consumer;
	wanted.idempotency_key = options->idempotency_key;
	wanted.exclusive = options->exclusive;
	wanted.prompt = options->prompt;
	if (sevq_lease(client, &options->address, &wanted, &lease) != SEVQ_OK)
		return sevq_report(client);
	if (options->json) {
		sevq_print_json(client);
	} else if (options->quiet) {
		if (lease->lease_id != NULL)
			sevq_say(stdout, "%s", lease->lease_id);
	} else {
		if (options->prompt)
			sevq_say_lines(lease->block);
		else
			sevq_print_events(lease->events, lease->count, false);
		report_lease(client, lease);
	}
	result = lease->lease_id != NULL ? SEVQ_EXIT_DONE : SEVQ_EXIT_NOTHING;
	sevq_free(lease);
	return result;
}

/* Returns the ids behind the lease on the command line; NULL: none, which means all its events. */
static const char *const *
lease_ids(const struct sevq_options *options, size_t *count)
{
	*count = (size_t)options->argument_count - 1;
	return *count > 0 ? (const char *const *)(options->arguments + 1) : NULL;
}

/*
 * Prints "acked 2 of lease 12, 1 left"; for a nack also how many became dead letters; and which
 * events are gone.
 */
static void
print_change(const char *what, const struct sevq_lease_change *change)
{
	struct sevq_buffer line = { 0 };
	size_t i;

	sevq_buffer_addf(&line, "%s %zu of lease %s, ", what, change->changed, change->lease_id);
	if (change->dead > 0)
		sevq_buffer_addf(&line, "%zu of them dead, ", change->dead);
	sevq_buffer_addf(&line, "%zu left", change->remaining);
	for (i = 0; i < change->gone_count; i++)
		sevq_buffer_addf(&line, "%s%s", i == 0 ? "; gone: " : " ", change->gone[i]);
	sevq_say(stdout, "%s", (char *)sevq_allocated(line.failed ? NULL : line.data));
	sevq_buffer_clear(&line);
}

/* Prints an answer and frees it. */
static enum sevq_exit
show(const struct sevq_client *client, const struct sevq_options *options, const char *what,
     struct sevq_lease_change *change)
{
	if (options->json)
		sevq_print_json(client);
	else
		print_change(what, change);
	sevq_free(change);
	return SEVQ_EXIT_DONE;
}

enum sevq_exit
sevq_run_ack(struct sevq_client *client, struct sevq_options *options)
{
	struct sevq_lease_change *change;
	size_t count;
	const char *const *ids = lease_ids(options, &count);

	if (sevq_ack(client, options->arguments[0], ids, count, &change) != SEVQ_OK)
		return sevq_report(client);
	return show(client, options, "acked", change);
}

enum sevq_exit
sevq_run_nack(struct sevq_client *client, struct sevq_options *options)
{
	struct sevq_nack_options nack;
	struct sevq_lease_change *change;
	size_t count;
	const char *const *ids = lease_ids(options, &count);

	sevq_nack_options_init(&nack);
	nack.delay_ms = options->delay_ms;
	nack.reason = options->reason;
	nack.do_not_count = options->no_count;
	if (sevq_nack(client, options->arguments[0], ids, count, &nack, &change) != SEVQ_OK)
		return sevq_report(client);
	return show(client, options, "gave back", change);
}

enum sevq_exit
sevq_run_extend(struct sevq_client *client, struct sevq_options *options)
{
	struct sevq_lease_change *change;
	size_t count;
	const char *const *ids = lease_ids(options, &count);

	if (sevq_extend(client, options->arguments[0], ids, count, options->lease_ms, &change) !=
	    SEVQ_OK)
		return sevq_report(client);
	return show(client, options, "extended", change);
}
