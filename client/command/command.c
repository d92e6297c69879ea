/*
 * What commands share: reporting a failure, the session that an argument names, printing events.
 */
#include "client/command/command.h"

#include <stdarg.h>
#include <stdlib.h>

#include <unistd.h>

#include "client/command/memory.h"
#include "client/command/say.h"
#include "client/command/table.h"

enum sevq_exit
sevq_report_usage(const char *fmt, ...)
{
	va_list ap;
	char *mistake;
	int len;

	va_start(ap, fmt);
	len = vasprintf(&mistake, fmt, ap);
	va_end(ap);
	sevq_allocated(len < 0 ? NULL : mistake);
	sevq_say(stderr, "sevq: %s (see sevq --help)", mistake);
	free(mistake);
	return SEVQ_EXIT_USAGE;
}

static enum sevq_exit
exit_code(enum sevq_code code)
{
	switch (code) {
	case SEVQ_OK:
		return SEVQ_EXIT_DONE;
	case SEVQ_UNAUTHORIZED:
	case SEVQ_FORBIDDEN:
		return SEVQ_EXIT_NOT_ALLOWED;
	case SEVQ_NOT_FOUND:
		return SEVQ_EXIT_NOTHING;
	default:
		return sevq_code_retryable(code) ? SEVQ_EXIT_TRY_AGAIN : SEVQ_EXIT_FAILED;
	}
}

enum sevq_exit
sevq_report(const struct sevq_client *client)
{
	enum sevq_code code = sevq_error_code(client);
	const char *message = sevq_error_message(client);

	if (code == SEVQ_UNREACHABLE)
		sevq_say(stderr,
			 "sevq: %s; start a server with `sevqd`, or name it with --base-url or "
			 "SEVQ_URL",
			 message);
	else if (code == SEVQ_UNAUTHORIZED)
		sevq_say(stderr,
			 "sevq: %s; give the server's token with --token-file or SEVQ_TOKEN_FILE",
			 message);
	else if (sevq_retry_after(client) > 0)
		sevq_say(stderr, "sevq: %s; try again in %ld s", message, sevq_retry_after(client));
	else
		sevq_say(stderr, "sevq: %s", message);
	return exit_code(code);
}

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
		sevq_report_usage("no session given: give a session key or --agent ID");
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

void
sevq_print_json(const struct sevq_client *client)
{
	sevq_say_json(sevq_last_answer(client, NULL));
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
