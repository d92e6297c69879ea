/*
 * What commands share: the session that an argument names, printing events.
 */
#include "client/command/command.h"

#include <unistd.h>

#include "client/command/say.h"
#include "client/command/table.h"

bool
sevq_take_key_argument(struct sevq_options *options)
{
	if (options->argument_count > 0 && options->address.session_key != NULL) {
		sevq_report_usage("two sessions given: give KEY or --session-key, not both");
		return false;
	}
	if (options->argument_count > 0)
		options->address.session_key = options->arguments[0];
	if (options->address.session_key == NULL && options->address.agent_id == NULL) {
		sevq_report_usage(
		    "which session? give its key, such as agent:main:main, or --agent ID");
		return false;
	}
	if (options->exact && options->address.session_key == NULL) {
		sevq_report_usage("--exact needs a session key");
		return false;
	}
	if (options->exact) { /* the server refuses what else names a session */
		options->address.queue_key = options->address.session_key;
		options->address.session_key = NULL;
	}
	return true;
}

bool
sevq_take_optional_key(struct sevq_options *options)
{
	const struct sevq_address *address = &options->address;

	if (options->argument_count > 1) {
		sevq_report_usage("two sessions given: %s and %s", options->arguments[0],
				  options->arguments[1]);
		return false;
	}
	if (options->argument_count > 0 || sevq_names_session(address))
		return sevq_take_key_argument(options);
	if (options->exact || address->channel != NULL || address->account_id != NULL) {
		sevq_report_usage("%s needs a session key", options->exact ? "--exact"
							    : address->channel != NULL
								? "--channel"
								: "--account-id");
		return false;
	}
	return true;
}

bool
sevq_names_session(const struct sevq_address *address)
{
	return address->session_key != NULL || address->agent_id != NULL ||
	       address->queue_key != NULL;
}

void
sevq_print_json(const struct sevq_client *client)
{
	sevq_say_json(stdout, sevq_last_answer(client, NULL));
}

void
sevq_print_ids(struct sevq_event *const *events, size_t count)
{
	size_t i;

	for (i = 0; i < count; i++)
		sevq_say(stdout, "%s", events[i]->id);
}

void
sevq_print_events(struct sevq_event *const *events, size_t count, bool states)
{
	const struct sevq_column columns[] = {
		{ "ID", true },       { isatty(STDOUT_FILENO) ? "AGE" : "TIME", true },
		{ "STATE", false },   { "SOURCE", false },
		{ "CONTEXT", false }, { "TEXT", false }
	};
	struct sevq_table table;
	size_t i;

	sevq_table_init(&table, columns, sizeof(columns) / sizeof(columns[0]));
	for (i = 0; i < count; i++) {
		sevq_table_add(&table, events[i]->id);
		sevq_table_add_time(&table, events[i]->ts_ms);
		sevq_table_add(&table, states ? events[i]->state : NULL);
		sevq_table_add(&table, events[i]->source);
		sevq_table_add(&table, events[i]->context_key);
		sevq_table_add(&table, events[i]->text);
	}
	sevq_table_print(&table);
	sevq_table_clear(&table);
}
