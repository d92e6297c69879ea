/*
 * sevq dead-letters --requeue, --discard - ends dead letters, those with some ids or those of a
 * session or of all sessions.
 */
#include <unistd.h>

#include "client/command/command.h"
#include "client/command/say.h"

/*
 * Completes options->address from the argument, if that is a key. option: takes ids. What narrows
 * something else is refused: without it, more would end than was meant.
 */
static bool
take_arguments(struct sevq_options *options, bool by_ids, const char *option)
{
	const struct sevq_address *address = &options->address;
	bool session = sevq_names_session(address) || options->exact || address->channel != NULL ||
		       address->account_id != NULL;

	if (options->limit != 0 || options->cursor != NULL)
		sevq_report_usage("--limit and --cursor are for the list of dead letters");
	else if (by_ids && options->argument_count == 0)
		sevq_report_usage("%s needs the ids of dead letters", option);
	else if (by_ids && session)
		sevq_report_usage("%s takes ids, and no session; %s-all takes one", option, option);
	else
		return by_ids || sevq_take_optional_key(options);
	return false;
}

/* A person at a terminal must confirm, and a program must give --yes. */
static enum sevq_exit
confirm(const struct sevq_options *options, const char *option, const char *question)
{
	if (options->yes || options->dry_run)
		return SEVQ_EXIT_DONE;
	if (!isatty(STDIN_FILENO))
		return sevq_report_usage("%s needs --yes", option);
	return sevq_ask("%s [y/N] ", question) ? SEVQ_EXIT_DONE : SEVQ_EXIT_FAILED;
}

/*
 * Tells what ended, and returns the exit code for it. did, would: "requeued" and "would requeue".
 */
static enum sevq_exit
report_ended(const struct sevq_client *client, const struct sevq_options *options, const char *did,
	     const char *would, size_t count, size_t passed_over, bool more)
{
	const char *what = options->dry_run ? would : did;

	if (options->json) {
		sevq_print_json(client);
	} else {
		if (passed_over > 0)
			sevq_say(stdout, "%s %zu, skipped %zu that are no dead letters", what,
				 count, passed_over);
		else
			sevq_say(stdout, "%s %zu", what, count);
		fflush(stdout);
		if (more)
			sevq_say(stderr, "more dead letters are left: run the command again");
	}
	return count > 0 ? SEVQ_EXIT_DONE : SEVQ_EXIT_NOTHING;
}

enum sevq_exit
sevq_requeue_dead_letters(struct sevq_client *client, struct sevq_options *options)
{
	struct sevq_requeue_options wanted;
	struct sevq_requeued *requeued;
	enum sevq_exit result = SEVQ_EXIT_DONE;

	if (!take_arguments(options, options->requeue, "--requeue"))
		return SEVQ_EXIT_USAGE;
	sevq_requeue_options_init(&wanted);
	wanted.dry_run = options->dry_run;
	wanted.rate_per_second = options->rate;
	wanted.reason = options->reason;
	wanted.address = options->address;
	if (options->requeue) {
		wanted.ids = (const char *const *)options->arguments;
		wanted.id_count = (size_t)options->argument_count;
	} else if (!sevq_names_session(&options->address)) {
		wanted.all = true;
		result = confirm(options, "--requeue-all of every session",
				 "Requeue the dead letters of all sessions?");
	}
	if (result != SEVQ_EXIT_DONE)
		return result;
	if (sevq_requeue(client, &wanted, &requeued) != SEVQ_OK)
		return sevq_report(client);
	result = report_ended(client, options, "requeued", "would requeue", requeued->requeued,
			      requeued->passed_over, requeued->more);
	sevq_free(requeued);
	return result;
}

enum sevq_exit
sevq_discard_dead_letters(struct sevq_client *client, struct sevq_options *options)
{
	struct sevq_discard_options wanted;
	struct sevq_discarded *discarded;
	enum sevq_exit result = SEVQ_EXIT_DONE;

	if (!take_arguments(options, options->discard, "--discard"))
		return SEVQ_EXIT_USAGE;
	sevq_discard_options_init(&wanted);
	wanted.dry_run = options->dry_run;
	wanted.reason = options->reason;
	wanted.address = options->address;
	if (options->discard) {
		wanted.ids = (const char *const *)options->arguments;
		wanted.id_count = (size_t)options->argument_count;
	} else {
		wanted.all = !sevq_names_session(&options->address);
		result = confirm(options, "--discard-all",
				 wanted.all ? "Discard the dead letters of all sessions?"
					    : "Discard the dead letters of the session?");
	}
	if (result != SEVQ_EXIT_DONE)
		return result;
	if (sevq_discard(client, &wanted, &discarded) != SEVQ_OK)
		return sevq_report(client);
	result = report_ended(client, options, "discarded", "would discard", discarded->discarded,
			      discarded->passed_over, discarded->more);
	sevq_free(discarded);
	return result;
}
