/*
 * sevq event - enqueues one event, or with --lines one for each line of standard input.
 */
#include <errno.h>
#include <stdlib.h>

#include "client/buffer.h"
#include "client/command/command.h"
#include "client/command/lossy.h"
#include "client/command/memory.h"
#include "client/command/say.h"

#define INPUT_BYTES_MAX ((size_t)64 << 20)

/* Reads standard input. Returns a text that the caller frees, or NULL after reporting a failure. */
static char *
read_input(bool lossy)
{
	char *text = NULL;
	struct sevq_buffer input = { 0 };
	char part[16384];
	size_t n;

	while ((n = fread(part, 1, sizeof(part), stdin)) > 0 && input.len <= INPUT_BYTES_MAX)
		sevq_buffer_add(&input, part, n);
	if (ferror(stdin))
		sevq_report_failure("standard input: %s", strerror(errno));
	else if (input.len > INPUT_BYTES_MAX)
		sevq_report_failure("standard input is over 64 MiB; send it in parts");
	else if (lossy)
		text = sevq_allocated(input.failed ? NULL : sevq_lossy(input.data, input.len));
	else if (memchr(sevq_buffer_text(&input), '\0', input.len) != NULL)
		sevq_report_failure("standard input contains a NUL byte, which an event can only "
				    "hold as U+FFFD: --lossy");
	else
		text = sevq_allocated(sevq_buffer_take(&input));
	sevq_buffer_clear(&input);
	return text;
}

static void
fill_draft(struct sevq_draft *draft, const struct sevq_options *options, const char *text)
{
	sevq_draft_init(draft);
	draft->address = options->address;
	draft->text = text;
	draft->context_key = options->context_key;
	draft->source = options->source;
	draft->delivery = options->delivery;
	draft->wake = options->wake;
	draft->replace = options->replace;
	draft->allow_duplicate = options->allow_duplicate;
	draft->traceparent = options->traceparent;
	draft->delay_ms = options->delay_ms;
	draft->ttl_ms = options->ttl_ms;
	draft->idempotency_key = options->idempotency_key;
}

/* Whether the event has left the queue: a later one of its batch evicted or replaced it. */
static bool
is_over(const struct sevq_event *event)
{
	return event->state != NULL && strcmp(event->state, "queued") != 0 &&
	       strcmp(event->state, "delayed") != 0 && strcmp(event->state, "leased") != 0;
}

/* "queued 17 in agent:main:main (direct-main from agent:main:telegram:default:direct:123)" */
static void
print_receipt(const struct sevq_receipt *receipt, bool quiet)
{
	static const char *const words[] = { NULL, "queued", "replaced by", "already queued as" };
	const struct sevq_event *event = receipt->event;
	struct sevq_buffer line = { 0 };

	if (quiet) {
		sevq_say(stdout, "%s", event->id);
		return;
	}
	sevq_buffer_addf(&line, "%s %s in %s", words[receipt->outcome], event->id,
			 event->session_key);
	if (event->rule != NULL && strcmp(event->rule, "keep") != 0 &&
	    event->original_session_key != NULL)
		sevq_buffer_addf(&line, " (%s from %s)", event->rule, event->original_session_key);
	if (is_over(event))
		sevq_buffer_addf(&line, ", %s", event->state);
	sevq_say(stdout, "%s", (char *)sevq_allocated(line.failed ? NULL : line.data));
	sevq_buffer_clear(&line);
}

static enum sevq_exit
queue_one(struct sevq_client *client, const struct sevq_options *options, const char *text)
{
	struct sevq_receipt *receipt;
	struct sevq_draft draft;

	fill_draft(&draft, options, text);
	if (sevq_enqueue(client, &draft, &receipt) != SEVQ_OK)
		return sevq_report(client);
	if (options->json)
		sevq_print_json(client);
	else
		print_receipt(receipt, options->quiet);
	sevq_free(receipt);
	return SEVQ_EXIT_DONE;
}

/* Splits text into lines, in place, and skips empty ones. The caller frees the list. */
static struct sevq_draft *
drafts_of_lines(char *text, const struct sevq_options *options, size_t *count)
{
	struct sevq_draft *drafts = NULL;
	size_t cap = 0;
	char *line, *rest = text;

	*count = 0;
	while ((line = strtok_r(rest, "\r\n", &rest)) != NULL) {
		if (*count == cap) {
			cap = cap + cap / 2 + 64;
			drafts = sevq_allocated(reallocarray(drafts, cap, sizeof(*drafts)));
		}
		fill_draft(&drafts[(*count)++], options, line);
	}
	return drafts;
}

