/*
 * Reads the words as the command itself would, but forgives what is not finished: the last word is
 * a value, an option, a command or an argument, by the words before it.
 */
#include "client/command/complete.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>

#include "client/command/memory.h"
#include "client/command/say.h"

#define TIMEOUT_MS 1000 /* a person is waiting */
#define KEYS_MAX 100

struct typed {
	const struct sevq_command *commands, *command; /* command NULL: none is named yet */
	size_t command_count;
	const char *last;          /* the word that is completed */
	enum sevq_option option;   /* whose value it is; SEVQ_OPTION_COUNT: it is no value */
	size_t argument;           /* else which argument it is, from 0 */
	bool helps, behind_dashes; /* behind "help"; behind "--" */
	const char *values[SEVQ_OPTION_COUNT]; /* of the options before it; NULL: none */
};

/* Prints the word if the last one is its beginning. about NULL: nothing is said of it. */
static void
offer(const struct typed *typed, const char *word, const char *about)
{
	if (strncmp(word, typed->last, strlen(typed->last)) != 0)
		return;
	if (about != NULL)
		sevq_say_pair(stdout, word, about);
	else
		sevq_say(stdout, "%s", word);
}

/* "now|next-heartbeat": each of the words. */
static void
offer_words(const struct typed *typed, const char *words, size_t len)
{
	char *list = sevq_allocated(strndup(words, len)), *rest = list, *word;

	while ((word = strtok_r(rest, "|", &rest)) != NULL)
		offer(typed, word, NULL);
	free(list);
}

/* The keys of the server that the line names. Without a server there are none. */
static void
offer_keys(const struct typed *typed)
{
	struct sevq_connect_options connect;
	struct sevq_sessions_options options;
	struct sevq_sessions *sessions;
	struct sevq_client *client;
	size_t i;

	sevq_connect_options_init(&connect);
	connect.timeout_ms = TIMEOUT_MS;
	connect.base_url = typed->values[SEVQ_OPTION_BASE_URL];
	connect.token = typed->values[SEVQ_OPTION_TOKEN];
	connect.token_file = typed->values[SEVQ_OPTION_TOKEN_FILE];
	connect.ca_file = typed->values[SEVQ_OPTION_CA_FILE];
	connect.cert_file = typed->values[SEVQ_OPTION_CERT];
	connect.key_file = typed->values[SEVQ_OPTION_KEY];
	sevq_sessions_options_init(&options);
	options.prefix = typed->last;
	options.limit = KEYS_MAX;
	if (sevq_connect(&connect, &client) == SEVQ_OK &&
	    sevq_sessions(client, &options, &sessions) == SEVQ_OK) {
		for (i = 0; i < sessions->count; i++)
			offer(typed, sessions->sessions[i]->session_key, NULL);
		sevq_free(sessions);
	}
	sevq_close(client);
}

static void
offer_values(const struct typed *typed, const char *argument, size_t len)
{
	if (len >= 3 && memcmp(argument, "KEY", 3) == 0)
		offer_keys(typed);
	else if (len == 4 && memcmp(argument, "FILE", 4) == 0)
		sevq_say(stdout, ":files");
	else if (islower((unsigned char)argument[0]) && memchr(argument, '|', len) != NULL)
		offer_words(typed, argument, len);
}

static void
offer_option_values(const struct typed *typed)
{
	const char *argument = sevq_option_text(typed->option).argument;

	offer_values(typed, argument, strlen(argument));
}

static void
offer_commands(const struct typed *typed)
{
	size_t i;

	for (i = 0; i < typed->command_count; i++)
		offer(typed, typed->commands[i].name, typed->commands[i].about);
	offer(typed, "help", "print the help of a command");
}

static void
offer_options(const struct typed *typed)
{
	const struct sevq_command *command = typed->command;
	struct sevq_option_text option;
	char word[64];
	int i;

	for (i = 0; i < SEVQ_OPTION_COUNT; i++) {
		if (!sevq_option_may_stand((enum sevq_option)i,
					   command != NULL ? command->options : 0, command == NULL))
			continue;
		option = sevq_option_text((enum sevq_option)i);
		snprintf(word, sizeof(word), "--%s", option.name);
		offer(typed, word, option.about);
	}
}

/* "[KEY] -- COMMAND [ARG...]": the argument at that place is KEY. */
static void
offer_argument(const struct typed *typed)
{
	const char *arguments = typed->command->arguments;
	size_t i, len;

	for (i = 0;; i++) {
		arguments += strspn(arguments, " [");
		len = strcspn(arguments, " ]");
		if (i == typed->argument || len == 0)
			break;
		arguments += strcspn(arguments, " ");
	}
	offer_values(typed, arguments, len);
}

/* "--name=value", or "--name", whose value is the next word. */
static void
read_option(struct typed *typed, const char *word)
{
	const char *name = strncmp(word, "--", 2) == 0 ? word + 2 : "";
	size_t len = strcspn(name, "=");
	enum sevq_option option =
	    sevq_option_find(name, len, typed->command != NULL ? typed->command->options : 0,
			     typed->command == NULL);

	if (option == SEVQ_OPTION_COUNT || sevq_option_text(option).argument == NULL)
		return;
	if (name[len] == '=')
		typed->values[option] = name + len + 1;
	else
		typed->option = option;
}

static void
read_argument(struct typed *typed, const char *word)
{
	size_t i;

	if (typed->command != NULL || typed->helps) {
		typed->argument++;
		return;
	}
	typed->helps = strcmp(word, "help") == 0;
	for (i = 0; i < typed->command_count; i++)
		if (strcmp(typed->commands[i].name, word) == 0)
			typed->command = &typed->commands[i];
}

static void
read_words(struct typed *typed, char *const *words, size_t count)
{
	size_t i;

	for (i = 0; i < count; i++) {
		if (typed->option != SEVQ_OPTION_COUNT) {
			typed->values[typed->option] = words[i];
			typed->option = SEVQ_OPTION_COUNT;
		} else if (!typed->behind_dashes && strcmp(words[i], "--") == 0) {
			typed->behind_dashes = true;
		} else if (!typed->behind_dashes && words[i][0] == '-') {
			read_option(typed, words[i]);
		} else {
			read_argument(typed, words[i]);
		}
	}
}

void
sevq_complete(const struct sevq_command *commands, size_t command_count, char *const *words,
	      size_t word_count)
{
	struct typed typed = { .commands = commands,
			       .command_count = command_count,
			       .option = SEVQ_OPTION_COUNT };

	if (word_count == 0)
		return;
	typed.last = words[word_count - 1];
	read_words(&typed, words, word_count - 1);
	if (typed.option != SEVQ_OPTION_COUNT)
		offer_option_values(&typed);
	else if (typed.behind_dashes)
		sevq_say(stdout, ":files");
	else if (typed.last[0] == '-')
		offer_options(&typed);
	else if (typed.command != NULL)
		offer_argument(&typed);
	else
		offer_commands(&typed);
}
