/*
 * sevq drain, peek, consume - takes the events of a session, or only shows them.
 */
#include "client/command/command.h"
#include "client/command/held.h"
#include "client/command/say.h"

/*
 * Reports what is left on standard error, so that standard output holds nothing but events. named:
 * these events were asked for, and no others.
 */
static void
report_remaining(struct sevq_client *client, const struct sevq_events *events, bool named)
{
	const char *key = events->session_key;

	fflush(stdout);
	if (events->remaining > 0 && (events->count > 0 || named))
		sevq_say(stderr, "%zu more in %s", events->remaining, key);
	else if (events->more && events->count > 0)
		sevq_say(stderr, "more in %s: --after %s", key,
			 events->events[events->count - 1]->id);
	else if (events->count == 0)
		sevq_say_nothing(client, "nothing in", key, events->remaining);
}

/* Prints an answer and frees it. */
static enum sevq_exit
show(struct sevq_client *client, const struct sevq_options *options, struct sevq_events *events,
     bool states)
{
	enum sevq_exit result = events->count > 0 ? SEVQ_EXIT_DONE : SEVQ_EXIT_NOTHING;

	if (options->json) {
		sevq_print_json(client);
	} else if (options->quiet) {
		sevq_print_ids(events->events, events->count);
	} else {
		if (options->prompt)
			sevq_say_lines(events->block);
		else
			sevq_print_events(events->events, events->count, states);
		report_remaining(client, events, options->argument_count > 1);
	}
	sevq_free(events);
	return result;
}

enum sevq_exit
sevq_run_drain(struct sevq_client *client, struct sevq_options *options)
{
	struct sevq_drain_options drain;
	struct sevq_events *events;

	if (!sevq_take_key_argument(options))
		return SEVQ_EXIT_USAGE;
	sevq_drain_options_init(&drain);
	drain.limit = (size_t)options->limit;
	drain.context_key_prefix = options->context_key_prefix;
	drain.idempotency_key = options->idempotency_key;
	drain.prompt = options->prompt;
	if (sevq_drain(client, &options->address, &drain, &events) != SEVQ_OK)
		return sevq_report(client);
	return show(client, options, events, false);
}

enum sevq_exit
sevq_run_peek(struct sevq_client *client, struct sevq_options *options)
{
	struct sevq_events *events;

	if (!sevq_take_key_argument(options))
		return SEVQ_EXIT_USAGE;
	if (sevq_peek(client, &options->address, (size_t)options->limit, options->after, &events) !=
	    SEVQ_OK)
		return sevq_report(client);
	return show(client, options, events, true);
}

enum sevq_exit
sevq_run_consume(struct sevq_client *client, struct sevq_options *options)
{
	const char *const *ids = (const char *const *)(options->arguments + 1);
	struct sevq_events *events;

	options->address.session_key = options->arguments[0];
	if (sevq_consume(client, &options->address, ids, (size_t)options->argument_count - 1,
			 &events) != SEVQ_OK)
		return sevq_report(client);
	return show(client, options, events, false);
}