static enum sevq_exit
queue_lines(struct sevq_client *client, const struct sevq_options *options, char *text)
{
	struct sevq_receipts *receipts;
	struct sevq_draft *drafts;
	enum sevq_code code;
	size_t count, i;

	drafts = drafts_of_lines(text, options, &count);
	if (count == 0) {
		sevq_report_failure("standard input has no lines; nothing was enqueued");
		return SEVQ_EXIT_NOTHING;
	}
	code = sevq_enqueue_batch(client, drafts, count, &receipts);
	free(drafts);
	if (code != SEVQ_OK)
		return sevq_report(client);
	if (options->json)
		sevq_print_json(client);
	for (i = 0; !options->json && i < receipts->count; i++)
		print_receipt(receipts->receipts[i], options->quiet);
	sevq_free(receipts);
	return SEVQ_EXIT_DONE;
}

/* The text as an argument gave it. */
static enum sevq_exit
queue_argument(struct sevq_client *client, const struct sevq_options *options)
{
	enum sevq_exit result;
	char *text;

	if (!options->lossy)
		return queue_one(client, options, options->text);
	text = sevq_allocated(sevq_lossy(options->text, strlen(options->text)));
	result = queue_one(client, options, text);
	free(text);
	return result;
}

/* The word could be a session key: one word, with a colon or a name that is one. */
static bool
may_be_key(const char *word)
{
	return strpbrk(word, " \t\r\n") == NULL &&
	       (strchr(word, ':') != NULL || strcmp(word, "main") == 0 ||
		strcmp(word, "global") == 0);
}

static bool
is_key(const char *word)
{
	return may_be_key(word) && strncmp(word, "agent:", 6) == 0;
}

/* A key, and another word or --text as the text. */
static enum sevq_exit
take_key_and_text(struct sevq_options *options)
{
	char *const *words = options->arguments;

	if (options->address.session_key != NULL)
		return sevq_report_usage("two sessions given: give KEY or --session-key, not both");
	if (!may_be_key(words[0]))
		return sevq_report_usage("%s is no session key; is it the text? put it in quotes: "
					 "sevq event \"%s %s\"",
					 words[0], words[0], words[1]);
	options->address.session_key = words[0];
	if (options->text == NULL)
		options->text = words[1];
	return SEVQ_EXIT_DONE;
}

/*
 * Sets the text and the session from [KEY] TEXT. Without a session it is the default agent's main
 * session, which the key "main" is an alias of.
 */
static enum sevq_exit
take_arguments(struct sevq_options *options)
{
	int count = options->argument_count;

	if (count > 2)
		return sevq_report_usage("%d words given: put the text in quotes, sevq event KEY "
					 "\"some text\"",
					 count);
	if (count == 2 && options->text != NULL)
		return sevq_report_usage("two texts given: give TEXT or --text, not both");
	if (count == 2 ||
	    (count == 1 && options->text != NULL && may_be_key(options->arguments[0])))
		return take_key_and_text(options);
	if (count == 1 && options->text != NULL)
		return sevq_report_usage("two texts given: give TEXT or --text, not both");
	if (count == 1 && is_key(options->arguments[0]) && options->address.session_key == NULL)
		return sevq_report_usage("no text given for %s: sevq event KEY \"some text\"; to "
					 "send the key itself, --text",
					 options->arguments[0]);
	if (count == 1)
		options->text = options->arguments[0];
	if (options->text == NULL)
		return sevq_report_usage("no text given: give TEXT, or - to read standard input");
	return SEVQ_EXIT_DONE;
}

enum sevq_exit
sevq_run_event(struct sevq_client *client, struct sevq_options *options)
{
	enum sevq_exit result = take_arguments(options);
	char *input;

	if (result != SEVQ_EXIT_DONE)
		return result;
	if (options->address.session_key == NULL && options->address.agent_id == NULL)
		options->address.session_key = "main";
	if (options->lines && options->idempotency_key != NULL)
		return sevq_report_usage("--idempotency-key is for one event and excludes --lines");
	if (strcmp(options->text, "-") != 0)
		return options->lines
			   ? sevq_report_usage("--lines reads standard input: give - as the text")
			   : queue_argument(client, options);
	input = read_input(options->lossy);
	if (input == NULL)
		return SEVQ_EXIT_FAILED;
	result = options->lines ? queue_lines(client, options, input)
				: queue_one(client, options, input);
	free(input);
	return result;
}
