/*
 * The server and the library name what is wrong as the API does: "limit must be ...". People know
 * it as --limit. Names of the API stand where a sentence begins, or are told by their capital
 * letters, and those of the library by their underscores.
 */
#include "client/command/report.h"

#include <ctype.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "client/buffer.h"
#include "client/command/memory.h"
#include "client/command/say.h"
#include "client/json.h"

#define TYPE_BYTES 64

static struct {
	const char *command; /* NULL: none yet */
	bool json;
} reporting;

void
sevq_report_as(const char *command)
{
	reporting.command = command;
}

void
sevq_report_json(bool json)
{
	reporting.json = json;
}

/* --- names --- */

/* What the fields of the API and of the library are on the command line. */
static const struct {
	const char *field, *word;
} fields[] = {
	{ "text", "the text" },
	{ "sessionKey", "the session key" },
	{ "queueKey", "the key" },
	{ "askedKey", "the key" },
	{ "agentId", "--agent" },
	{ "channel", "--channel" },
	{ "accountId", "--account-id" },
	{ "contextKey", "--context-key" },
	{ "contextKeyPrefix", "--context-key-prefix" },
	{ "deliveryContext", "--delivery" },
	{ "source", "--source" },
	{ "wake", "--wake" },
	{ "replace", "--replace" },
	{ "traceparent", "--traceparent" },
	{ "delayMs", "--delay" },
	{ "ttlMs", "--ttl" },
	{ "idempotencyKey", "--idempotency-key" },
	{ "leaseMs", "--for" },
	{ "timeoutMs", "--timeout" },
	{ "limit", "--limit" },
	{ "after", "--after" },
	{ "cursor", "--cursor" },
	{ "ids", "an id" },
	{ "minAgeMs", "--min-age" },
	{ "ratePerSecond", "--rate" },
	{ "state", "--state" },
	{ "sort", "--sort" },
	{ "problem", "--problem" },
	{ "prefix", "--prefix" },
	{ "contains", "--contains" },
	{ "since", "--since" },
	{ "until", "--until" },
	{ "reason", "--reason" },
	{ "consumer", "--consumer" },
	{ "format", "--format" },
	{ "name", "the name" },
	{ "ca_file", "--ca-file" },
	{ "cert_file", "--cert" },
};

/* Adds a word of a message. begins: it is the first of its sentence, and so may be a field. */
static void
add_word(struct sevq_buffer *out, const char *word, size_t len, bool begins)
{
	bool may_be_field = begins;
	size_t i;

	for (i = 1; i < len; i++)
		may_be_field |= islower((unsigned char)word[0]) &&
				(isupper((unsigned char)word[i]) || word[i] == '_');
	for (i = 0; may_be_field && i < sizeof(fields) / sizeof(fields[0]); i++)
		if (strlen(fields[i].field) == len && memcmp(fields[i].field, word, len) == 0) {
			sevq_buffer_adds(out, fields[i].word);
			return;
		}
	sevq_buffer_add(out, word, len);
}

/* The message with options for the names of fields. fields_first: sentences begin with a field. */
static char *
in_our_words(const char *message, bool fields_first)
{
	struct sevq_buffer out = { 0 };
	bool begins = fields_first;
	size_t len;

	sevq_buffer_adds(&out, "");
	while (*message != '\0') {
		for (len = 0; isalpha((unsigned char)message[len]) || message[len] == '_'; len++)
			;
		if (len > 0) {
			add_word(&out, message, len, begins);
			begins = false;
		} else {
			len = 1;
			sevq_buffer_add(&out, message, 1);
			begins = fields_first && (*message == ';' || *message == ':' ||
						  (*message == ' ' && begins));
		}
		message += len;
	}
	return sevq_allocated(sevq_buffer_take(&out));
}

/* --- reports --- */

