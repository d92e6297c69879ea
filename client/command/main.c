/*
 * sevq - the table of commands, running the one that the command line names, and the help.
 */
#include <locale.h>

#include "client/command/command.h"

/* clang-format off */
#define WITH_ADDRESS (SEVQ_WITH(SEVQ_OPTION_SESSION_KEY) | SEVQ_WITH(SEVQ_OPTION_AGENT) | SEVQ_WITH(SEVQ_OPTION_CHANNEL) | SEVQ_WITH(SEVQ_OPTION_ACCOUNT))

static const struct sevq_command commands[] = {
	{ "event", "[TEXT|-]", "queue an event", 0, 1,
	  WITH_ADDRESS | SEVQ_WITH(SEVQ_OPTION_TEXT) | SEVQ_WITH(SEVQ_OPTION_LINES) | SEVQ_WITH(SEVQ_OPTION_CONTEXT_KEY) |
	      SEVQ_WITH(SEVQ_OPTION_SOURCE) | SEVQ_WITH(SEVQ_OPTION_MODE) | SEVQ_WITH(SEVQ_OPTION_REPLACE) |
	      SEVQ_WITH(SEVQ_OPTION_ALLOW_DUPLICATE) | SEVQ_WITH(SEVQ_OPTION_DELIVERY) | SEVQ_WITH(SEVQ_OPTION_TRACEPARENT) |
	      SEVQ_WITH(SEVQ_OPTION_DELAY) | SEVQ_WITH(SEVQ_OPTION_TTL) | SEVQ_WITH(SEVQ_OPTION_IDEMPOTENCY_KEY),
	  sevq_run_event },
	{ "drain", "[KEY]", "take the events of a session, oldest first, and forget them", 0, 1,
	  WITH_ADDRESS | SEVQ_WITH(SEVQ_OPTION_LIMIT) | SEVQ_WITH(SEVQ_OPTION_CONTEXT_PREFIX) | SEVQ_WITH(SEVQ_OPTION_FORMAT) |
	      SEVQ_WITH(SEVQ_OPTION_IDEMPOTENCY_KEY), sevq_run_drain },
	{ "lease", "[KEY]", "take the events of a session until they are acked, or else come back", 0, 1,
	  WITH_ADDRESS | SEVQ_WITH(SEVQ_OPTION_LIMIT) | SEVQ_WITH(SEVQ_OPTION_CONTEXT_PREFIX) | SEVQ_WITH(SEVQ_OPTION_FORMAT) |
	      SEVQ_WITH(SEVQ_OPTION_FOR) | SEVQ_WITH(SEVQ_OPTION_CONSUMER) | SEVQ_WITH(SEVQ_OPTION_EXCLUSIVE) |
	      SEVQ_WITH(SEVQ_OPTION_IDEMPOTENCY_KEY), sevq_run_lease },
	{ "ack", "LEASE [ID...]", "be done with leased events", 1, -1, 0, sevq_run_ack },
	{ "nack", "LEASE [ID...]", "give leased events back", 1, -1,
	  SEVQ_WITH(SEVQ_OPTION_DELAY) | SEVQ_WITH(SEVQ_OPTION_REASON) | SEVQ_WITH(SEVQ_OPTION_NO_COUNT), sevq_run_nack },
	{ "extend", "LEASE [ID...]", "keep leased events longer", 1, -1, SEVQ_WITH(SEVQ_OPTION_FOR), sevq_run_extend },
	{ "run", "[KEY] -- COMMAND [ARG...]", "wait for events and give them to a command, again and again", 1, -1,
	  WITH_ADDRESS | SEVQ_WITH(SEVQ_OPTION_LIMIT) | SEVQ_WITH(SEVQ_OPTION_CONTEXT_PREFIX) | SEVQ_WITH(SEVQ_OPTION_FOR) |
	      SEVQ_WITH(SEVQ_OPTION_CONSUMER) | SEVQ_WITH(SEVQ_OPTION_EXCLUSIVE) | SEVQ_WITH(SEVQ_OPTION_ONCE) |
	      SEVQ_WITH(SEVQ_OPTION_MAX_ROUNDS) | SEVQ_WITH(SEVQ_OPTION_BACKOFF) | SEVQ_WITH(SEVQ_OPTION_BACKOFF_MAX), sevq_run_run },
	{ "wait", "[KEY]", "wait until a session has events", 0, 1, WITH_ADDRESS, sevq_run_wait },
	{ "tail", "[KEY]", "say which sessions get events, as it happens", 0, 1,
	  WITH_ADDRESS | SEVQ_WITH(SEVQ_OPTION_PREFIX) | SEVQ_WITH(SEVQ_OPTION_LIMIT), sevq_run_tail },
	{ "peek", "[KEY]", "show the events of a session, oldest first, and leave them", 0, 1,
	  WITH_ADDRESS | SEVQ_WITH(SEVQ_OPTION_LIMIT) | SEVQ_WITH(SEVQ_OPTION_AFTER), sevq_run_peek },
	{ "show", "ID", "show an event and what has happened to it", 1, 1, 0, sevq_run_show },
	{ "consume", "KEY ID...", "take exactly these events of a session", 2, -1,
	  SEVQ_WITH(SEVQ_OPTION_AGENT) | SEVQ_WITH(SEVQ_OPTION_CHANNEL) | SEVQ_WITH(SEVQ_OPTION_ACCOUNT), sevq_run_consume },
	{ "withdraw", "ID", "take back one event that is still queued", 1, 1, 0, sevq_run_withdraw },
	{ "purge", "[KEY]", "throw away the events of a session", 0, 1,
	  WITH_ADDRESS | SEVQ_WITH(SEVQ_OPTION_CONTEXT_KEY) | SEVQ_WITH(SEVQ_OPTION_YES), sevq_run_purge },
	{ "sessions", "", "list what is queued where", 0, 0,
	  SEVQ_WITH(SEVQ_OPTION_SESSION_KEY) | SEVQ_WITH(SEVQ_OPTION_AGENT) | SEVQ_WITH(SEVQ_OPTION_PREFIX) |
	      SEVQ_WITH(SEVQ_OPTION_MIN_AGE) | SEVQ_WITH(SEVQ_OPTION_SORT) | SEVQ_WITH(SEVQ_OPTION_LIMIT) |
	      SEVQ_WITH(SEVQ_OPTION_CURSOR), sevq_run_sessions },
	{ "history", "[KEY]", "list events that are gone, newest first", 0, 1,
	  WITH_ADDRESS | SEVQ_WITH(SEVQ_OPTION_STATE) | SEVQ_WITH(SEVQ_OPTION_SOURCE) | SEVQ_WITH(SEVQ_OPTION_SINCE) |
	      SEVQ_WITH(SEVQ_OPTION_UNTIL) | SEVQ_WITH(SEVQ_OPTION_LIMIT) | SEVQ_WITH(SEVQ_OPTION_CURSOR), sevq_run_history },
	{ "dead-letters", "[KEY|ID...]", "list events that nobody got, or queue them anew", 0, -1,
	  WITH_ADDRESS | SEVQ_WITH(SEVQ_OPTION_LIMIT) | SEVQ_WITH(SEVQ_OPTION_CURSOR) | SEVQ_WITH(SEVQ_OPTION_REQUEUE) |
	      SEVQ_WITH(SEVQ_OPTION_REQUEUE_ALL) | SEVQ_WITH(SEVQ_OPTION_YES) | SEVQ_WITH(SEVQ_OPTION_DRY_RUN) | SEVQ_WITH(SEVQ_OPTION_RATE),
	  sevq_run_dead_letters },
	{ "route", "[KEY]", "say which queue a session key means, and why", 0, 1, WITH_ADDRESS, sevq_run_route },
	{ "stats", "", "print the server's counters", 0, 0, 0, sevq_run_stats },
};
/* clang-format on */

