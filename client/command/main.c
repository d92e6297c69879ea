/*
 * sevq - the table of commands, running the one that the command line names, and the help.
 */
#include <locale.h>

#include "client/command/command.h"
#include "client/command/complete.h"
#include "client/command/near.h"
#include "client/completions.h"

/* clang-format off */
#define WITH(name) SEVQ_WITH(SEVQ_OPTION_##name)
#define WITH_ADDRESS (WITH(SESSION_KEY) | WITH(AGENT) | WITH(CHANNEL) | WITH(ACCOUNT_ID))

static enum sevq_exit run_completion(struct sevq_client *client, struct sevq_options *options);

static const struct sevq_command commands[] = {
	{ "event", "[KEY] TEXT|-", "enqueue an event, without a key for the main session", 0, -1,
	  WITH(QUIET) | WITH_ADDRESS | WITH(TEXT) | WITH(LINES) | WITH(LOSSY) | WITH(CONTEXT_KEY) |
	      WITH(SOURCE) | WITH(WAKE) | WITH(REPLACE) | WITH(ALLOW_DUPLICATE) | WITH(DELIVERY) |
	      WITH(TRACEPARENT) | WITH(DELAY) | WITH(TTL) | WITH(IDEMPOTENCY_KEY), .run = sevq_run_event },
	{ "drain", "[KEY]", "take the events of a session for good, oldest first", 0, 1,
	  WITH(QUIET) | WITH_ADDRESS | WITH(LIMIT) | WITH(CONTEXT_KEY_PREFIX) | WITH(FORMAT) |
	      WITH(IDEMPOTENCY_KEY), .run = sevq_run_drain },
	{ "lease", "[KEY]", "take the events of a session until you acknowledge them", 0, 1,
	  WITH(QUIET) | WITH_ADDRESS | WITH(LIMIT) | WITH(CONTEXT_KEY_PREFIX) | WITH(FORMAT) | WITH(FOR) |
	      WITH(CONSUMER) | WITH(EXCLUSIVE) | WITH(IDEMPOTENCY_KEY), .run = sevq_run_lease },
	{ "ack", "LEASE [ID...]", "acknowledge leased events: they are done", 1, -1,
	  0, .run = sevq_run_ack },
	{ "nack", "LEASE [ID...]", "give leased events back to the queue", 1, -1,
	  WITH(DELAY) | WITH(REASON) | WITH(NO_COUNT), .run = sevq_run_nack },
	{ "extend", "LEASE [ID...]", "extend the lease of events", 1, -1,
	  WITH(FOR), .run = sevq_run_extend },
	{ "run", "[KEY] -- COMMAND [ARG...]", "run a command whenever a session has events", 1, -1,
	  WITH_ADDRESS | WITH(LIMIT) | WITH(CONTEXT_KEY_PREFIX) | WITH(FOR) | WITH(CONSUMER) |
	      WITH(EXCLUSIVE) | WITH(ONCE) | WITH(MAX_ROUNDS) | WITH(BACKOFF) | WITH(BACKOFF_MAX) |
	      WITH(MIN_INTERVAL) | WITH(DEBOUNCE) | WITH(MAX_PER_MINUTE),
	  .run = sevq_run_run, .starts = true, .own_timeout = true },
	{ "wait", "[KEY]", "wait until a session has events", 0, 1,
	  WITH_ADDRESS | WITH(CONTEXT_KEY_PREFIX) | WITH(FORMAT) | WITH(EXCLUSIVE) | WITH(WAKE),
	  .run = sevq_run_wait, .own_timeout = true },
	{ "tail", "[KEY]", "print which sessions get events, as it happens", 0, 1,
	  WITH_ADDRESS | WITH(PREFIX) | WITH(LIMIT), .run = sevq_run_tail },
	{ "peek", "[KEY]", "show the events of a session without taking them", 0, 1,
	  WITH(QUIET) | WITH_ADDRESS | WITH(EXACT) | WITH(LIMIT) | WITH(AFTER), .run = sevq_run_peek },
	{ "show", "ID", "show an event and what happened to it", 1, 1,
	  WITH(LIMIT) | WITH(CURSOR), .run = sevq_run_show },
	{ "consume", "KEY ID...", "take exactly these events of a session for good", 2, -1,
	  WITH(QUIET) | WITH(AGENT) | WITH(CHANNEL) | WITH(ACCOUNT_ID), .run = sevq_run_consume },
	{ "withdraw", "ID", "remove one event that is still queued", 1, 1,
	  0, .run = sevq_run_withdraw },
	{ "purge", "[KEY]", "remove the events of a session", 0, 1,
	  WITH_ADDRESS | WITH(EXACT) | WITH(CONTEXT_KEY) | WITH(YES), .run = sevq_run_purge },
	{ "sessions", "", "list the sessions that have events", 0, 0,
	  WITH(QUIET) | WITH(SESSION_KEY) | WITH(AGENT) | WITH(PREFIX) | WITH(CONTAINS) | WITH(PROBLEM) |
	      WITH(MIN_AGE) | WITH(SORT) | WITH(LIMIT) | WITH(CURSOR), .run = sevq_run_sessions },
	{ "history", "[KEY]", "list events that left their queue, newest first", 0, 1,
	  WITH(QUIET) | WITH_ADDRESS | WITH(EXACT) | WITH(STATE) | WITH(SOURCE) | WITH(REASON) | WITH(SINCE) | WITH(UNTIL) |
	      WITH(LIMIT) | WITH(CURSOR), .run = sevq_run_history },
	{ "dead-letters", "[KEY|ID...]", "list dead letters, enqueue them again, or discard them", 0, -1,
	  WITH(QUIET) | WITH_ADDRESS | WITH(EXACT) | WITH(REASON) | WITH(LIMIT) | WITH(CURSOR) | WITH(REQUEUE) |
	      WITH(REQUEUE_ALL) | WITH(DISCARD) | WITH(DISCARD_ALL) | WITH(YES) | WITH(DRY_RUN) |
	      WITH(RATE), .run = sevq_run_dead_letters },
	{ "route", "[KEY]", "show which queue a session key is routed to, and why", 0, 1,
	  WITH_ADDRESS, .run = sevq_run_route },
	{ "rekey", "[KEY]", "move events whose key the policy leads elsewhere by now", 0, 1,
	  WITH(LIMIT) | WITH(DRY_RUN) | WITH(WAIT), .run = sevq_run_rekey },
	{ "backup", "[NAME]", "copy the server's database while it is in use", 0, 1,
	  0, .run = sevq_run_backup },
	{ "token", "add|list|revoke [NAME|DIGEST]", "change who may call the server", 1, 2,
	  WITH(NAME) | WITH(SCOPE) | WITH(AGENT) | WITH(EXPIRES) | WITH(YES), .run = sevq_run_token, .local = true },
	{ "why", "[KEY]", "tell why the events of a session key are not taken, and what to do", 0, 1,
	  WITH_ADDRESS, .run = sevq_run_why },
	{ "consumers", "[KEY]", "list who has asked for events lately, under which key", 0, 1,
	  WITH(EXACT) | WITH(LIMIT), .run = sevq_run_consumers },
	{ "leases", "[KEY]", "list who holds events, and until when", 0, 1,
	  WITH(QUIET) | WITH(CONSUMER) | WITH(LIMIT) | WITH(CURSOR), .run = sevq_run_leases },
	{ "policy", "", "show the policy in force", 0, 0,
	  0, .run = sevq_run_policy },
	{ "page", "", "open the server's page in a browser", 0, 0,
	  WITH(ADMIN) | WITH(PRINT), .run = sevq_run_page },
	{ "status", "", "tell whether the server is there and well, and what is queued", 0, 0,
	  0, .run = sevq_run_status },
	{ "version", "", "print the versions of the command and the server", 0, 0,
	  0, .run = sevq_run_version },
	{ "stats", "", "print the server's counters", 0, 0,
	  0, .run = sevq_run_stats },
	{ "completion", "bash|zsh|fish", "print the completion for a shell, to be sourced", 1, -1,
	  0, .run = run_completion, .local = true },
};
/* clang-format on */

