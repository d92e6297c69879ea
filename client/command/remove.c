/*
 * sevq withdraw, purge - removes events that nobody should get any more.
 */
#include <unistd.h>

#include "client/command/command.h"
#include "client/command/say.h"

enum sevq_exit
sevq_run_withdraw(struct sevq_client *client, struct sevq_options *options)
{
	struct sevq_event *event;

	if (sevq_withdraw(client, options->arguments[0], &event) != SEVQ_OK)
		return sevq_report(client);
	if (options->json)
		sevq_print_json(client);
	else
		sevq_say(stdout, "withdrew %s from %s: %s", event->id, event->session_key,
			 event->text);
	sevq_free(event);
	return SEVQ_EXIT_DONE;
}

/*
 * Before a whole session is purged a person at a terminal must confirm, and a program must give
 * --yes.
 */
static enum sevq_exit
ask(struct sevq_client *client, const struct sevq_options *options)
{
	struct sevq_events *events;
	bool yes;

	if (options->yes || options->context_key != NULL)
		return SEVQ_EXIT_DONE;
	if (!isatty(STDIN_FILENO))
		return sevq_report_usage("to purge a whole session, say --yes; --context-key "
					 "purges a part of it");
	if (sevq_peek(client, &options->address, 1, NULL, &events) != SEVQ_OK)
		return sevq_report(client);
	yes = events->depth == 0 || /* nothing to ask about: purge reports it */
	      sevq_ask("Throw away %zu event%s of %s? [y/N] ", events->depth,
		       events->depth == 1 ? "" : "s", events->session_key);
	sevq_free(events);
	return yes ? SEVQ_EXIT_DONE : SEVQ_EXIT_FAILED;
}

enum sevq_exit
sevq_run_purge(struct sevq_client *client, struct sevq_options *options)
{
	struct sevq_purged *purged;
	enum sevq_exit result;

	if (!sevq_take_key_argument(options))
		return SEVQ_EXIT_USAGE;
	result = ask(client, options);
	if (result != SEVQ_EXIT_DONE)
		return result;
	if (sevq_purge(client, &options->address, options->context_key, &purged) != SEVQ_OK)
		return sevq_report(client);
	if (options->json)
		sevq_print_json(client);
	else
		sevq_say(stdout, "purged %zu from %s, %zu left", purged->purged,
			 purged->session_key, purged->remaining);
	result = purged->purged > 0 ? SEVQ_EXIT_DONE : SEVQ_EXIT_NOTHING;
	sevq_free(purged);
	return result;
}