static void
say_problem(const char *code, const char *title, const char *detail)
{
	cJSON *problem = sevq_allocated(cJSON_CreateObject());
	char type[TYPE_BYTES], *text;

	snprintf(type, sizeof(type), "urn:sevq:problem:%s", code);
	sevq_allocated(cJSON_AddStringToObject(problem, "type", type));
	sevq_allocated(cJSON_AddStringToObject(problem, "title", title));
	sevq_allocated(cJSON_AddStringToObject(problem, "detail", detail));
	sevq_allocated(cJSON_AddStringToObject(problem, "code", code));
	text = sevq_allocated(cJSON_PrintUnformatted(problem));
	sevq_say_json(stderr, text);
	cJSON_free(text);
	cJSON_Delete(problem);
}

static char *__attribute__((format(printf, 1, 0))) formatted(const char *fmt, va_list ap)
{
	char *text;

	return sevq_allocated(vasprintf(&text, fmt, ap) < 0 ? NULL : text);
}

enum sevq_exit
sevq_report_usage(const char *fmt, ...)
{
	const char *command = reporting.command;
	va_list ap;
	char *mistake;

	va_start(ap, fmt);
	mistake = formatted(fmt, ap);
	va_end(ap);
	if (reporting.json)
		say_problem("usage", "The command line is wrong", mistake);
	else if (command != NULL)
		sevq_say(stderr, "sevq %s: %s (see sevq help %s)", command, mistake, command);
	else
		sevq_say(stderr, "sevq: %s (see sevq help)", mistake);
	free(mistake);
	return SEVQ_EXIT_USAGE;
}

enum sevq_exit
sevq_report_failure(const char *fmt, ...)
{
	va_list ap;
	char *what;

	va_start(ap, fmt);
	what = formatted(fmt, ap);
	va_end(ap);
	if (reporting.json)
		say_problem("failed", "The command failed", what);
	else
		sevq_say(stderr, "sevq: %s", what);
	free(what);
	return SEVQ_EXIT_FAILED;
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

/* What to do about a failure, behind its message. command NULL: of any. */
static const struct {
	enum sevq_code code;
	const char *command, *advice;
} advices[] = {
	{ SEVQ_UNREACHABLE, NULL,
	  "; start a server with `sevqd`, or name it with --base-url or SEVQ_URL" },
	{ SEVQ_UNAUTHORIZED, NULL,
	  "; give the server's token with --token-file or SEVQ_TOKEN_FILE" },
	{ SEVQ_REROUTED, "purge", "; name that one, or say --exact" },
	{ SEVQ_NOT_FOUND, "ack", "; sevq leases lists those that hold events" },
	{ SEVQ_NOT_FOUND, "nack", "; sevq leases lists those that hold events" },
	{ SEVQ_NOT_FOUND, "extend", "; sevq leases lists those that hold events" },
	{ SEVQ_NOT_FOUND, "withdraw", "; sevq peek KEY lists those that are pending" },
	{ SEVQ_NOT_FOUND, "show", "; sevq peek and sevq history list ids" },
};

static const char *
advice(enum sevq_code code)
{
	size_t i;

	for (i = 0; i < sizeof(advices) / sizeof(advices[0]); i++)
		if (advices[i].code == code &&
		    (advices[i].command == NULL ||
		     (reporting.command != NULL &&
		      strcmp(advices[i].command, reporting.command) == 0)))
			return advices[i].advice;
	return "";
}

enum sevq_exit
sevq_report(const struct sevq_client *client)
{
	enum sevq_code code = sevq_error_code(client);
	char *message = in_our_words(sevq_error_message(client), code == SEVQ_INVALID_FIELD);

	if (reporting.json && code >= SEVQ_PROBLEM)
		sevq_say_json(stderr, sevq_last_answer(client, NULL));
	else if (reporting.json)
		say_problem(sevq_code_name(code), "The call failed", message);
	else if (sevq_retry_after(client) > 0)
		sevq_say(stderr, "sevq: %s; try again in %ld s", message, sevq_retry_after(client));
	else
		sevq_say(stderr, "sevq: %s%s", message, advice(code));
	free(message);
	return exit_code(code);
}