#define COMMAND_COUNT (sizeof(commands) / sizeof(commands[0]))

static const struct sevq_command *
find_command(const char *name)
{
	size_t i;

	for (i = 0; i < COMMAND_COUNT; i++)
		if (strcmp(commands[i].name, name) == 0)
			return &commands[i];
	return NULL;
}

static void
explain_all(FILE *out)
{
	size_t i;

	fputs("usage: sevq [OPTION...] COMMAND [ARGUMENT...]\n\nTalks to sevqd, the queue of "
	      "system events.\n\n",
	      out);
	for (i = 0; i < COMMAND_COUNT; i++)
		fprintf(out, "  %-12s %-25s %s\n", commands[i].name, commands[i].arguments,
			commands[i].about);
	fprintf(out, "  %-12s %-25s %s\n\n", "help", "[COMMAND]", "explain");
	sevq_options_explain(out, SEVQ_WITH_COMMON | SEVQ_WITH(SEVQ_OPTION_VERSION));
	fputs("\nexit: 0 done, 1 failed, 2 usage, 3 nothing there, 4 not allowed, 75 try again\n",
	      out);
}

static void
explain(const struct sevq_command *command)
{
	printf("usage: sevq %s [OPTION...]%s%s\n\n  %s\n\n", command->name,
	       command->arguments[0] != '\0' ? " " : "", command->arguments, command->about);
	sevq_options_explain(stdout, command->options);
	if (command->options != 0)
		putchar('\n');
	sevq_options_explain(stdout, SEVQ_WITH_COMMON);
}