#define COMMAND_COUNT (sizeof(commands) / sizeof(commands[0]))

/*
 * The scripts ask `sevq completion words -- WORD...` what may stand for the last word. Like the
 * script that is printed, that is found without a server, unless it is a session key.
 */
static enum sevq_exit
run_completion(struct sevq_client *client, struct sevq_options *options)
{
	static const struct {
		const char *shell, *script;
	} shells[] = { { "bash", completion_bash },
		       { "zsh", completion_zsh },
		       { "fish", completion_fish } };
	const char *shell = options->arguments[0];
	size_t i;

	(void)client;
	if (strcmp(shell, "words") == 0) {
		sevq_complete(commands, COMMAND_COUNT, options->arguments + 1,
			      (size_t)options->argument_count - 1);
		return SEVQ_EXIT_DONE;
	}
	for (i = 0; i < sizeof(shells) / sizeof(shells[0]); i++)
		if (strcmp(shells[i].shell, shell) == 0 && options->argument_count == 1) {
			fputs(shells[i].script, stdout);
			return SEVQ_EXIT_DONE;
		}
	return sevq_report_usage("for which shell? bash, zsh or fish");
}

static const struct sevq_command *
find_command(const char *name)
{
	size_t i;

	for (i = 0; i < COMMAND_COUNT; i++)
		if (strcmp(commands[i].name, name) == 0)
			return &commands[i];
	return NULL;
}

