/*
 * Reads the options. One table has a line for each; getopt and the help are fed from it.
 */
#include "client/command/options.h"

#include <getopt.h>
#include <stdlib.h>

#include "client/command/number.h"

/* Reads text into the field at `at`; text is NULL for a flag. false: the value is not valid. */
typedef bool reader(const char *text, void *at);

struct description {
	const char *name, *argument; /* argument NULL: a flag */
	reader *read;
	size_t offset;
	const char *about;
};

static bool
read_text(const char *text, void *at)
{
	*(const char **)at = text;
	return true;
}

static bool
read_flag(const char *text, void *at)
{
	(void)text;
	*(bool *)at = true;
	return true;
}

static bool
read_number(const char *text, void *at)
{
	return sevq_number_read(text, at);
}

/* Reads a number with a unit, in seconds if it has none; at most a century. */
static bool
read_duration(const char *text, void *at)
{
	static const struct {
		const char *name;
		double ms;
	} units[] = { { "", 1e3 },   { "ms", 1 },     { "s", 1e3 },
		      { "m", 60e3 }, { "h", 3600e3 }, { "d", 86400e3 } };
	char *end;
	double number = strtod(text, &end);
	size_t i;

	for (i = 0; end != text && i < sizeof(units) / sizeof(units[0]); i++) {
		if (strcmp(end, units[i].name) == 0 && number * units[i].ms >= 1 &&
		    number * units[i].ms <= 100 * 365 * 86400e3) {
			*(int64_t *)at = (int64_t)(number * units[i].ms);
			return true;
		}
	}
	return false;
}

static bool
read_mode(const char *text, void *at)
{
	enum sevq_wake *wake = at;

	if (strcmp(text, "now") == 0)
		*wake = SEVQ_WAKE_NOW;
	else if (strcmp(text, "next-heartbeat") == 0)
		*wake = SEVQ_WAKE_NEXT_HEARTBEAT;
	else
		return false;
	return true;
}

static bool
read_format(const char *text, void *at)
{
	*(bool *)at = strcmp(text, "prompt") == 0;
	return *(bool *)at || strcmp(text, "table") == 0;
}

/* Reads one field. A value may hold any character, so further fields need further options. */
static bool
read_delivery(const char *text, void *at)
{
	struct sevq_delivery *delivery = at;

	if (strncmp(text, "channel=", 8) == 0)
		delivery->channel = text + 8;
	else if (strncmp(text, "to=", 3) == 0)
		delivery->to = text + 3;
	else if (strncmp(text, "account=", 8) == 0)
		delivery->account_id = text + 8;
	else if (strncmp(text, "thread=", 7) == 0)
		delivery->thread_id = text + 7;
	else
		return false;
	return true;
}

