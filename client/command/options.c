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
	[SEVQ_OPTION_BASE_URL] = { "base-url", "URL", read_text, AT(base_url),
	    "address of the server: http://, https:// or unix:/path (see man sevq)" },
	[SEVQ_OPTION_TOKEN] = { "token", "TOKEN", read_text, AT(token),
	    "token for the server; other users see it in the process list" },
	[SEVQ_OPTION_TOKEN_FILE] = { "token-file", "FILE", read_text, AT(token_file),
	    "file with the token for the server" },
	[SEVQ_OPTION_CA_FILE] = { "ca-file", "FILE", read_text, AT(ca_file),
	    "file with the certificates to trust for https://, in PEM" },
	[SEVQ_OPTION_TIMEOUT] = { "timeout", "TIME", read_duration, AT(timeout_ms),
	    "how long to wait for the answer: 500ms, 90s, 5m (30s)" },
	[SEVQ_OPTION_JSON] = { "json", NULL, read_flag, AT(json),
	    "print the server's answer as JSON" },
	[SEVQ_OPTION_HELP] = { "help", NULL, read_flag, AT(help),
	    "print this help" },
	[SEVQ_OPTION_VERSION] = { "version", NULL, read_flag, AT(version),
	    "print the version" },
	[SEVQ_OPTION_TEXT] = { "text", "TEXT", read_text, AT(text),
	    "text of the event; - reads it from standard input" },
	[SEVQ_OPTION_LINES] = { "lines", NULL, read_flag, AT(lines),
	    "with -: enqueue every line as an event, all or none" },
	[SEVQ_OPTION_LOSSY] = { "lossy", NULL, read_flag, AT(lossy),
	    "replace what no event can hold, such as broken UTF-8, by U+FFFD" },
	[SEVQ_OPTION_SESSION_KEY] = { "session-key", "KEY", read_text, AT(address.session_key),
	    "the session" },
	[SEVQ_OPTION_AGENT] = { "agent", "ID", read_text, AT(address.agent_id),
	    "the agent; without a session key, its main session; of token add: for whom, "
	    "ops,main" },
	[SEVQ_OPTION_CHANNEL] = { "channel", "NAME", read_text, AT(address.channel),
	    "channel whose allowlist decides, instead of the key's" },
	[SEVQ_OPTION_ACCOUNT] = { "account", "ID", read_text, AT(address.account_id),
	    "account whose allowlist decides, instead of the key's" },
	[SEVQ_OPTION_CONTEXT_KEY] = { "context-key", "KEY", read_text, AT(context_key),
	    "what the event is about, such as cron:backup" },
	[SEVQ_OPTION_CONTEXT_PREFIX] = { "context-prefix", "TEXT", read_text, AT(context_prefix),
	    "only events whose context key starts with TEXT" },
	[SEVQ_OPTION_SOURCE] = { "source", "NAME", read_text, AT(source),
	    "where the event comes from: exec-event, cron-event, hook, ..." },
	[SEVQ_OPTION_MODE] = { "mode", "now|next-heartbeat", read_mode, AT(wake),
	    "when to wake the agent (next-heartbeat); of wait: now means only such events" },
	[SEVQ_OPTION_REPLACE] = { "replace", NULL, read_flag, AT(replace),
	    "remove queued events with the same context key" },
	[SEVQ_OPTION_ALLOW_DUPLICATE] = { "allow-duplicate", NULL, read_flag, AT(allow_duplicate),
	    "enqueue it even if the same event is queued" },
	[SEVQ_OPTION_DELIVERY] = { "delivery", "FIELD=VALUE", read_delivery, AT(delivery),
	    "where the agent's answer goes: channel=, to=, account=, thread=; repeatable" },
	[SEVQ_OPTION_TRACEPARENT] = { "traceparent", "TEXT", read_text, AT(traceparent),
	    "W3C trace context" },
	[SEVQ_OPTION_LIMIT] = { "limit", "N", read_number, AT(limit),
	    "at most N" },
	[SEVQ_OPTION_AFTER] = { "after", "ID", read_text, AT(after),
	    "only events behind this one" },
	[SEVQ_OPTION_PREFIX] = { "prefix", "TEXT", read_text, AT(prefix),
	    "only session keys that start with TEXT" },
	[SEVQ_OPTION_MIN_AGE] = { "min-age", "TIME", read_duration, AT(min_age_ms),
	    "only sessions that have had something to take for so long: 90s, 5m, 2h, 1d" },
	[SEVQ_OPTION_SORT] = { "sort", "problem|unattended|key|depth|oldest|newest", read_text, AT(sort),
	    "order (problem: the worst first)" },
	[SEVQ_OPTION_CONTAINS] = { "contains", "TEXT", read_text, AT(contains),
	    "only session keys with this part" },
	[SEVQ_OPTION_PROBLEM] = { "problem", "any|stranded|full|unattended", read_text, AT(problem),
	    "only sessions with this problem" },
	[SEVQ_OPTION_CURSOR] = { "cursor", "TEXT", read_text, AT(cursor),
	    "the next page, as the previous one printed it" },
	[SEVQ_OPTION_EXACT] = { "exact", NULL, read_flag, AT(exact),
	    "the queue of this very key, wherever the policy routes the key" },
	[SEVQ_OPTION_YES] = { "yes", NULL, read_flag, AT(yes),
	    "do not ask; of token revoke: all tokens of the name" },
	[SEVQ_OPTION_DELAY] = { "delay", "TIME", read_duration, AT(delay_ms),
	    "events cannot be taken before this time has passed: 500ms, 5s, 2m, 1h" },
	[SEVQ_OPTION_TTL] = { "ttl", "TIME", read_duration, AT(ttl_ms),
	    "the event expires if it is not taken within this time" },
	[SEVQ_OPTION_IDEMPOTENCY_KEY] = { "idempotency-key", "TEXT", read_text, AT(idempotency_key),
	    "repeated with the same key within 24h, the command gets the first answer" },
	[SEVQ_OPTION_FORMAT] = { "format", "table|prompt", read_format, AT(prompt),
	    "a table, or lines for a prompt (table)" },
	[SEVQ_OPTION_FOR] = { "for", "TIME", read_duration, AT(lease_ms),
	    "length of the lease (60s)" },
	[SEVQ_OPTION_CONSUMER] = { "consumer", "NAME", read_text, AT(consumer),
	    "who takes the events, for their history; of leases: only those of this "
	    "consumer" },
	[SEVQ_OPTION_EXCLUSIVE] = { "exclusive", NULL, read_flag, AT(exclusive),
	    "nobody else can take events of the session during the lease" },
	[SEVQ_OPTION_REASON] = { "reason", "TEXT", read_text, AT(reason),
	    "why, for the history of the events; of history: only reasons that start with "
	    "TEXT" },
	[SEVQ_OPTION_NO_COUNT] = { "no-count", NULL, read_flag, AT(no_count),
	    "do not count this as a failed attempt" },
	[SEVQ_OPTION_STATE] = { "state", "STATE", read_text, AT(state),
	    "only events that left as drained, acked, expired, dead, ..." },
	[SEVQ_OPTION_SINCE] = { "since", "TIME", read_duration, AT(since_ms),
	    "only events that left the queue within this time: 90s, 5m, 2h, 1d" },
	[SEVQ_OPTION_UNTIL] = { "until", "TIME", read_duration, AT(until_ms),
	    "only events that left the queue longer ago than this" },
	[SEVQ_OPTION_REQUEUE] = { "requeue", NULL, read_flag, AT(requeue),
	    "enqueue the dead letters with these ids again" },
	[SEVQ_OPTION_REQUEUE_ALL] = { "requeue-all", NULL, read_flag, AT(requeue_all),
	    "enqueue all dead letters again, or all of the session" },
	[SEVQ_OPTION_DRY_RUN] = { "dry-run", NULL, read_flag, AT(dry_run),
	    "change nothing, only print what would be done" },
	[SEVQ_OPTION_RATE] = { "rate", "N", read_number, AT(rate),
	    "spread them, N a second (all at once)" },
	[SEVQ_OPTION_WAIT] = { "wait", NULL, read_flag, AT(wait),
	    "go on until nothing is left to move, also when leases end" },
	[SEVQ_OPTION_ONCE] = { "once", NULL, read_flag, AT(once),
	    "one round, without waiting for events" },
	[SEVQ_OPTION_MAX_ROUNDS] = { "max-rounds", "N", read_number, AT(max_rounds),
	    "end after N rounds" },
	[SEVQ_OPTION_BACKOFF] = { "backoff", "TIME", read_duration, AT(backoff_ms),
	    "delay of an event that failed alone, doubled by each attempt (1s)" },
	[SEVQ_OPTION_BACKOFF_MAX] = { "backoff-max", "TIME", read_duration, AT(backoff_max_ms),
	    "longest delay of an event that failed (1h)" },
	[SEVQ_OPTION_MIN_INTERVAL] = { "min-interval", "TIME", read_duration, AT(min_interval_ms),
	    "shortest time from one start of the command to the next" },
	[SEVQ_OPTION_DEBOUNCE] = { "debounce", "TIME", read_duration, AT(debounce_ms),
	    "start once no event has come for this time, at most 10 times as late" },
	[SEVQ_OPTION_MAX_PER_MINUTE] = { "max-per-minute", "N", read_number, AT(max_per_minute),
	    "at most N starts a minute; wake now cuts through these three" },
	[SEVQ_OPTION_NAME] = { "name", "NAME", read_text, AT(name),
	    "name of the token, for the log and the history" },
	[SEVQ_OPTION_SCOPE] = { "scope", "LIST", read_text, AT(scope),
	    "what the token allows: produce, consume, read, admin (default all)" },
	[SEVQ_OPTION_EXPIRES] = { "expires", "DATE", read_text, AT(expires),
	    "when the token expires, in UTC: 2027-01-31 or 2027-01-31T12:00:00Z" },
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
			fprintf(stderr, "sevq: --%s %s: not a valid %s (see sevq --help)\n",
				description->name, optarg, description->argument);
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
