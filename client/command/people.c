/*
 * sevq consumers, leases - who has asked for events, and who holds some.
 */
#include <unistd.h>

#include "client/command/command.h"
#include "client/command/say.h"
#include "client/command/table.h"

static const char *
age_title(const char *title)
{
	return isatty(STDOUT_FILENO) ? title : "TIME";
}

static void
print_askers(const struct sevq_askers *askers)
{
	const struct sevq_column columns[] = { { age_title("LAST"), true }, { "KIND", false },
					       { "WAITING", true },         { "TAKEN", true },
					       { "CONSUMER", false },       { "TOKEN", false },
					       { "RULE", false },           { "QUEUE", false },
					       { "ASKED FOR", false } };
	struct sevq_table table;
	size_t i;

	sevq_table_init(&table, columns, sizeof(columns) / sizeof(columns[0]));
	for (i = 0; i < askers->count; i++) {
		const struct sevq_asker *asker = askers->askers[i];

		sevq_table_add_time(&table, asker->last_ts_ms);
		sevq_table_add(&table, asker->kind);
		sevq_table_add_number(&table, asker->waiting_now);
		sevq_table_add_number(&table, asker->taken);
		sevq_table_add(&table, asker->consumer);
		sevq_table_add(&table, asker->token);
		sevq_table_add(&table, asker->rule);
		sevq_table_add(&table, asker->queue_key);
		sevq_table_add(&table, asker->asked_key);
	}
	sevq_table_print(&table);
	sevq_table_clear(&table);
}

enum sevq_exit
sevq_run_consumers(struct sevq_client *client, struct sevq_options *options)
{
	struct sevq_consumers_options wanted;
	struct sevq_askers *askers;
	enum sevq_exit result;

	sevq_consumers_options_init(&wanted);
	if (options->exact && options->argument_count == 0)
		return sevq_report_usage("--exact needs a session key");
	if (options->argument_count > 0)
		*(options->exact ? &wanted.queue_key : &wanted.asked_key) = options->arguments[0];
	wanted.limit = (size_t)options->limit;
	if (sevq_consumers(client, &wanted, &askers) != SEVQ_OK)
		return sevq_report(client);
	if (options->json)
		sevq_print_json(client);
	else if (askers->count > 0)
		print_askers(askers);
	else
		sevq_say(stderr, "nobody has asked since the server started");
	result = askers->count > 0 ? SEVQ_EXIT_DONE : SEVQ_EXIT_NOTHING;
	sevq_free(askers);
	return result;
}

static void
print_leases(const struct sevq_leases *leases)
{
	const struct sevq_column columns[] = { { "LEASE", true },     { "UNTIL", true },
					       { "EVENTS", true },    { "EXCLUSIVE", false },
					       { "CONSUMER", false }, { "QUEUE", false } };
	struct sevq_table table;
	char until[SEVQ_TIME_BYTES];
	size_t i;

	sevq_table_init(&table, columns, sizeof(columns) / sizeof(columns[0]));
	for (i = 0; i < leases->count; i++) {
		const struct sevq_holding *lease = leases->leases[i];

		sevq_table_add(&table, lease->lease_id);
		sevq_table_add(&table, sevq_time_text(lease->expires_at_ms, until));
		sevq_table_add_number(&table, lease->leased);
		sevq_table_add(&table, lease->exclusive ? "yes" : "");
		sevq_table_add(&table, lease->consumer);
		sevq_table_add(&table, lease->session_key);
	}
	sevq_table_print(&table);
	sevq_table_clear(&table);
	fflush(stdout);
	if (leases->next_cursor != NULL)
		sevq_say(stderr, "the next page: --cursor %s", leases->next_cursor);
}

static void
print_lease_ids(const struct sevq_leases *leases)
{
	size_t i;

	for (i = 0; i < leases->count; i++)
		sevq_say(stdout, "%s", leases->leases[i]->lease_id);
}

enum sevq_exit
sevq_run_leases(struct sevq_client *client, struct sevq_options *options)
{
	struct sevq_leases_options wanted;
	struct sevq_leases *leases;
	enum sevq_exit result;

	sevq_leases_options_init(&wanted);
	wanted.queue_key = options->argument_count > 0 ? options->arguments[0] : NULL;
	wanted.consumer = options->consumer;
	wanted.limit = (size_t)options->limit;
	wanted.cursor = options->cursor;
	if (sevq_leases(client, &wanted, &leases) != SEVQ_OK)
		return sevq_report(client);
	if (options->json)
		sevq_print_json(client);
	else if (options->quiet)
		print_lease_ids(leases);
	else if (leases->count > 0)
		print_leases(leases);
	else
		sevq_say(stderr, "no leases hold events");
	result = leases->count > 0 ? SEVQ_EXIT_DONE : SEVQ_EXIT_NOTHING;
	sevq_free(leases);
	return result;
}