/* clang-format off */
#define AT(field) offsetof(struct sevq_options, field)
static const struct description descriptions[SEVQ_OPTION_COUNT] = {
	[SEVQ_OPTION_BASE_URL] = { "base-url", "URL", read_text, AT(base_url), "the server: http://, https:// or unix:/path (else it is found)" },
	[SEVQ_OPTION_TOKEN] = { "token", "TOKEN", read_text, AT(token), "its token; other users can see it in the list of processes" },
	[SEVQ_OPTION_TOKEN_FILE] = { "token-file", "FILE", read_text, AT(token_file), "a file with its token" },
	[SEVQ_OPTION_TIMEOUT] = { "timeout", "TIME", read_duration, AT(timeout_ms), "give up after this long (30s)" },
	[SEVQ_OPTION_JSON] = { "json", NULL, read_flag, AT(json), "print the server's answer as it is" },
	[SEVQ_OPTION_HELP] = { "help", NULL, read_flag, AT(help), "explain" },
	[SEVQ_OPTION_VERSION] = { "version", NULL, read_flag, AT(version), "print the version" },
	[SEVQ_OPTION_TEXT] = { "text", "TEXT", read_text, AT(text), "what happened; - reads it from standard input" },
	[SEVQ_OPTION_LINES] = { "lines", NULL, read_flag, AT(lines), "with -: every line is an event, all of them or none are queued" },
	[SEVQ_OPTION_SESSION_KEY] = { "session-key", "KEY", read_text, AT(address.session_key), "the session" },
	[SEVQ_OPTION_AGENT] = { "agent", "ID", read_text, AT(address.agent_id), "the agent; without a session key, its main session" },
	[SEVQ_OPTION_CHANNEL] = { "channel", "NAME", read_text, AT(address.channel), "route as for this channel" },
	[SEVQ_OPTION_ACCOUNT] = { "account", "ID", read_text, AT(address.account_id), "route as for this account" },
	[SEVQ_OPTION_CONTEXT_KEY] = { "context-key", "KEY", read_text, AT(context_key), "what the event is about" },
	[SEVQ_OPTION_CONTEXT_PREFIX] = { "context-prefix", "TEXT", read_text, AT(context_prefix), "only events whose context key starts so" },
	[SEVQ_OPTION_SOURCE] = { "source", "NAME", read_text, AT(source), "where the event comes from: exec-event, cron-event, hook, ..." },
	[SEVQ_OPTION_MODE] = { "mode", "now|next-heartbeat", read_mode, AT(wake), "when to wake the agent (next-heartbeat)" },
	[SEVQ_OPTION_REPLACE] = { "replace", NULL, read_flag, AT(replace), "take the place of queued events with this context key" },
	[SEVQ_OPTION_ALLOW_DUPLICATE] = { "allow-duplicate", NULL, read_flag, AT(allow_duplicate), "queue it although the same is queued" },
	[SEVQ_OPTION_DELIVERY] = { "delivery", "FIELD=VALUE", read_delivery, AT(delivery), "where an answer goes: channel=, to=, account=, thread=; repeatable" },
	[SEVQ_OPTION_TRACEPARENT] = { "traceparent", "TEXT", read_text, AT(traceparent), "W3C trace context" },
	[SEVQ_OPTION_LIMIT] = { "limit", "N", read_number, AT(limit), "at most so many" },
	[SEVQ_OPTION_AFTER] = { "after", "ID", read_text, AT(after), "only events newer than this one" },
	[SEVQ_OPTION_PREFIX] = { "prefix", "TEXT", read_text, AT(prefix), "only session keys that start so" },
	[SEVQ_OPTION_MIN_AGE] = { "min-age", "TIME", read_duration, AT(min_age_ms), "only where an event waits at least this long: 90s, 5m, 2h, 1d" },
	[SEVQ_OPTION_SORT] = { "sort", "key|depth|oldest|newest", read_text, AT(sort), "order (key)" },
	[SEVQ_OPTION_CURSOR] = { "cursor", "TEXT", read_text, AT(cursor), "the page that the one before named" },
	[SEVQ_OPTION_YES] = { "yes", NULL, read_flag, AT(yes), "do not ask" },
	[SEVQ_OPTION_DELAY] = { "delay", "TIME", read_duration, AT(delay_ms), "not to be had before that: 500ms, 5s, 2m, 1h" },
	[SEVQ_OPTION_TTL] = { "ttl", "TIME", read_duration, AT(ttl_ms), "expires when nobody has taken it for so long" },
	[SEVQ_OPTION_IDEMPOTENCY_KEY] = { "idempotency-key", "TEXT", read_text, AT(idempotency_key), "the same call with the same key has the same answer, for 24h" },
	[SEVQ_OPTION_FORMAT] = { "format", "table|prompt", read_format, AT(prompt), "a table, or the lines of a prompt" },
	[SEVQ_OPTION_FOR] = { "for", "TIME", read_duration, AT(lease_ms), "how long the lease is (60s)" },
	[SEVQ_OPTION_CONSUMER] = { "consumer", "NAME", read_text, AT(consumer), "who takes the events, for their history" },
	[SEVQ_OPTION_EXCLUSIVE] = { "exclusive", NULL, read_flag, AT(exclusive), "nobody else gets events of the session meanwhile" },
	[SEVQ_OPTION_REASON] = { "reason", "TEXT", read_text, AT(reason), "why, for their history" },
	[SEVQ_OPTION_NO_COUNT] = { "no-count", NULL, read_flag, AT(no_count), "this was no attempt" },
	[SEVQ_OPTION_STATE] = { "state", "STATE", read_text, AT(state), "only what went so: drained, acked, expired, dead, ..." },
	[SEVQ_OPTION_SINCE] = { "since", "TIME", read_duration, AT(since_ms), "only what went at most so long ago" },
	[SEVQ_OPTION_UNTIL] = { "until", "TIME", read_duration, AT(until_ms), "only what went at least so long ago" },
	[SEVQ_OPTION_REQUEUE] = { "requeue", NULL, read_flag, AT(requeue), "queue these dead letters anew: give their ids" },
	[SEVQ_OPTION_REQUEUE_ALL] = { "requeue-all", NULL, read_flag, AT(requeue_all), "queue all of them anew, or all of the session" },
	[SEVQ_OPTION_DRY_RUN] = { "dry-run", NULL, read_flag, AT(dry_run), "only say what would be queued anew" },
	[SEVQ_OPTION_RATE] = { "rate", "N", read_number, AT(rate), "so many a second (all at once)" },
	[SEVQ_OPTION_ONCE] = { "once", NULL, read_flag, AT(once), "one round, without waiting for events" },
	[SEVQ_OPTION_MAX_ROUNDS] = { "max-rounds", "N", read_number, AT(max_rounds), "end after so many" },
	[SEVQ_OPTION_BACKOFF] = { "backoff", "TIME", read_duration, AT(backoff_ms), "after a failure; doubles with each one that follows (1s)" },
	[SEVQ_OPTION_BACKOFF_MAX] = { "backoff-max", "TIME", read_duration, AT(backoff_max_ms), "up to this (5m)" },
};
/* clang-format on */