static enum sevq_exit
connect_and_run(const struct sevq_command *command, struct sevq_options *options)
{
	struct sevq_connect_options connect;
	struct sevq_client *client;
	enum sevq_exit result;

	sevq_connect_options_init(&connect);
	connect.base_url = options->base_url;
	connect.token = options->token;
	connect.token_file = options->token_file;
	connect.timeout_ms = (long)options->timeout_ms;
	connect.user_agent = "sevq/" SEVQ_VERSION;
	result = sevq_connect(&connect, &client) == SEVQ_OK ? command->run(client, options)
							    : sevq_report(client);
	sevq_close(client);
	return result;
}

static enum sevq_exit
run_help(int argc, char **argv)
{
	const struct sevq_command *command = argc > 1 ? find_command(argv[1]) : NULL;

	if (argc > 1 && command == NULL && strcmp(argv[1], "help") != 0)
		return sevq_report_usage("no command %s", argv[1]);
	if (command != NULL)
		explain(command);
	else
		explain_all(stdout);
	return SEVQ_EXIT_DONE;
}

/* argv[0] is the command's name. */
static enum sevq_exit
run_command(int argc, char **argv, struct sevq_options *options)
{
	const struct sevq_command *command = find_command(argv[0]);
	char name[64];

	if (strcmp(argv[0], "help") == 0)
		return run_help(argc, argv);
	if (command == NULL)
		return sevq_report_usage("no command %s", argv[0]);
	snprintf(name, sizeof(name), "sevq %s", command->name);
	argv[0] = name; /* getopt starts its messages with it */
	if (sevq_options_read(argc, argv, command->options | SEVQ_WITH_COMMON, false, options) != 0)
		return SEVQ_EXIT_USAGE;
	if (options->help) {
		explain(command);
		return SEVQ_EXIT_DONE;
	}
	if (options->argument_count < command->arguments_min ||
	    (command->arguments_max >= 0 && options->argument_count > command->arguments_max))
		return sevq_report_usage("usage: sevq %s %s", command->name, command->arguments);
	return connect_and_run(command, options);
}

static enum sevq_exit
run(int argc, char **argv)
{
	struct sevq_options options = { 0 };

	if (sevq_options_read(argc, argv, SEVQ_WITH_COMMON | SEVQ_WITH(SEVQ_OPTION_VERSION), true,
			      &options) != 0)
		return SEVQ_EXIT_USAGE;
	if (options.version) {
		printf("sevq %s\n", sevq_version());
		return SEVQ_EXIT_DONE;
	}
	if (options.help) {
		explain_all(stdout);
		return SEVQ_EXIT_DONE;
	}
	if (options.argument_count == 0) {
		explain_all(stderr);
		return SEVQ_EXIT_USAGE;
	}
	return run_command(options.argument_count, options.arguments, &options);
}

int
main(int argc, char **argv)
{
	enum sevq_exit result;

	setlocale(LC_CTYPE, "");
	result = run(argc, argv);
	/* Drained events exist only in this output, so a failure to write it must be reported. */
	if (fflush(stdout) != 0 || ferror(stdout)) {
		perror("sevq: standard output");
		result = SEVQ_EXIT_FAILED;
	}
	return (int)result;
}