/* What other programs call a command. */
static const struct {
	const char *word, *command;
} other_words[] = {
	{ "info", "status" },         { "health", "status" },   { "ping", "status" },
	{ "add", "event" },           { "send", "event" },      { "post", "event" },
	{ "push", "event" },          { "publish", "event" },   { "enqueue", "event" },
	{ "pop", "drain" },           { "take", "drain" },      { "get", "drain" },
	{ "receive", "drain" },       { "dequeue", "drain" },   { "list", "sessions" },
	{ "ls", "sessions" },         { "queues", "sessions" }, { "delete", "withdraw" },
	{ "rm", "withdraw" },         { "cancel", "withdraw" }, { "clear", "purge" },
	{ "watch", "tail" },          { "follow", "tail" },     { "subscribe", "tail" },
	{ "renew", "extend" },        { "release", "nack" },    { "retry", "dead-letters" },
	{ "requeue", "dead-letters" }
};

/* Reports a word that is no command, and the one that was probably meant. */
static enum sevq_exit
report_unknown(const char *word)
{
	struct sevq_near near = { .word = word };
	size_t i;

	for (i = 0; i < COMMAND_COUNT; i++)
		sevq_near_offer(&near, commands[i].name);
	for (i = 0; i < sizeof(other_words) / sizeof(other_words[0]); i++)
		if (strcmp(other_words[i].word, word) == 0)
			near.best = other_words[i].command;
	if (near.best != NULL)
		return sevq_report_usage("no command %s; did you mean sevq %s?", word, near.best);
	return sevq_report_usage("no command %s", word);
}

static void
explain_all(FILE *out)
{
	size_t i;

	fputs("usage: sevq [OPTION...] COMMAND [ARGUMENT...]\n\n"
	      "The command line of sevqd, a durable queue for the system events of agents.\n"
	      "`sevq help COMMAND` lists the options of a command.\n\n",
	      out);
	for (i = 0; i < COMMAND_COUNT; i++)
		fprintf(out, "  %-12s %-25s %s\n", commands[i].name, commands[i].arguments,
			commands[i].about);
	fprintf(out, "  %-12s %-25s %s\n\n", "help", "[COMMAND]",
		"print this help, or that of a command");
	sevq_options_explain_common(out, true);
	fputs("\nexit status: 0 done, 1 failed, 2 wrong usage, 3 nothing there, 4 not allowed, "
	      "75 try again\n",
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
	sevq_options_explain_common(stdout, false);
}

static enum sevq_exit
connect_and_run(const struct sevq_command *command, struct sevq_options *options)
{
	struct sevq_connect_options connect;
	struct sevq_client *client;
	enum sevq_exit result;

	if (command->local)
		return command->run(NULL, options);
	sevq_connect_options_init(&connect);
	connect.base_url = options->base_url;
	connect.token = options->token;
	connect.token_file = options->token_file;
	connect.ca_file = options->ca_file;
	connect.cert_file = options->cert_file;
	connect.key_file = options->key_file;
	if (!command->own_timeout)
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
		return report_unknown(argv[1]);
	if (command != NULL)
		explain(command);
	else
		explain_all(stdout);
	return SEVQ_EXIT_DONE;
}

static enum sevq_exit
check_arguments(const struct sevq_command *command, const struct sevq_options *options)
{
	if (options->key_file != NULL && options->cert_file == NULL)
		return sevq_report_usage("--key is that of --cert; a session is --session-key");
	if (options->argument_count < command->arguments_min)
		return sevq_report_usage("something is missing: sevq %s %s", command->name,
					 command->arguments);
	if (command->arguments_max == 0 && options->argument_count > 0)
		return sevq_report_usage("it takes no %s, only options", options->arguments[0]);
	if (command->arguments_max > 0 && options->argument_count > command->arguments_max)
		return sevq_report_usage("%s is too much: sevq %s %s",
					 options->arguments[command->arguments_max], command->name,
					 command->arguments);
	return SEVQ_EXIT_DONE;
}

/* argv[0] is the command's name. */
static enum sevq_exit
run_command(int argc, char **argv, struct sevq_options *options)
{
	const struct sevq_command *command = find_command(argv[0]);

	if (strcmp(argv[0], "help") == 0)
		return run_help(argc, argv);
	if (command == NULL)
		return report_unknown(argv[0]);
	sevq_report_as(command->name);
	if (command->starts)
		sevq_report_json(false);
	if (sevq_options_read(argc, argv, command->options, false, options) != 0)
		return SEVQ_EXIT_USAGE;
	if (options->help) {
		explain(command);
		return SEVQ_EXIT_DONE;
	}
	if (options->json && options->quiet)
		return sevq_report_usage("--json and --quiet exclude each other");
	if (check_arguments(command, options) != SEVQ_EXIT_DONE)
		return SEVQ_EXIT_USAGE;
	return connect_and_run(command, options);
}

static enum sevq_exit
run(int argc, char **argv)
{
	struct sevq_options options = { 0 };

	sevq_report_json(sevq_options_want_json(argc, argv));
	if (sevq_options_read(argc, argv, 0, true, &options) != 0)
		return SEVQ_EXIT_USAGE;
	if (options.version) {
		printf("sevq %s\n", sevq_version());
		return SEVQ_EXIT_DONE;
	}
	if (options.help) {
		explain_all(stdout);
		return SEVQ_EXIT_DONE;
	}
	if (options.argument_count == 0 && options.json)
		return sevq_report_usage("no command given");
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