/*
 * getopt returns an option's number in the set plus FIRST_VALUE, which is larger than the
 * characters that it returns for errors.
 */
#define FIRST_VALUE 256

static void
fill_getopt(uint64_t set, struct option long_options[SEVQ_OPTION_COUNT + 1])
{
	size_t count = 0;
	int i;

	for (i = 0; i < SEVQ_OPTION_COUNT; i++)
		if (set & SEVQ_WITH(i))
			long_options[count++] =
			    (struct option){ descriptions[i].name,
					     descriptions[i].argument != NULL ? required_argument
									      : no_argument,
					     NULL, FIRST_VALUE + i };
	memset(&long_options[count], 0, sizeof(long_options[count]));
}

int
sevq_options_read(int argc, char **argv, uint64_t set, bool before_command,
		  struct sevq_options *options)
{
	struct option long_options[SEVQ_OPTION_COUNT + 1];
	const struct description *description;
	int value;

	fill_getopt(set, long_options);
	optind = 0; /* makes glibc start over, with its private state too */
	while ((value = getopt_long(argc, argv, before_command ? "+h" : "h", long_options, NULL)) !=
	       -1) {
		if (value == 'h')
			value = FIRST_VALUE + SEVQ_OPTION_HELP;
		if (value < FIRST_VALUE)
			return -1; /* getopt has reported why */
		description = &descriptions[value - FIRST_VALUE];
		if (!description->read(optarg, (char *)options + description->offset)) {
			fprintf(stderr, "sevq: --%s %s: want %s\n", description->name, optarg,
				description->argument);
			return -1;
		}
	}
	options->arguments = argv + optind;
	options->argument_count = argc - optind;
	return 0;
}

void
sevq_options_explain(FILE *out, uint64_t set)
{
	char left[64];
	int i;

	for (i = 0; i < SEVQ_OPTION_COUNT; i++) {
		if (!(set & SEVQ_WITH(i)))
			continue;
		snprintf(left, sizeof(left), "--%s %s", descriptions[i].name,
			 descriptions[i].argument != NULL ? descriptions[i].argument : "");
		fprintf(out, "  %-34s %s\n", left, descriptions[i].about);
	}
}
